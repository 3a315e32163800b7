/** The head of an upstream's answer: status line and fields as RFC 9112 has them, and what they say of the body. */
import { GatewayError } from '../../errors.js'

/** Where the body ends: after so many bytes, with its last chunk, or with the connection. */
export type BodyEnd = number | 'last_chunk' | 'close'

export interface ResponseHead {
  readonly status: number
  /** May be empty; no control characters. */
  readonly reason: string
  /** Flat name-value pairs in their order and spelling, latin1. */
  readonly fields: readonly string[]
  /** 0 where the request's method or the status allows no body, whatever the fields say (RFC 9112 6.3). */
  readonly bodyEnd: BodyEnd
  /** Whether the upstream will take another request on this connection. */
  readonly keepAlive: boolean
  /** Milliseconds after which it hangs up on an idle connection, if it says so. */
  readonly idleMs: number | undefined
}

/** Answers of more fields than this are no answers (security S21). */
const maxFields = 500

const fieldLine = '[!#$%&\'*+.^_`|~0-9A-Za-z-]+:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n'
/** No obs-fold, no bare CR or LF, no NUL, no space before a colon: each has been two things to two parsers. */
const wholeHead = new RegExp(`^HTTP/1\\.[01] [1-9][0-9]{2}(?: [\\t\\x20-\\x7e\\x80-\\xff]*)?\\r\\n(?:${fieldLine})*$`)
const wholeField = new RegExp(`^${fieldLine}$`)

/** Reads a head, each line with its CRLF but without the empty one. Throws `upstream_invalid` for whatever could be read in two ways. */
export function parseResponseHead(text: string, method: string): ResponseHead {
  if (!wholeHead.test(text)) throw invalid('malformed response head')
  const lineEnd = text.indexOf('\r\n')
  const status = Number(text.slice(9, 12))
  const isOld = text.charCodeAt(7) === 0x30
  const fields: string[] = []
  let length: string | undefined
  let encoding: string | undefined
  let connection = ''
  let keepAliveField: string | undefined

  for (let at = lineEnd + 2; at < text.length;) {
    const colon = text.indexOf(':', at)
    const end = text.indexOf('\r\n', colon)
    const name = text.slice(at, colon)
    const value = trimmed(text, colon + 1, end)
    at = end + 2
    fields.push(name, value)

    switch (name.length) { // most names need not be looked at any closer
      case 10:
        if (isNamed(name, 'connection')) connection = connection === '' ? value : `${connection},${value}`
        else if (isNamed(name, 'keep-alive')) keepAliveField = value
        break
      case 14:
        if (!isNamed(name, 'content-length')) break
        if (length !== undefined) throw invalid('repeated Content-Length')
        length = framingValue(text, colon, end, value)
        break
      case 17:
        if (!isNamed(name, 'transfer-encoding')) break
        if (encoding !== undefined) throw invalid('repeated Transfer-Encoding')
        encoding = framingValue(text, colon, end, value)
        break
    }
  }
  if (fields.length > 2 * maxFields) throw invalid('too many response header fields')

  const framed = framing(length, encoding, isOld)
  const hasNone = method === 'HEAD' || status === 204 || status === 304
  return {
    status, fields, reason: text.slice(13, lineEnd), bodyEnd: hasNone ? 0 : framed,
    keepAlive: (hasNone || framed !== 'close') && persists(connection, isOld),
    idleMs: keepAliveField === undefined ? undefined : idleLimit(keepAliveField),
  }
}

/** Whether this is one field, with its CRLF, of a trailer section; those that frame a message have no place there (RFC 9110 6.5.1). */
export function isTrailerField(line: string): boolean {
  return wholeField.test(line) && !/^(?:content-length|transfer-encoding):/i.test(line)
}

/** What a malformed answer is; `detail` is for the log. */
export function invalid(detail: string): GatewayError {
  return new GatewayError('upstream_invalid', { detail })
}

/** Tabs around it are allowed, and refused by some. */
function framingValue(text: string, colon: number, end: number, value: string): string {
  if (text.slice(colon, end).includes('\t')) throw invalid('a tab in a field that frames the message')
  return value
}

/** RFC 9112 6.3, without anything that it merely allows: both fields, another encoding than chunked alone, a list of lengths. */
function framing(length: string | undefined, encoding: string | undefined, isOld: boolean): BodyEnd {
  if (encoding !== undefined) {
    if (length !== undefined) throw invalid('both Content-Length and Transfer-Encoding')
    if (isOld || encoding.toLowerCase() !== 'chunked') throw invalid('unsupported Transfer-Encoding')
    return 'last_chunk'
  }
  if (length === undefined) return 'close'
  if (!/^[0-9]{1,15}$/.test(length)) throw invalid('malformed Content-Length')
  return Number(length)
}

/** RFC 9112 9.3. */
function persists(connection: string, isOld: boolean): boolean {
  if (connection === '') return !isOld
  return !/(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(connection) && (!isOld || /(?:^|,)[ \t]*keep-alive[ \t]*(?:,|$)/i.test(connection))
}

function idleLimit(value: string): number | undefined {
  const seconds = /(?:^|[,;\s])timeout=([0-9]{1,6})(?:$|[,;\s])/i.exec(value)?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1000
}

function isNamed(name: string, lower: string): boolean {
  return name === lower || name.toLowerCase() === lower
}

/** The text between two places without the space and tab around it. */
function trimmed(text: string, from: number, to: number): string {
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
