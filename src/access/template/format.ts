/** Values as text the way Go's fmt prints them with `%v`: `map[a:1 b:2]`, `[x <nil>]`, `1.7e+09`. */
import { limitText } from './limits.js'
import { isList, isTyped, mapOf, sortedKeys, type Value } from './values.js'

/** What an action prints: like `%v`, but a value that is not there at all is `<no value>`. */
export function printed(value: Value): string {
  return value === undefined ? '<no value>' : formatValue(value)
}

/** `%v`. Fails when the text gets too long. */
export function formatValue(value: Value): string {
  return formatWith(value, formatScalar)
}

/** Lists and maps in Go's brackets, with another way of writing what is in them. */
export function formatWith(value: Value, scalar: (value: Value) => string): string {
  const inside = (item: Value) => item === undefined || item === null ? '<nil>' : formatWith(item, scalar)
  if (isList(value)) return `[${joinLimited(value, inside)}]`
  if (isTyped(value) && value.text !== undefined) return scalar(value.text())
  const map = mapOf(value)
  if (map !== undefined) return `map[${joinLimited(sortedKeys(map), key => `${scalar(key)}:${inside(map[key])}`)}]`
  if (isTyped(value)) return `{${joinLimited([...value.fields?.values() ?? []], field => inside(field()))}}`
  return scalar(value)
}

/** `fmt.Sprint`: operands next to each other, with a space where neither is a string. */
export function sprint(values: readonly Value[]): string {
  let text = ''
  for (const [index, value] of values.entries()) {
    const spaced = index > 0 && typeof value !== 'string' && typeof values[index - 1] !== 'string'
    text = limitText(text + (spaced ? ' ' : '') + formatValue(value))
  }
  return text
}

/** Shortest digits; with an exponent when it is below -4 or above 5, always signed and of two digits at least. */
export function formatFloat(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
  const [digits, exponent] = value.toExponential().split('e') as [string, string]
  const power = Number(exponent)
  if (power >= -4 && power < 6) return String(value)
  return `${digits}e${goExponent(power)}`
}

/** `+06`, `-05`, `+123`. */
export function goExponent(power: number): string {
  return (power < 0 ? '-' : '+') + String(Math.abs(power)).padStart(2, '0')
}

function formatScalar(value: Value): string {
  if (value === undefined || value === null) return '<nil>'
  return typeof value === 'number' ? formatFloat(value) : String(value as string | boolean | bigint)
}

function joinLimited<T>(items: readonly T[], write: (item: T) => string): string {
  let text = ''
  for (const [index, item] of items.entries()) text = limitText(text + (index > 0 ? ' ' : '') + write(item))
  return text
}
