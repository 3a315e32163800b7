/** What failures of services that rules ask amount to for the client. */
import { GatewayError, type ErrorCode } from '../errors.js'
import { OutgoingError, type OutgoingAnswer } from './outgoing.js'

/** Waits for an answer; having none is this failure, but too many waiting requests are always `overloaded`. */
export async function answerOr(code: ErrorCode, answer: Promise<OutgoingAnswer>): Promise<OutgoingAnswer> {
  try {
    return await answer
  } catch (cause) {
    if (!(cause instanceof OutgoingError)) throw cause
    throw new GatewayError(cause.kind === 'overloaded' ? 'overloaded' : code, { detail: cause.message, cause })
  }
}

/** Hands a service's 429 on to the client, with what it says about when to come back (contract 2.0). */
export function refuseRateLimited({ status, headers }: OutgoingAnswer): void {
  if (status !== 429) return
  const said: Record<string, string> = {}
  for (const name of rateLimitFields) {
    const value = headers[name.toLowerCase()]
    if (typeof value === 'string') said[name] = value
  }
  throw new GatewayError('too_many_requests', { headers: said })
}

const rateLimitFields = ['Retry-After', 'X-Ratelimit-Limit', 'X-Ratelimit-Remaining', 'X-Ratelimit-Reset', 'X-Ratelimit-Type']
