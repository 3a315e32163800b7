/** Whether a request may pass, on whose behalf and with what: the one question that proxy, upgrade and decision API ask. */
import { GatewayError, withAnswer } from '../errors.js'
import type { AccessRequest } from '../http/access-request.js'
import type { Authenticate, AuthenticationSession, Decision } from './pipeline.js'
import type { Matched, RuleSet } from './rules.js'

/** What is found out on the way, also of a request that is denied. */
export interface DecisionTrail {
  ruleId?: string
  /** Empty for nobody. */
  subject?: string
  decision?: 'granted' | 'denied'
}

/**
 * Runs the matched rule's pipeline in the order of contract 2.0: the first authenticator that is responsible says who it is.
 * Throws a `GatewayError` that carries the rule's own answer; whatever else a handler throws amounts to `internal_error`, so a
 * defect never lets a request pass. `trail` is for the log.
 */
export async function decide(request: AccessRequest, rules: RuleSet, trail: DecisionTrail = {}): Promise<Decision> {
  trail.decision = 'denied'
  const { rule, captures } = meet(request, rules)
  trail.ruleId = rule.id

  try {
    if (request.encodedSlashes && !rule.encodedSlashes) throw new GatewayError('bad_request', { reason: encodedSlashes })

    // Most handlers answer at once: only promises are awaited, since a turn of the microtask queue for each would be felt.
    const nobody: AuthenticationSession = { subject: '', extra: undefined, header: {}, match: { ruleId: rule.id, request, captures } }
    let known: AuthenticationSession | undefined
    for (const { authenticate, optional } of rule.authenticators) {
      const authenticated = optional ? unlessRefused(authenticate, nobody) : authenticate(nobody)
      known = authenticated instanceof Promise ? await authenticated : authenticated
      if (known !== undefined) break
    }
    if (known === undefined) throw new GatewayError('unauthorized')

    let session = known
    trail.subject = session.subject
    for (const { authorize } of rule.authorizers) {
      const authorized = authorize(session)
      session = authorized instanceof Promise ? await authorized : authorized
    }
    for (const { mutate } of rule.mutators) {
      const mutated = mutate(session)
      session = mutated instanceof Promise ? await mutated : mutated
    }

    trail.subject = session.subject
    trail.decision = 'granted'
    return { rule, session, stripped: rules.stripped, strippedCookies: rules.strippedCookies }
  } catch (thrown) {
    throw withAnswer(thrown, error => rule.answerError(error, request))
  }
}

const encodedSlashes = 'The path has an encoded slash or backslash, which the access rule does not accept'

function meet(request: AccessRequest, rules: RuleSet): Matched {
  try {
    return rules.match(request)
  } catch (thrown) {
    throw withAnswer(thrown, error => rules.answerError(error, request))
  }
}

/** Refused credentials count as none. */
async function unlessRefused(authenticate: Authenticate, nobody: AuthenticationSession): Promise<AuthenticationSession | undefined> {
  try {
    return await authenticate(nobody)
  } catch (thrown) {
    if (isRefusal(thrown)) return undefined
    throw thrown
  }
}

/** A store that can't be asked is no refusal: nobody turns anonymous because Redis is down. */
function isRefusal(thrown: unknown): boolean {
  return thrown instanceof GatewayError && (thrown.status === 401 || thrown.status === 403)
}
