/** What is counted per access rule, for a bounded number of rules: those in force, and of those only so many. */

/** The rules in force; another object when they are others. */
export type CurrentRules = () => { readonly ids: readonly string[] }

export interface RuleLabels<Tally> {
  /** The tally of a rule; of `other` for a rule that has none of its own, of `''` for no rule. */
  of(ruleId: string | undefined): Tally
  /** Those that are in use, by label. */
  all(): Iterable<readonly [rule: string, Tally]>
}

/** What rules beyond the limit share, and rules that are no longer in force but still have requests in flight. */
const other = 'other'

/** The first `limit` rules, in file order, have tallies of their own: the same ones on every replica. */
export function createRuleLabels<Tally>(rules: CurrentRules, limit: number, make: () => Tally): RuleLabels<Tally> {
  const tallies = new Map<string, Tally>()
  /** By rule, so that those that share a tally need no more than one look-up either. */
  const byRule = new Map<string, Tally>()
  let known: ReturnType<CurrentRules> | undefined
  let own = new Set<string>()

  /** After a reload: drops what belongs to rules that are gone, so that reloads do not pile series up. */
  function follow(): void {
    const current = rules()
    if (current === known) return
    known = current
    own = new Set(current.ids.slice(0, limit))
    byRule.clear()
    for (const label of tallies.keys()) if (!own.has(label) && label !== other && label !== '') tallies.delete(label)
  }

  return {
    of(ruleId) {
      const found = byRule.get(ruleId ?? '')
      if (found !== undefined) return found

      follow()
      const label = ruleId === undefined || ruleId === '' || own.has(ruleId) ? ruleId ?? '' : other
      const tally = tallies.get(label) ?? make()
      tallies.set(label, tally)
      byRule.set(ruleId ?? '', tally)
      return tally
    },
    all() {
      follow()
      return tallies
    },
  }
}
