/** The head of a request to an upstream, as the bytes that go out. */
import { GatewayError } from '../../errors.js'

/** How long the body is: so many bytes, as long as its chunks, or there is none. */
export type BodyLength = number | 'chunked' | undefined

/** Methods whose requests say `Content-Length: 0` when they have no body (RFC 9110 8.6). */
const usuallyHaveBody = new Set(['POST', 'PUT', 'PATCH', 'QUERY', 'PROPFIND', 'PROPPATCH'])

/**
 * For a `latin1` write. `fields` are flat name-value pairs, `host` first, without framing and hop-by-hop fields. Whoever made the parts has
 * checked them; a part that would be more than itself on the wire is `internal_error` all the same.
 */
export function requestHead(method: string, target: string, fields: readonly string[], keepAlive: boolean, length: BodyLength): string {
  if (!/^[A-Z-]+$/.test(method) || !/^[!-~]+$/.test(target)) throw unfit('request line')
  let text = `${method} ${target} HTTP/1.1\r\n`
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] as string
    const value = fields[at + 1] as string
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw unfit('field name')
    // In latin1 a character beyond it would go out as another: U+010A as LF.
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) throw unfit(name)
    text += `${name}: ${value}\r\n`
    if (at === 0) text += keepAlive ? 'connection: keep-alive\r\n' : 'connection: close\r\n'
  }
  if (length === 'chunked') return `${text}transfer-encoding: chunked\r\n\r\n`
  if (length !== undefined && length > 0) return `${text}content-length: ${length}\r\n\r\n`
  return usuallyHaveBody.has(method) ? `${text}content-length: 0\r\n\r\n` : `${text}\r\n`
}

function unfit(what: string): GatewayError {
  return new GatewayError('internal_error', { detail: `not to be sent to an upstream: ${what}` })
}
