/** Literal text of patterns, brought into the form that canonical URLs have it in (see `http/access-request.ts`). */
import { domainToASCII } from 'node:url'

import { PatternError, type Node, literal } from './syntax-tree.js'

const defaultPorts: Readonly<Record<string, string>> = { 'http://': ':80', 'https://': ':443' }
const unreserved = /^[A-Za-z0-9._~-]$/
const escape = /^%[0-9A-Fa-f]{2}/
/** What a canonical path never holds unencoded, besides what is not ASCII. */
const encoded = /[^!$-;=?-Z[\]_a-z~]/

/**
 * Path text as it is compared: escapes of unreserved characters decoded, others upper-case, what no path holds raw
 * percent-encoded. `offset` is where the text stands in the pattern.
 */
export function canonicalPathText(text: string, offset: number): string {
  let canonical = ''
  for (let at = 0; at < text.length;) {
    const char = String.fromCodePoint(text.codePointAt(at) as number)
    if (char !== '%') {
      canonical += canonicalChar(char)
      at += char.length
      continue
    }
    const found = escape.exec(text.slice(at, at + 3))?.[0]
    if (found === undefined) throw new PatternError('A "%" in a URL is followed by two hexadecimal digits', offset + at)
    canonical += canonicalEscape(found)
    at += 3
  }
  return canonical
}

/** `%61` is `a`; `%2f` is `%2F`. */
export function canonicalEscape(found: string): string {
  const char = String.fromCharCode(parseInt(found.slice(1), 16))
  return unreserved.test(char) ? char : found.toUpperCase()
}

/** One character (code point) of a path as canonical paths have it. */
export function canonicalChar(char: string): string {
  if (char === '%') return char
  if (!encoded.test(char)) return char
  return [...new TextEncoder().encode(char)].map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
}

/** The nodes of one canonical character: three and more when it is percent-encoded. */
export function charNode(char: string): Node {
  const text = canonicalChar(char)
  const node = literal(text)
  return node.kind === 'sequence' && node.items.length === 1 ? node.items[0] as Node : node
}

/** The end of a host, or all of it: lower-case, ASCII, without trailing dot and the port that `scheme` (`http://`) has anyway. */
export function canonicalHost(text: string, scheme: string, offset: number): string {
  const [, name = '', port = ''] = /^(.*?)(:[0-9]*)?$/.exec(text.toLowerCase()) ?? []
  const ascii = /^[\x21-\x7e]*$/.test(name) ? name : domainToASCII(name)
  if (name !== '' && ascii === '') throw new PatternError(`"${name}" is no host name`, offset)
  const dropped = port === ':' || port === (defaultPorts[scheme.toLowerCase()])
  return ascii.replace(/\.$/, '') + (dropped ? '' : port)
}
