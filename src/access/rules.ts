/** The set of access rules in force: which rule a request meets, and what goes for every rule. */
import type { AccessRequest } from '../http/access-request.js'
import type { AccessRule } from './pipeline.js'

/** A rule that a request meets, with the texts its pattern captured. */
export interface Matched {
  readonly rule: AccessRule
  readonly captures: readonly string[]
}

/** All rules, compiled. Never changes: a reload makes another one. */
export interface RuleSet {
  /** The one rule for this request. Throws `no_rule`, or `several_rules` where that is an error. */
  readonly match: (request: AccessRequest) => Matched
  /** Answers failures that belong to no rule, by the configured `errors.fallback`. Never throws. */
  readonly answerError: AccessRule['answerError']
  /** Folded names (lower-case letters and digits only) of header fields that no client may send (security H2). */
  readonly stripped: ReadonlySet<string>
}
