/** How scopes that a token was granted cover a scope that a rule requires (contract 2.1.6). */

/** `scope_strategy` of a handler's configuration. */
export const scopeStrategySchema = {
  enum: ['hierarchic', 'exact', 'wildcard', 'none'], default: 'none',
  description: 'How granted scopes cover required ones: `exact`ly, `foo` also covers `foo.bar` (`hierarchic`), or `foo.*` does (`wildcard`). With `none` nothing is compared here.',
} as const

export type ScopeStrategyName = 'hierarchic' | 'exact' | 'wildcard' | 'none'

/** Whether one of the granted scopes covers the wanted one. */
export type ScopeStrategy = (granted: readonly string[], wanted: string) => boolean

/** `undefined` for `none`: scopes are not compared. */
export function scopeStrategy(name: ScopeStrategyName): ScopeStrategy | undefined {
  switch (name) {
    case 'exact': return (granted, wanted) => granted.includes(wanted)
    case 'hierarchic': return (granted, wanted) => granted.some(scope => wanted === scope || wanted.startsWith(`${scope}.`))
    case 'wildcard': return (granted, wanted) => granted.some(scope => covers(scope.split('.'), wanted.split('.')))
    case 'none': return undefined
  }
}

/** A `*` stands for one part that is not empty; the last one also for all that follow. */
function covers(pattern: readonly string[], parts: readonly string[]): boolean {
  if (pattern.length > parts.length) return false
  if (pattern.length < parts.length && pattern.at(-1) !== '*') return false
  return pattern.every((part, index) => (part === '*' && parts[index] !== '') || part === parts[index])
}
