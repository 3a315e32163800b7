/** The request target, read by hand into its one canonical spelling; whatever two readers could read differently is refused. */
import { GatewayError } from '../errors.js'

export interface Target {
  /** What absolute-form says besides the path, as sent; absent for origin-form. */
  readonly absolute: { readonly scheme: 'http' | 'https', readonly authority: string } | undefined
  /** Canonical: begins with `/`, no dot segments, no empty segments but a trailing one, escapes in upper case. */
  readonly path: string
  /** Whether `path` holds `%2F` or `%5C`. */
  readonly encodedSlashes: boolean
  /** With its `?`, untouched; empty when there is none. */
  readonly query: string
}

/** Most targets: nothing to decode, to collapse or to refuse, so that the text is already canonical. */
const plain = /^(?=\/)(?:\/[\w~!$&'()*+,=:@-][\w~!$&'()*+,;=:@.-]*)*\/?(?:\?[!-"$-~]*)?$/

/** Reads `req.url` as design section 3 says. Throws `bad_request`; a path longer than `pathBytes` is one, too. */
export function readTarget(target: string, pathBytes: number): Target {
  if (plain.test(target)) return split(undefined, target, pathBytes)
  if (/[^!-~]/.test(target)) throw refusal('the request target may only hold printable ASCII')
  if (target.includes('#')) throw refusal('the request target must not hold a fragment')
  if (target.startsWith('/')) return split(undefined, target, pathBytes)

  const [, scheme, authority, rest] = /^(https?):\/\/([^/?]*)(.*)$/i.exec(target) ?? []
  if (scheme === undefined || authority === undefined || rest === undefined) {
    throw refusal('the request target must be a path or an http URL')
  }
  const absolute = { scheme: scheme.toLowerCase() as 'http' | 'https', authority }
  return split(absolute, rest.startsWith('/') ? rest : `/${rest}`, pathBytes)
}

function split(absolute: Target['absolute'], text: string, pathBytes: number): Target {
  const at = text.indexOf('?')
  const path = at === -1 ? text : text.slice(0, at)
  const query = at === -1 ? '' : text.slice(at)
  if (path.length > pathBytes) throw refusal('the path is too long')
  if (plain.test(path)) return { absolute, path, encodedSlashes: false, query }

  const canonical = canonicalPath(path)
  return { absolute, path: canonical, encodedSlashes: /%(?:2F|5C)/.test(canonical), query }
}

function canonicalPath(raw: string): string {
  if (raw.includes('\\')) throw refusal('the path must not hold a backslash')
  if (/%(?![0-9A-Fa-f]{2})/.test(raw)) throw refusal('the path holds a percent sign without two hexadecimal digits')
  if (/%(?:[01][0-9A-Fa-f]|7[Ff])/.test(raw)) throw refusal('the path holds an encoded control character')

  const path = raw.replace(/%[0-9A-Fa-f]{2}|["<>^`{|}]|\/{2,}/g, canonicalText)
  // On the canonical text: `%25%36%31` is `%61` to whoever decodes twice, just as `%2561` is.
  if (/%25[0-9A-Fa-f]{2}/.test(path)) throw refusal('the path is encoded twice')
  if (hasDotSegment(path)) throw refusal('the path must not hold dot segments')
  if (/%[89A-F]/.test(path) && !isUtf8(path)) throw refusal('the path is not valid UTF-8')
  return path
}

function canonicalText(text: string): string {
  if (text.startsWith('/')) return '/'
  if (!text.startsWith('%')) return `%${text.charCodeAt(0).toString(16).toUpperCase()}`

  const character = String.fromCharCode(parseInt(text.slice(1), 16))
  return /[A-Za-z0-9._~-]/.test(character) ? character : text.toUpperCase()
}

/**
 * Whether an upstream could see a `.` or `..` segment here: one that takes encoded slashes and backslashes for separators,
 * and one that cuts path parameters (`..;x`, Tomcat). A segment of parameters only (`/;x/`) would vanish for the latter.
 */
function hasDotSegment(path: string): boolean {
  const seen = path.includes('%') ? path.replace(/%(?:2F|5C)/g, '/').replaceAll('%3B', ';') : path
  return /\/(?:\.{1,2}(?:[/;]|$)|;)/.test(seen)
}

function isUtf8(escaped: string): boolean {
  try {
    decodeURIComponent(escaped)
    return true
  } catch {
    return false
  }
}

function refusal(reason: string): GatewayError {
  return new GatewayError('bad_request', { reason })
}
