/** JSON, base64 and regular expressions. Expressions run in linear time (RE2), whatever the rule author writes. */
import { RE2JS } from 're2js'

import { fail, limitText } from '../limits.js'
import { fromJson, toJson } from '../json.js'
import type { GoFunction, Value } from '../values.js'

export const encodings: Readonly<Record<string, GoFunction>> = {
  toJson: { parameters: ['any'], call: (value: Value) => toJson(value) },
  toRawJson: { parameters: ['any'], call: (value: Value) => toJson(value, { escapeHtml: false }) },
  toPrettyJson: { parameters: ['any'], call: (value: Value) => toJson(value, { indent: '  ' }) },
  fromJson: { parameters: ['string'], call: fromJson },
  b64enc: { parameters: ['string'], call: (text: string) => Buffer.from(text).toString('base64') },
  b64dec: { parameters: ['string'], call: decodeBase64 },

  regexMatch: { parameters: ['string', 'string'], call: (pattern: string, text: string) => compile(pattern).matcher(text).find() },
  regexFind: { parameters: ['string', 'string'], call: regexFind },
  regexReplaceAll: { parameters: ['string', 'string', 'string'], call: regexReplaceAll },
}

/** Patterns are nearly always literals, so few are ever compiled. */
const compiled = new Map<string, RE2JS>()

function compile(pattern: string): RE2JS {
  const known = compiled.get(pattern)
  if (known !== undefined) return known
  const made = compileNew(pattern)
  if (compiled.size >= 100) compiled.clear()
  compiled.set(pattern, made)
  return made
}

function compileNew(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern)
  } catch (cause) {
    return fail(`regexp: ${cause instanceof Error ? cause.message : 'invalid'}`)
  }
}

function regexFind(pattern: string, text: string): string {
  const matcher = compile(pattern).matcher(text)
  return matcher.find() ? matcher.group() ?? '' : ''
}

/** `$1`, `${1}` and `${name}` in the replacement, as in Go: `$1x` is the group named `1x`. */
function regexReplaceAll(pattern: string, text: string, replacement: string): string {
  const expression = compile(pattern)
  const groups = expression.namedGroups() as Record<string, number>
  const matcher = expression.matcher(text)
  let result = ''
  let position = 0
  while (matcher.find()) {
    result += text.slice(position, matcher.start()) + replacement.replace(/\$(?:(\$)|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu, expand)
    position = matcher.end()
    limitText(result)
  }
  return result + text.slice(position)

  function expand(_: string, dollar: string | undefined, bare: string | undefined, braced: string | undefined): string {
    if (dollar !== undefined) return '$'
    const name = bare ?? braced ?? ''
    const number = /^[0-9]+$/.test(name) ? Number(name) : Object.hasOwn(groups, name) ? groups[name] as number : -1
    return number >= 0 && number <= matcher.groupCount() ? matcher.group(number) ?? '' : ''
  }
}

/** Text that is not base64 gives the error's text, as sprig does. */
function decodeBase64(text: string): string {
  const digits = text.replace(/[\r\n]/g, '')
  const valid = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(digits)
  if (valid) return Buffer.from(digits, 'base64').toString()
  const illegal = digits.search(/[^A-Za-z0-9+/]/)
  return `illegal base64 data at input byte ${illegal === -1 ? digits.length - digits.length % 4 : illegal}`
}
