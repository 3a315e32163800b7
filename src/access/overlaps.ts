/** Tells rules apart that are not: pairs that a request exists for which both match (security X14). */
import type { CompiledRule } from './compile-rule.js'
import type { FindMatches, Indexed } from './rule-index.js'

const maxWarnings = 20

/**
 * Sentences, each with a request that shows it. It is found by trying URLs that each rule matches, so there are overlaps
 * that it does not find, but none that it makes up.
 */
export function overlapWarnings(rules: readonly (CompiledRule & Indexed)[], find: FindMatches<CompiledRule>, consequence: string): string[] {
  const told = new Set<string>()
  const warnings: string[] = []
  for (const { matcher, methods } of rules) {
    for (const url of matcher.examples()) {
      for (const method of methods) {
        const both = find({ method, url, path: url.replace(/^[a-z]+:\/\/[^/]*/, '') })
        if (both.length < 2) continue

        const names = both.map(other => JSON.stringify(other.rule.id)).sort().join(' and ')
        if (told.has(names)) continue
        told.add(names)
        if (warnings.length === maxWarnings) return [...warnings, '... and more overlaps']
        warnings.push(`rules ${names} both match ${method} ${url}, which ${consequence}`)
      }
    }
  }
  return warnings
}
