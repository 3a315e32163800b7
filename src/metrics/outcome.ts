/** What became of a request, in a word of a closed list: labels of metrics must never be a client's choice. */
import type { ErrorCode } from '../errors.js'
import type { ExchangeState } from '../http/exchange.js'

export type Outcome = typeof outcomes[number]

/** Every outcome of a request on the public listener. */
export const outcomes = [
  'forwarded', 'upgraded', 'self_service', 'preflight', 'redirected', 'denied', 'not_found', 'bad_request', 'rate_limited',
  'upstream_error', 'store_unavailable', 'overloaded', 'internal_error', 'client_gone',
] as const

/** `status` is what was answered; `undefined` when the client went away before it was. */
export function outcomeOf({ refusal, failure, selfService, decision }: ExchangeState, status: number | undefined): Outcome {
  if (status === undefined) return 'client_gone'
  const error = refusal ?? failure
  if (error !== undefined) return failureOutcome(error.code, status)
  if (decision === 'granted') return status === 101 ? 'upgraded' : 'forwarded'
  return selfService ? 'self_service' : 'preflight'
}

/** `allowed` or why not; `undefined` when the rules were not asked, or not to the end. */
export function decisionOf({ failure, decision }: ExchangeState): 'allowed' | ErrorCode | undefined {
  if (decision === undefined) return undefined
  return decision === 'granted' ? 'allowed' : failure?.code
}

/** A refusal that sends the browser elsewhere, to log in for example, is none to a person. */
function failureOutcome(code: ErrorCode, status: number): Outcome {
  const outcome = failureOutcomes[code]
  return outcome === 'denied' && status >= 300 && status < 400 ? 'redirected' : outcome
}

const failureOutcomes: Readonly<Record<ErrorCode, Outcome>> = {
  bad_request: 'bad_request',
  csrf_invalid: 'denied',
  unauthorized: 'denied',
  forbidden: 'denied',
  csrf_unbound: 'denied',
  not_found: 'not_found',
  no_rule: 'not_found',
  unknown_resource: 'not_found',
  method_not_allowed: 'bad_request',
  request_timeout: 'bad_request',
  conflict: 'bad_request',
  gone: 'bad_request',
  payload_too_large: 'bad_request',
  unsupported_media_type: 'bad_request',
  expectation_failed: 'bad_request',
  upgrade_required: 'bad_request',
  too_many_requests: 'rate_limited',
  headers_too_large: 'bad_request',
  internal_error: 'internal_error',
  several_rules: 'internal_error',
  upstream_unreachable: 'upstream_error',
  upstream_invalid: 'upstream_error',
  store_unavailable: 'store_unavailable',
  service_unavailable: 'upstream_error',
  overloaded: 'overloaded',
  upstream_timeout: 'upstream_error',
}
