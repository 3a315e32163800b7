/** What a failed exchange with an upstream is called: the one place where undici's and Node's errors become ours. */
import { GatewayError, type ErrorCode } from '../errors.js'

const codes: Readonly<Record<string, ErrorCode>> = {
  UND_ERR_HEADERS_TIMEOUT: 'upstream_timeout',
  UND_ERR_BODY_TIMEOUT: 'upstream_timeout',
  UND_ERR_HEADERS_OVERFLOW: 'upstream_invalid',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'upstream_invalid',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'upstream_invalid',
  ERR_INVALID_CHAR: 'upstream_invalid', // of what it sent as reason phrase or field value
  ERR_HTTP_INVALID_HEADER_VALUE: 'upstream_invalid',
  ERR_HTTP_INVALID_STATUS_CODE: 'upstream_invalid',
  ERR_INVALID_HTTP_TOKEN: 'upstream_invalid',
  UND_ERR_INVALID_ARG: 'internal_error', // of what we wanted to send
  UND_ERR_NOT_SUPPORTED: 'internal_error',
}

/** Why an exchange is given up that its client no longer waits for; nobody is told. */
export function clientGone(): Error {
  return Object.assign(new Error('the client went away'), { code: 'CLIENT_GONE' })
}

/** Whether this is what became of such an exchange. */
export function isClientGone(error: Error): boolean {
  return 'code' in error && error.code === 'CLIENT_GONE'
}

/** Whatever a transport throws or emits, as what the client is told. What went wrong is in `detail`, for the log. */
export function toUpstreamError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  if (!(thrown instanceof Error)) return new GatewayError('internal_error', { cause: thrown })

  const code = 'code' in thrown ? String(thrown.code) : ''
  return new GatewayError(errorCode(code, thrown), { detail: `${code || thrown.name}: ${thrown.message}`, cause: thrown })
}

function errorCode(code: string, { message, name }: Error): ErrorCode {
  const known = codes[code]
  if (known !== undefined) return known
  if (code.startsWith('HPE_') || name === 'HTTPParserError' || name === 'AssertionError') return 'upstream_invalid'
  if (message === 'bad response' || message === 'bad upgrade') return 'upstream_invalid'
  return code === '' ? 'internal_error' : 'upstream_unreachable'
}
