/** Every way in which the gateway itself refuses or fails a request: one table, one error class. */

const errors = {
  bad_request: [400, 'The request was malformed or contained invalid parameters'],
  csrf_invalid: [400, 'The request was malformed or contained invalid parameters'],
  unauthorized: [401, 'The request could not be authorized'],
  forbidden: [403, 'The requested action was forbidden'],
  csrf_unbound: [403, 'The requested action was forbidden'],
  not_found: [404, 'The requested resource could not be found'],
  no_rule: [404, 'Requested url does not match any rules'],
  unknown_resource: [404, 'Unable to locate the resource'],
  method_not_allowed: [405, 'The method is not allowed for the requested resource'],
  request_timeout: [408, 'The request did not arrive in time'],
  conflict: [409, 'Unable to insert or update resource because a resource with that value exists already'],
  gone: [410, 'The requested resource is no longer available'],
  payload_too_large: [413, 'The request body is larger than allowed'],
  unsupported_media_type: [415, 'The content type of the request is not supported'],
  expectation_failed: [417, 'The expectation of the request can not be met'],
  upgrade_required: [426, 'The requested protocol upgrade is not supported'],
  too_many_requests: [429, 'Too many requests'],
  headers_too_large: [431, 'The request has too many or too large header fields'],
  internal_error: [500, 'An internal server error occurred, please contact the system administrator'],
  several_rules: [500, 'Expected exactly one rule but found multiple rules'],
  upstream_unreachable: [502, 'The upstream service can not be reached'],
  upstream_invalid: [502, 'The upstream service sent an invalid response'],
  store_unavailable: [503, 'The service is temporarily unavailable, please try again later'],
  service_unavailable: [503, 'The upstream service is not available'],
  overloaded: [503, 'The service is busy, please try again later'],
  upstream_timeout: [504, 'The upstream service is timing out'],
} as const satisfies Record<string, readonly [status: number, message: string]>

/** A stable name for a failure; programs match on it, wording may change. */
export type ErrorCode = keyof typeof errors

/** All codes with the status and the public sentence they answer with; the README's error table is made from it. */
export const errorTable: Readonly<Record<ErrorCode, readonly [status: number, message: string]>> = errors

/** Header fields of failures that pass by themselves, unless whoever throws knows better (security X1). */
const usualHeaders: Readonly<Partial<Record<ErrorCode, Readonly<Record<string, string>>>>> = {
  store_unavailable: { 'Retry-After': '1' },
  overloaded: { 'Retry-After': '1' },
}

/** An answer made by the gateway itself. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What a `GatewayError` may carry besides its code. */
export interface GatewayErrorOptions {
  /** Said to the client as `reason`: what was wrong with this request and what to do. Never a secret. */
  readonly reason?: string | undefined
  /** For the log only. */
  readonly detail?: string | undefined
  /** Header fields of the answer, such as `Retry-After` or `Allow`; absent: the usual ones of the code, if there are any. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Said to clients as `details` where a handler's contract has such a member. */
  readonly details?: Readonly<Record<string, unknown>> | undefined
  /** How the matched rule wants this failure answered; absent when no rule has a say. Never throws. */
  readonly answer?: (() => Answer) | undefined
  readonly cause?: unknown
}

/** A request that the gateway refuses or fails. `message` is public, `detail` is for the log. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly code: ErrorCode
  readonly status: number
  readonly reason: string | undefined
  readonly detail: string | undefined
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined
  readonly answer: (() => Answer) | undefined

  constructor(code: ErrorCode, options: GatewayErrorOptions = {}) {
    const [status, message] = errors[code]
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = status
    this.reason = options.reason
    this.detail = options.detail
    this.headers = options.headers ?? usualHeaders[code]
    this.details = options.details
    this.answer = options.answer
  }
}

/** What a thrown value amounts to for a client: itself, or `internal_error` with the value as its cause. */
export function toGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  return new GatewayError('internal_error', { cause: thrown })
}

/**
 * The same failure, to be answered by `answer` (a rule's compiled `answerError`): what decision and forwarder do to an
 * error they let through, so that whoever writes the answer need not know rules. Makes a new error, since the thrown one
 * may be shared; an answer that it already has stays.
 */
export function withAnswer(thrown: unknown, answer: (error: GatewayError) => Answer): GatewayError {
  const error = toGatewayError(thrown)
  if (error.answer !== undefined) return error

  const { code, reason, detail, headers, details, cause } = error
  const answered = new GatewayError(code, { reason, detail, headers, details, cause, answer: () => answer(error) })
  if (error.stack !== undefined) answered.stack = error.stack
  return answered
}
