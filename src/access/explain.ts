/** Why a request is let through or not: the decision itself, watched while it is made. */
import { type Answer, type ErrorCode, type GatewayError, toGatewayError } from '../errors.js'
import type { AccessRequest } from '../http/access-request.js'
import { decide } from './decide.js'
import type { AccessRule, AuthenticationSession, Decision } from './pipeline.js'
import type { Consideration, RuleSet } from './rules.js'

/** What one handler did. */
export interface Step {
  readonly kind: 'authenticator' | 'authorizer' | 'mutator'
  readonly handler: string
  readonly outcome: 'passed' | 'not responsible' | 'refused' | 'not asked'
  /** Who it is after this step. */
  readonly subject?: string
  /** Header fields for the upstream, after this step. */
  readonly header?: Readonly<Record<string, string>>
  /** Why it refused. */
  readonly failure?: Failure
}

/** `reason` may be said to clients, `detail` is for operators. */
export interface Failure {
  readonly code: ErrorCode
  readonly reason?: string | undefined
  readonly detail?: string | undefined
}

export interface Explanation {
  readonly method: string
  readonly url: string
  /** What every rule says about the request, in file order. */
  readonly rules: readonly Consideration[]
  /** The rule that the request meets; absent when it meets none, or several where that is an error. */
  readonly rule?: string
  /** Its expressions' texts. */
  readonly captures?: readonly string[]
  readonly steps: readonly Step[]
  /** Present when the request may pass: where it goes, and what the upstream is told. */
  readonly forward?: { readonly upstream: string | undefined, readonly subject: string, readonly header: Readonly<Record<string, string>> }
  /** Present with `forward`: what the forwarder would be given. */
  readonly decision?: Decision
  /** Present when it may not: what is wrong, and what the client gets. */
  readonly refusal?: Failure & { readonly answer: Answer }
}

/**
 * Decides as a request would be decided, by the same handlers: a rule that asks another service asks it now. Never rejects;
 * a failure is part of the explanation.
 */
export async function explain(request: AccessRequest, rules: RuleSet): Promise<Explanation> {
  const base = { method: request.method, url: request.url, rules: rules.consider(request) }
  const trace: Trace = { met: undefined, steps: new Map() }
  const watched: RuleSet = {
    ...rules,
    match(asked) {
      const matched = rules.match(asked)
      trace.met = { rule: matched.rule, captures: matched.captures() }
      return { ...matched, rule: watchedRule(matched.rule, trace) }
    },
  }

  try {
    const decision = await decide(request, watched)
    const { rule, session } = decision
    return { ...base, ...met(trace), decision, forward: { upstream: rule.upstream && rule.upstream.origin + rule.upstream.basePath, subject: session.subject, header: session.header } }
  } catch (thrown) {
    const error = toGatewayError(thrown)
    return { ...base, ...met(trace), refusal: { ...failureOf(error), answer: error.answer?.() ?? rules.answerError(error, request) } }
  }
}

interface Trace {
  met: { readonly rule: AccessRule, readonly captures: readonly string[] } | undefined
  /** By the rule's entry. */
  readonly steps: Map<object, Pick<Step, 'outcome' | 'subject' | 'header' | 'failure'>>
}

/** The rule with handlers that note what they do. */
function watchedRule(rule: AccessRule, trace: Trace): AccessRule {
  return {
    ...rule,
    authenticators: rule.authenticators.map(entry => ({ ...entry, authenticate: watch(entry, entry.authenticate, trace) })),
    authorizers: rule.authorizers.map(entry => ({ ...entry, authorize: watch(entry, entry.authorize, trace) })),
    mutators: rule.mutators.map(entry => ({ ...entry, mutate: watch(entry, entry.mutate, trace) })),
  }
}

function watch<Result extends AuthenticationSession | undefined>(
  entry: object, run: (session: AuthenticationSession) => Result | Promise<Result>, { steps }: Trace,
): (session: AuthenticationSession) => Promise<Result> {
  return async session => {
    try {
      const result = await run(session)
      steps.set(entry, result === undefined ? { outcome: 'not responsible' } : { outcome: 'passed', subject: result.subject, header: result.header })
      return result
    } catch (thrown) {
      steps.set(entry, { outcome: 'refused', failure: failureOf(toGatewayError(thrown)) })
      throw thrown
    }
  }
}

function met({ met: matched, steps }: Trace): Pick<Explanation, 'rule' | 'captures' | 'steps'> {
  if (matched === undefined) return { steps: [] }

  const { rule, captures } = matched
  const kinds = [['authenticator', rule.authenticators], ['authorizer', rule.authorizers], ['mutator', rule.mutators]] as const
  return {
    rule: rule.id,
    captures,
    steps: kinds.flatMap(([kind, entries]) => entries.map(entry => (
      { kind, handler: entry.name, ...steps.get(entry) ?? { outcome: 'not asked' as const } }
    ))),
  }
}

function failureOf(error: GatewayError): Failure {
  const { code, reason, detail, cause } = error
  return { code, reason, detail: detail ?? (cause instanceof Error ? cause.message : undefined) }
}
