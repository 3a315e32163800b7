/** Splits `match.url` at its `<` and `>`: literal text outside, an expression of the matching strategy inside. */
import { PatternError } from './syntax-tree.js'

export interface Part {
  readonly kind: 'literal' | 'expression'
  readonly text: string
  /** Where the text begins in the pattern. */
  readonly offset: number
}

/**
 * Delimiters nest: the outermost pair counts and inner ones belong to the expression, as named groups need
 * (contract 1.4). Throws `PatternError` when they don't balance.
 */
export function splitDelimiters(pattern: string): Part[] {
  const parts: Part[] = []
  let depth = 0
  let begin = 0

  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]
    if (char === '<' && depth++ === 0) {
      if (at > begin) parts.push({ kind: 'literal', text: pattern.slice(begin, at), offset: begin })
      begin = at + 1
    }
    if (char === '>' && --depth === 0) {
      parts.push({ kind: 'expression', text: pattern.slice(begin, at), offset: begin })
      begin = at + 1
    }
    if (depth < 0) throw new PatternError('Unbalanced braces: this ">" closes no "<"', at)
  }

  if (depth > 0) throw new PatternError('Unbalanced braces: this "<" is never closed', begin - 1)
  if (begin < pattern.length) parts.push({ kind: 'literal', text: pattern.slice(begin), offset: begin })
  return parts
}
