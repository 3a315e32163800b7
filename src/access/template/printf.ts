/** Go's Sprintf, error forms such as `%!d(float64=3)` included. Widths from arguments (`%*d`, `%[1]d`) and `%#v` are not offered. */
import { exponentDigits, fixedDigits, shortDigits } from './floats.js'
import { formatValue, formatWith } from './format.js'
import { fail, limitText } from './limits.js'
import { quote } from './quote.js'
import { isTyped, typeName, type Value } from './values.js'

interface Directive {
  readonly flags: string
  readonly width: number
  readonly precision: number | undefined
  readonly verb: string
}

const directive = /%(?<flags>[#0+\- ]*)(?<width>\d*)(?:(?<point>\.)(?<precision>\d*))?(?<verb>[^]?)/gu

/** The format with its directives replaced by the values. Fails when the text gets too long. */
export function sprintf(format: string, values: readonly Value[]): string {
  let text = ''
  let position = 0
  let used = 0
  for (const match of format.matchAll(directive)) {
    text += format.slice(position, match.index)
    position = match.index + match[0].length
    const { verb = '', flags = '', width = '', point, precision = '' } = match.groups ?? {}
    if (verb === '') text += '%!(NOVERB)'
    else if (verb === '%') text += '%'
    else if (used >= values.length) text += `%!${verb}(MISSING)`
    else text += formatOne(makeDirective(flags, Number(width), point === undefined ? undefined : Number(precision), verb), values[used++])
    limitText(text)
  }
  return limitText(text + format.slice(position) + extra(values.slice(used)))
}

function makeDirective(flags: string, width: number, precision: number | undefined, verb: string): Directive {
  if (verb === '*' || verb === '[') fail(`printf: %${verb} is not offered`)
  if (verb === 'v' && flags.includes('#')) fail('printf: %#v is not offered')
  if (width > 1000 || (precision ?? 0) > 1000) fail('printf: a width or precision is over 1000')
  return { flags, width, precision, verb }
}

function extra(values: readonly Value[]): string {
  if (values.length === 0) return ''
  return `%!(EXTRA ${values.map(value => value === null ? '<nil>' : `${nameOf(value)}=${formatValue(value)}`).join(', ')})`
}

function formatOne(made: Directive, value: Value): string {
  if (made.verb === 'T') return pad(made, value === null ? '<nil>' : nameOf(value))
  if (value === null || value === undefined) return made.verb === 'v' ? pad(made, '<nil>') : `%!${made.verb}(<nil>)`
  return formatWith(value, scalar => formatScalar(made, scalar))
}

function formatScalar(made: Directive, value: Value): string {
  const text = written(made, value)
  if (text !== undefined) return text
  return `%!${made.verb}(${nameOf(value)}=${written({ ...made, verb: 'v' }, value) ?? ''})`
}

/** `undefined` when the verb does not fit the value. */
function written(made: Directive, value: Value): string | undefined {
  switch (typeof value) {
    case 'string': return writtenString(made, value)
    case 'boolean': return 'tv'.includes(made.verb) ? pad(made, String(value)) : undefined
    case 'bigint': return writtenInt(made, value)
    case 'number': return writtenFloat(made, value)
  }
  return undefined
}

function writtenString(made: Directive, value: string): string | undefined {
  const cut = made.precision === undefined ? value : [...value].slice(0, made.precision).join('')
  switch (made.verb) {
    case 'v': case 's': return pad(made, cut)
    case 'q': {
      const raw = made.flags.includes('#') && !/[`\x00-\x08\x0a-\x1f\x7f\ufeff]/.test(cut)
      return pad(made, raw ? `\`${cut}\`` : quote(cut, '"', made.flags.includes('+')))
    }
    case 'x': case 'X': return pad(made, hexBytes(made, Buffer.from(value).subarray(0, made.precision)))
  }
  return undefined
}

function hexBytes({ flags, verb }: Directive, bytes: Buffer): string {
  if (bytes.length === 0) return ''
  const spaced = flags.includes(' ')
  const prefix = flags.includes('#') ? '0x' : ''
  const pairs = bytes.toString('hex').match(/../g) as string[]
  const text = spaced ? pairs.map(pair => prefix + pair).join(' ') : prefix + pairs.join('')
  return verb === 'X' ? text.toUpperCase() : text
}

function writtenInt(made: Directive, value: bigint): string | undefined {
  switch (made.verb) {
    case 'v': case 'd': return integer(made, value, 10, '')
    case 'b': return integer(made, value, 2, '0b')
    case 'o': return integer(made, value, 8, '0')
    case 'x': return integer(made, value, 16, '0x')
    case 'X': return integer(made, value, 16, '0x').toUpperCase()
    case 'c': return pad(made, character(value))
    case 'q': return pad(made, quote(character(value), '\'', made.flags.includes('+')))
  }
  return undefined
}

function integer(made: Directive, value: bigint, base: number, prefix: string): string {
  const { flags, width, precision } = made
  if (precision === 0 && value === 0n) return ' '.repeat(width)
  const sign = value < 0n ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
  const zeros = precision ?? (padsZeros(made) ? width - sign.length : 0)
  const digits = (value < 0n ? -value : value).toString(base).padStart(zeros, '0')
  const prefixed = flags.includes('#') && !(base === 8 && digits.startsWith('0')) ? prefix + digits : digits
  return padSpaces(made, sign + prefixed)
}

function character(value: bigint): string {
  const valid = value >= 0n && value <= 0x10ffffn && (value < 0xd800n || value > 0xdfffn)
  return valid ? String.fromCodePoint(Number(value)) : '\ufffd'
}

function writtenFloat(made: Directive, value: number): string | undefined {
  const magnitude = Math.abs(value)
  const digits = floatDigits(made, magnitude)
  if (digits === undefined) return undefined
  const negative = value < 0 || Object.is(value, -0)
  const sign = negative ? '-' : made.flags.includes('+') ? '+' : made.flags.includes(' ') ? ' ' : ''
  if (!padsZeros(made)) return padSpaces(made, sign + digits)
  return sign + digits.padStart(made.width - sign.length, '0')
}

function floatDigits({ verb, precision }: Directive, magnitude: number): string | undefined {
  switch (verb) {
    case 'v': case 'g': return shortDigits(magnitude, precision)
    case 'G': return shortDigits(magnitude, precision).toUpperCase()
    case 'f': case 'F': return fixedDigits(magnitude, precision ?? 6)
    case 'e': return exponentDigits(magnitude, precision ?? 6)
    case 'E': return exponentDigits(magnitude, precision ?? 6).toUpperCase()
    case 'b': case 'x': case 'X': return fail(`printf: %${verb} of a float is not offered`)
  }
  return undefined
}

function padsZeros({ flags, width }: Directive): boolean {
  return width > 0 && flags.includes('0') && !flags.includes('-')
}

function pad(made: Directive, text: string): string {
  if (!padsZeros(made)) return padSpaces(made, text)
  return '0'.repeat(Math.max(0, made.width - [...text].length)) + text
}

function padSpaces({ flags, width }: Directive, text: string): string {
  const missing = ' '.repeat(Math.max(0, width - [...text].length))
  return flags.includes('-') ? text + missing : missing + text
}

function nameOf(value: Value): string {
  return isTyped(value) && value.entries === undefined ? `*${typeName(value)}` : typeName(value)
}
