/** What Node's parser lets through and a gateway must not (security 6.1): framing, versions, methods, expectations. */
import type { IncomingMessage, ServerResponse } from 'node:http'

import { GatewayError } from '../errors.js'

/** RFC 9110, QUERY and WebDAV with its relatives. Not TRACE and CONNECT, not cache purging, not UPnP. */
const methods = new Set([
  'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY',
  'ACL', 'BIND', 'CHECKOUT', 'COPY', 'LINK', 'LOCK', 'MERGE', 'MKACTIVITY', 'MKCALENDAR', 'MKCOL', 'MOVE', 'PROPFIND',
  'PROPPATCH', 'REBIND', 'REPORT', 'SEARCH', 'UNBIND', 'UNLINK', 'UNLOCK',
])

/**
 * Refuses what could be framed differently behind the gateway (security S4, S5, S8, S9, S15, S16, S18). Throws `bad_request`,
 * `method_not_allowed`, `expectation_failed` or `headers_too_large`; the connection is not to be used again after any of them.
 */
export function checkFraming(req: IncomingMessage, limits: { readonly headerFields: number }): void {
  // Counted before anything is believed: past 2000 fields Node 20 drops some, CVE-2026-58044.
  if (req.rawHeaders.length > 2 * limits.headerFields) throw closing('headers_too_large', 'the request has too many header fields')
  if (req.httpVersion !== '1.1' && req.httpVersion !== '1.0') throw closing('bad_request', 'the HTTP version is not supported')
  if (!methods.has(req.method ?? '')) { // 405 has to say what is allowed (RFC 9110 section 15.5.6)
    throw closing('method_not_allowed', 'the method is not supported', { Allow: [...methods].join(', ') })
  }

  const { 'transfer-encoding': encoding, expect } = req.headers
  if (encoding !== undefined) {
    if (encoding.toLowerCase() !== 'chunked') throw closing('bad_request', 'the transfer encoding must be chunked alone')
    if (req.httpVersion === '1.0') throw closing('bad_request', 'HTTP/1.0 has no transfer encodings')
  }
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    throw closing('expectation_failed', 'only the expectation 100-continue is supported')
  }
}

/** Whether the request head announces a body, be it empty in the end. `Content-Length: 0` announces none. */
export function hasBody(req: IncomingMessage): boolean {
  const { 'transfer-encoding': encoding, 'content-length': length } = req.headers
  return encoding !== undefined || (length !== undefined && Number(length) !== 0)
}

/**
 * Upstreams that ignore the body of such a request take it for the next one (CL.0, security S25). Throws `bad_request`.
 */
export function refuseBodyOnSafeMethod(req: IncomingMessage): void {
  if (req.method !== 'GET' && req.method !== 'HEAD' && req.method !== 'OPTIONS') return
  if (hasBody(req)) throw closing('bad_request', `a ${req.method} request must not have a body`)
}

/** Tells a client that waits with its body to send it. To be called once it is decided that the body is wanted (security S18). */
export function inviteBody(req: IncomingMessage, res: ServerResponse): void {
  if (req.headers.expect === undefined || req.httpVersion === '1.0' || res.headersSent) return
  res.writeContinue()
}

function closing(
  code: 'bad_request' | 'method_not_allowed' | 'expectation_failed' | 'headers_too_large', reason: string, headers: Readonly<Record<string, string>> = {},
): GatewayError {
  return new GatewayError(code, { reason, headers: { connection: 'close', ...headers } })
}
