/** Text: Go's printing functions and sprig's strings. Lengths and cuts count UTF-8 bytes, as in Go. */
import { formatValue, sprint } from '../format.js'
import { fail, limitText, maxText } from '../limits.js'
import { sprintf } from '../printf.js'
import { quote } from '../quote.js'
import { isList, makeMap, wellFormed, type GoFunction, type Value } from '../values.js'
import { toText } from './logic.js'

/** unicode.IsSpace. */
const spaces = /[\t\n\v\f\r\x85\p{Z}]/gu

export const texts: Readonly<Record<string, GoFunction>> = {
  // Oathkeeper's own: exactly one argument, and nothing for nil.
  print: { parameters: ['any'], call: (value: Value) => value === null ? '' : formatValue(value) },
  printf: { parameters: ['string'], rest: 'any', call: (format: string, ...values: readonly Value[]) => sprintf(format, values) },
  println: { parameters: [], rest: 'any', call: (...values: readonly Value[]) => `${values.map(formatValue).join(' ')}\n` },

  lower: { parameters: ['string'], call: (text: string) => text.toLowerCase() },
  upper: { parameters: ['string'], call: (text: string) => text.toUpperCase() },
  trim: { parameters: ['string'], call: trimSpace },
  trimAll: { parameters: ['string', 'string'], call: trimAll },
  trimPrefix: { parameters: ['string', 'string'], call: trimPrefix },
  trimSuffix: { parameters: ['string', 'string'], call: trimSuffix },
  nospace: { parameters: ['string'], call: (text: string) => text.replace(spaces, '') },
  replace: { parameters: ['string', 'string', 'string'], call: replace },
  contains: { parameters: ['string', 'string'], call: (part: string, text: string) => text.includes(part) },
  hasPrefix: { parameters: ['string', 'string'], call: (part: string, text: string) => text.startsWith(part) },
  hasSuffix: { parameters: ['string', 'string'], call: (part: string, text: string) => text.endsWith(part) },
  repeat: { parameters: ['int', 'string'], call: repeat },
  trunc: { parameters: ['int', 'string'], call: trunc },
  substr: { parameters: ['int', 'int', 'string'], call: substr },
  cat: { parameters: [], rest: 'any', call: (...values: Value[]) => joinPresent(values, formatValue) },
  quote: { parameters: [], rest: 'any', call: (...values: Value[]) => joinPresent(values, value => quote(toText(value))) },
  squote: { parameters: [], rest: 'any', call: (...values: Value[]) => joinPresent(values, value => `'${formatValue(value)}'`) },
  toString: { parameters: ['any'] as const, call: toText },

  split: { parameters: ['string', 'string'], call: splitToMap },
  splitList: { parameters: ['string', 'string'], call: splitText },
  join: { parameters: ['string', 'any'], call: (separator: string, value: Value) => joinTexts(toStrings(value), separator) },
  toStrings: { parameters: ['any'], call: toStrings },

  html: { parameters: [], rest: 'any', call: (...values: readonly Value[]) => escapeHtml(printedTogether(values)) },
  js: { parameters: [], rest: 'any', call: (...values: readonly Value[]) => escapeScript(printedTogether(values)) },
  urlquery: { parameters: [], rest: 'any', call: (...values: readonly Value[]) => escapeQuery(printedTogether(values)) },
}

function joinPresent(values: readonly Value[], write: (value: Value) => string): string {
  return joinTexts(values.filter(isPresent).map(write), ' ')
}

function isPresent(value: Value): boolean {
  return value !== null && value !== undefined
}

function trimSpace(text: string): string {
  return trimWhere(text, character => character.search(spaces) === 0)
}

function trimAll(cut: string, text: string): string {
  const unwanted = new Set(cut)
  return trimWhere(text, character => unwanted.has(character))
}

function trimWhere(text: string, unwanted: (character: string) => boolean): string {
  const characters = [...text]
  let start = 0
  let end = characters.length
  while (start < end && unwanted(characters[start] as string)) start++
  while (end > start && unwanted(characters[end - 1] as string)) end--
  return characters.slice(start, end).join('')
}

function trimPrefix(cut: string, text: string): string {
  return text.startsWith(cut) ? text.slice(cut.length) : text
}

function trimSuffix(cut: string, text: string): string {
  return cut !== '' && text.endsWith(cut) ? text.slice(0, -cut.length) : text
}

function replace(old: string, fresh: string, text: string): string {
  const pieces = old === '' ? ['', ...text, ''] : text.split(old)
  return joinTexts(pieces, fresh)
}

function joinTexts(pieces: readonly string[], separator: string): string {
  const length = pieces.reduce((sum, piece) => sum + piece.length, separator.length * Math.max(0, pieces.length - 1))
  if (length > maxText) fail(`a text is longer than ${maxText} characters`)
  return pieces.join(separator)
}

function repeat(count: bigint, text: string): string {
  if (count < 0n) fail('strings: negative Repeat count')
  if (count * BigInt(text.length) > BigInt(maxText)) fail(`a text is longer than ${maxText} characters`)
  return text.repeat(text === '' ? 0 : Number(count))
}

function trunc(count: bigint, text: string): string {
  const length = BigInt(Buffer.byteLength(text))
  if (count < 0n && length + count > 0n) return byteSlice(text, length + count, length)
  return count >= 0n && length > count ? byteSlice(text, 0n, count) : text
}

function substr(start: bigint, end: bigint, text: string): string {
  const length = BigInt(Buffer.byteLength(text))
  const from = start < 0n ? 0n : start
  const to = start >= 0n && (end < 0n || end > length) ? length : end
  if (from > to || to > length || to < 0n) fail(`slice bounds out of range [${from}:${to}]`)
  return byteSlice(text, from, to)
}

/** Bytes of a text; halves of characters at the ends become U+FFFD. */
export function byteSlice(text: string, from: bigint, to: bigint): string {
  return Buffer.from(text).subarray(Number(from), Number(to)).toString()
}

function splitText(separator: string, text: string): string[] {
  return separator === '' ? [...text] : text.split(separator)
}

function splitToMap(separator: string, text: string): Value {
  return makeMap(splitText(separator, text).map((part, index) => [`_${index}`, part]))
}

function toStrings(value: Value): string[] {
  if (isList(value)) return value.filter(isPresent).map(toText)
  return isPresent(value) ? [toText(value)] : []
}

/** What the escaping functions escape. */
function printedTogether(values: readonly Value[]): string {
  return sprint(values.map(value => value ?? '<no value>'))
}

const htmlEscapes: Readonly<Record<string, string>> = {
  '\0': '\ufffd', '"': '&#34;', '\'': '&#39;', '&': '&amp;', '<': '&lt;', '>': '&gt;',
}

function escapeHtml(text: string): string {
  return limitText(text.replace(/[\0"'&<>]/g, character => htmlEscapes[character] as string))
}

function escapeScript(text: string): string {
  return limitText(text.replace(/[\\'"]|[<>&=\x00-\x1f]|[^\x00-\x7f]/gu, character => {
    if ('\\\'"'.includes(character)) return `\\${character}`
    if (/[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(character) && character > '\x7f') return character
    return `\\u${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')}`
  }))
}

function escapeQuery(text: string): string {
  const encoded = encodeURIComponent(wellFormed(text))
  return encoded.replace(/[!'()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`).replaceAll('%20', '+')
}
