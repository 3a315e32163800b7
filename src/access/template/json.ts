/** JSON as Go writes it: keys sorted, `<`, `>` and `&` escaped. */
import { fail, limitText } from './limits.js'
import { isList, isTyped, nilList, nilMap, sortedKeys, wellFormed, type Value } from './values.js'

interface Style {
  readonly escapeHtml: boolean
  /** One step of indentation; empty for none. */
  readonly indent: string
}

/** `toJson`. Fails when the text gets too long. */
export function toJson(value: Value, { escapeHtml = true, indent = '' }: Partial<Style> = {}): string {
  return write(value, { escapeHtml, indent }, '\n')
}

/** `fromJson`: null for text that is not JSON. */
export function fromJson(text: string): Value {
  try {
    return JSON.parse(text) as Value
  } catch {
    return null
  }
}

function write(value: Value, style: Style, newline: string): string {
  switch (typeof value) {
    case 'string': return writeString(value, style)
    case 'number': return Number.isFinite(value) ? Object.is(value, -0) ? '-0' : String(value) : fail('json: unsupported value')
    case 'bigint': case 'boolean': return String(value)
  }
  if (value === undefined || value === null || value === nilMap || value === nilList) return 'null'
  if (isTyped(value)) return write(value.document(), style, newline)
  if (isList(value)) return brackets('[', value, ']', style, newline, (item, inner) => write(item, style, inner))
  const colon = style.indent === '' ? ':' : ': '
  return brackets('{', sortedKeys(value), '}', style, newline, (key, inner) => {
    return writeString(key, style) + colon + write(value[key], style, inner)
  })
}

function brackets<T>(
  open: string, items: readonly T[], close: string, style: Style, newline: string, writeItem: (item: T, newline: string) => string,
): string {
  if (items.length === 0) return open + close
  const inner = newline + style.indent
  const lineBreak = style.indent === '' ? '' : inner
  let text = open
  for (const [index, item] of items.entries()) text = limitText(text + (index > 0 ? ',' : '') + lineBreak + writeItem(item, inner))
  return text + (style.indent === '' ? '' : newline) + close
}

function writeString(text: string, style: Style): string {
  const json = JSON.stringify(wellFormed(text))
  const risky = style.escapeHtml ? /[<>&\u2028\u2029]/g : /[\u2028\u2029]/g
  return limitText(json.replace(risky, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`))
}

