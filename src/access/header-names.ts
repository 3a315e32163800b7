/** Names of header fields in configuration. */
import { ConfigMistake } from './config-mistake.js'
import type { Path } from './rule-source.js'

/** What frames the message or belongs to one connection is never a rule's to say or pass on. */
export const connectionFields: ReadonlySet<string> = new Set([
  'connection', 'content-length', 'expect', 'host', 'http2-settings', 'keep-alive', 'proxy-authenticate', 'proxy-authorization',
  'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
])

/** Whether a field of this name speaks for a proxy in front; of anybody else it is a lie (security H6). */
export function isForwardingField(lowerName: string): boolean {
  return /^(?:x-forwarded|x-original-|forwarded$|x-real-ip$|x-rewrite-url$|x-http-method-override$)/.test(lowerName)
}

/** Whether a text is a token (RFC 9110 5.6.2). */
export function isFieldName(name: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)
}

/** The name in lower case. Throws `ConfigMistake` for one that no rule can set. */
export function settableName(name: string, path: Path): string {
  const lower = name.toLowerCase()
  if (!isFieldName(name)) throw new ConfigMistake(path, `"${name}" is no name of a header field`)
  if (connectionFields.has(lower) || lower === '__proto__') throw new ConfigMistake(path, `"${name}" can not be set by a rule`)
  return lower
}
