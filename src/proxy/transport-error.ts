/** What a failed exchange with an upstream is called: the one place where Node's errors become ours. */
import { GatewayError, type ErrorCode } from '../errors.js'

const codes: Readonly<Record<string, ErrorCode>> = {
  ERR_INVALID_CHAR: 'upstream_invalid', // of what it sent as reason phrase or field value
  ERR_HTTP_INVALID_HEADER_VALUE: 'upstream_invalid',
  ERR_HTTP_INVALID_STATUS_CODE: 'upstream_invalid',
  ERR_INVALID_HTTP_TOKEN: 'upstream_invalid',
}

/** Whatever a transport throws or emits, as what the client is told. What went wrong is in `detail`, for the log. */
export function toUpstreamError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  if (!(thrown instanceof Error)) return new GatewayError('internal_error', { cause: thrown })

  const code = 'code' in thrown ? String(thrown.code) : ''
  return new GatewayError(errorCode(code), { detail: `${code || thrown.name}: ${thrown.message}`, cause: thrown })
}

function errorCode(code: string): ErrorCode {
  const known = codes[code]
  if (known !== undefined) return known
  if (code.startsWith('HPE_')) return 'upstream_invalid' // by Node's own parser, which reads answers to handshakes
  return code === '' ? 'internal_error' : 'upstream_unreachable'
}
