/** A request that nobody sent: what an operator asks about on the command line, read like one that came in. */
import type { IncomingHttpHeaders } from 'node:http'

import { GatewayError } from '../errors.js'
import type { AccessRequest } from './access-request.js'
import { readHost } from './host.js'
import { readTarget } from './target.js'

/** Throws `bad_request` for what the gateway would refuse. `fields` are flat name-value pairs. */
export function imaginedRequest(method: string, url: string, fields: readonly string[], pathBytes: number): AccessRequest {
  const [, scheme, authority = '', rest = ''] = /^(https?):\/\/([^/?#]*)(.*)$/i.exec(url) ?? []
  const known = scheme?.toLowerCase() as 'http' | 'https' | undefined
  const host = known === undefined ? undefined : readHost(authority, known)
  if (known === undefined || host === undefined) {
    throw new GatewayError('bad_request', { reason: 'a request is asked about by its whole URL, such as https://example.org/path' })
  }

  const target = readTarget(rest.startsWith('/') ? rest : `/${rest}`, pathBytes)
  return {
    method, scheme: known, host,
    path: target.path,
    encodedSlashes: target.encodedSlashes,
    query: target.query,
    url: `${known}://${host}${target.path}`,
    headers: headersOf(['host', authority, ...fields]),
    rawHeaders: ['host', authority, ...fields],
    clientAddress: '127.0.0.1',
    peer: { address: '127.0.0.1', trusted: false },
    requestId: 'imagined',
  }
}

/** Repeated fields joined as Node does it, cookies with a semicolon. */
function headersOf(fields: readonly string[]): IncomingHttpHeaders {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>
  for (let at = 0; at < fields.length; at += 2) {
    const name = (fields[at] as string).toLowerCase()
    const value = fields[at + 1] as string
    const before = headers[name]
    headers[name] = before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`
  }
  return headers
}
