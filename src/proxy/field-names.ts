/** What a header field is to a proxy, by its name in every spelling that an upstream could fold together (security H2). */

/** `plain` travels; the rest is dropped, rebuilt or looked at, each for its own reason. */
export type FieldKind =
  | 'plain'
  | 'hop' // RFC 9110 7.6.1, and what is between us and the client
  | 'forwarding' // claims about the original request, kept from trusted proxies only
  | 'rebuilt' // claims that we always make ourselves
  | 'alias' // another spelling of a field that decides how a message is read
  | 'host' | 'length' | 'connection' | 'cookie' | 'set-cookie' | 'cache-control'

export interface FieldName {
  readonly lower: string
  /** Lower-case letters and digits only: `X_User` and `x.user` are `xuser`. */
  readonly fold: string
  readonly kind: FieldKind
}

const exact: Readonly<Record<string, FieldKind>> = {
  host: 'host', 'content-length': 'length', connection: 'connection', cookie: 'cookie', 'set-cookie': 'set-cookie',
  'cache-control': 'cache-control',
}
const hop = /^(?:connection|keepalive|te|trailers?|transferencoding|upgrade|http2settings|expect|proxy.*)$/
const rebuilt = /^xforwarded(?:for|host|proto)$|^xrequestid$/
const forwarding = /^(?:xforwarded.*|forwarded|xrealip|xoriginal.*|xrewriteurl|xhttpmethod(?:override)?|xmethodoverride)$/
const alias = /^(?:host|contentlength)$/

/** Names repeat from request to request; the bound is for those who make up new ones. */
const known = new Map<string, FieldName>()
const maxKnown = 2000

/** What there is to know of a name as sent. */
export function fieldName(name: string): FieldName {
  const found = known.get(name)
  if (found !== undefined) return found

  const lower = name.toLowerCase()
  const fold = foldName(name)
  const read = { lower, fold, kind: Object.hasOwn(exact, lower) ? exact[lower] as FieldKind : kindOf(fold) }
  if (name.length <= 64) {
    if (known.size >= maxKnown) known.clear()
    known.set(name, read)
  }
  return read
}

/** A header name without case and without everything that upstreams have been seen to drop or to replace. */
export function foldName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}

function kindOf(fold: string): FieldKind {
  if (hop.test(fold)) return 'hop'
  if (rebuilt.test(fold)) return 'rebuilt'
  if (forwarding.test(fold)) return 'forwarding'
  return alias.test(fold) ? 'alias' : 'plain'
}
