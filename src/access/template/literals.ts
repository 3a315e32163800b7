/** What Go's literals mean: numbers, quoted strings, characters. */

const escapes: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\' }
const escape = /\\(?:([abfnrtv\\])|(["'])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y

const int = /^[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)$/
const float = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/

/** A `bigint` for an int literal, a `number` for a float; `undefined` when it is neither, or out of range. */
export function parseNumber(text: string): bigint | number | undefined {
  if (int.test(text)) {
    const value = parseInteger(text)
    return BigInt.asIntN(64, value) === value ? value : undefined
  }
  const value = float.test(text) && /[.eE]/.test(text) ? Number(text) : NaN
  return Number.isFinite(value) ? value : undefined
}

/** What a string in double quotes or back quotes says; `undefined` when an escape makes no sense. */
export function unquote(text: string): string | undefined {
  if (text.startsWith('`')) return text.slice(1, -1).replaceAll('\r', '')
  return unescape(text.slice(1, -1), '"')
}

/** The code point that a character constant stands for, which is an int in Go; `undefined` when it is not one character. */
export function parseCharacter(text: string): bigint | undefined {
  const characters = [...unescape(text.slice(1, -1), '\'') ?? '']
  return characters.length === 1 ? BigInt((characters[0] as string).codePointAt(0) as number) : undefined
}

function parseInteger(text: string): bigint {
  const digits = text.replaceAll('_', '').replace(/^[+-]/, '')
  const value = BigInt(/^0[0-7]/.test(digits) ? `0o${digits}` : digits)
  return text.startsWith('-') ? -value : value
}

/** `\x` and octal escapes stand for bytes, so the text is put together as bytes. */
function unescape(text: string, quote: string): string | undefined {
  if (!text.includes('\\')) return text
  const bytes: Buffer[] = []
  let position = 0
  while (position < text.length) {
    const next = text.indexOf('\\', position)
    const end = next === -1 ? text.length : next
    bytes.push(Buffer.from(text.slice(position, end)))
    if (next === -1) break

    escape.lastIndex = next
    const match = escape.exec(text)
    const piece = match === null ? undefined : unescaped(match, quote)
    if (match === null || piece === undefined) return undefined
    bytes.push(piece)
    position = next + match[0].length
  }
  return Buffer.concat(bytes).toString()
}

function unescaped([, simple, quoted, hex, octal, short, long]: RegExpExecArray, quote: string): Buffer | undefined {
  if (simple !== undefined) return Buffer.from(escapes[simple] as string)
  if (quoted !== undefined) return quoted === quote ? Buffer.from(quoted) : undefined
  if (hex !== undefined) return Buffer.of(parseInt(hex, 16))
  if (octal !== undefined) return parseInt(octal, 8) > 255 ? undefined : Buffer.of(parseInt(octal, 8))
  const code = parseInt(short ?? long ?? '', 16)
  const isCharacter = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
  return isCharacter ? Buffer.from(String.fromCodePoint(code)) : undefined
}
