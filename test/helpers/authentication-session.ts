/** Authentication sessions as handlers and templates get them, made from little. */
import type { AuthenticationSession } from '../../src/access/pipeline.js'
import type { AccessRequest } from '../../src/http/access-request.js'
import type { JsonObject } from '../../src/store/records.js'

export interface SessionParts {
  readonly subject?: string
  readonly extra?: JsonObject
  readonly header?: Readonly<Record<string, string>>
  readonly captures?: readonly string[]
  readonly method?: string
  /** `scheme://host/path?query`. */
  readonly url?: string
  /** Field lines of the request: names as sent, values in order. */
  readonly fields?: readonly (readonly [name: string, value: string])[]
}

export function authenticationSession(parts: SessionParts = {}): AuthenticationSession {
  return {
    subject: parts.subject ?? '',
    extra: parts.extra,
    header: parts.header ?? {},
    match: { ruleId: 'rule', captures: () => parts.captures ?? [], request: accessRequest(parts) },
  }
}

export function accessRequest({ method = 'GET', url = 'http://gateway.test/', fields = [] }: SessionParts = {}): AccessRequest {
  const [, scheme, host = '', path = '', query = ''] = /^(https?):\/\/([^/]*)(\/[^?]*)(\?.*)?$/.exec(url) ?? []
  const rawHeaders = [['Host', host] as const, ...fields]
  return {
    method,
    scheme: scheme === 'https' ? 'https' : 'http',
    host,
    path,
    encodedSlashes: /%(?:2f|5c)/i.test(path),
    query,
    url: `${scheme}://${host}${path}`,
    headers: joined(rawHeaders),
    rawHeaders: rawHeaders.flat(),
    clientAddress: '192.0.2.7',
    peer: { address: '192.0.2.7', trusted: false },
    requestId: '00000000-0000-4000-8000-000000000000',
  }
}

/** As Node joins repeated fields. */
function joined(fields: readonly (readonly [string, string])[]): AccessRequest['headers'] {
  const headers: Record<string, string> = {}
  for (const [name, value] of fields) {
    const key = name.toLowerCase()
    const before = headers[key]
    headers[key] = before === undefined ? value : `${before}${key === 'cookie' ? '; ' : ', '}${value}`
  }
  return headers
}
