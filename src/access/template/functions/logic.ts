/** Go's comparisons and truth, and sprig's defaults. */
import { formatValue } from '../format.js'
import { fail } from '../limits.js'
import { compareUtf8, isList, isMap, isNil, isTrue, isTyped, mapOf, typeName, type GoFunction, type Value } from '../values.js'

export const logic: Readonly<Record<string, GoFunction>> = {
  and: { parameters: ['any'], rest: 'any', stopsAt: false, call: (...values: readonly Value[]) => values.at(-1) },
  or: { parameters: ['any'], rest: 'any', stopsAt: true, call: (...values: readonly Value[]) => values.at(-1) },
  not: { parameters: ['any'], call: (value: Value) => !isTrue(value) },

  eq: { parameters: ['any'], rest: 'any', call: equalsAny },
  ne: { parameters: ['any', 'any'], call: (left: Value, right: Value) => !equals(left, right) },
  lt: { parameters: ['any', 'any'], call: (left: Value, right: Value) => less(left, right) },
  le: { parameters: ['any', 'any'], call: (left: Value, right: Value) => less(left, right) || equals(left, right) },
  gt: { parameters: ['any', 'any'], call: (left: Value, right: Value) => !(less(left, right) || equals(left, right)) },
  ge: { parameters: ['any', 'any'], call: (left: Value, right: Value) => !less(left, right) },

  default: { parameters: ['any'], rest: 'any', call: (fallback: Value, given?: Value) => isTrue(given) ? given : fallback },
  empty: { parameters: ['any'], call: (value: Value) => !isTrue(value) },
  coalesce: { parameters: [], rest: 'any', call: (...values: readonly Value[]) => values.find(isTrue) ?? null },
  all: { parameters: [], rest: 'any', call: (...values: readonly Value[]) => values.every(isTrue) },
  any: { parameters: [], rest: 'any', call: (...values: readonly Value[]) => values.some(isTrue) },
  ternary: { parameters: ['any', 'any', 'bool'], call: (yes: Value, no: Value, which: boolean) => which ? yes : no },
  fail: { parameters: ['string'], call: (message: string) => fail(message) },

  kindOf: { parameters: ['any'], call: kindOf },
  kindIs: { parameters: ['string', 'any'], call: (kind: string, value: Value) => kindOf(value) === kind },
  deepEqual: { parameters: ['any', 'any'], call: deepEqual },
}

/** Go's reflect.DeepEqual. An int is never equal to a float. Fails when there is too much to compare. */
export function deepEqual(left: Value, right: Value): boolean {
  let comparisons = 0
  return same(left, right)

  function same(a: Value, b: Value): boolean {
    if (++comparisons > 100_000) fail('too much to compare')
    if (a === b) return true
    if (isList(a)) return isList(b) && a.length === b.length && a.every((item, index) => same(item, b[index]))
    if (!isMap(a) || !isMap(b)) return false
    const keys = Object.keys(a)
    return keys.length === Object.keys(b).length && keys.every(key => Object.hasOwn(b, key) && same(a[key], b[key]))
  }
}

function equalsAny(left: Value, ...others: readonly Value[]): boolean {
  if (others.length === 0) fail('missing argument for comparison')
  return others.some(other => equals(left, other))
}

/** Only basic values of one type can be equal; anything may be compared with nil. */
function equals(left: Value, right: Value): boolean {
  if (isBasic(left) && isBasic(right)) {
    if (typeof left !== typeof right) incompatible(left, right)
    return left === right
  }
  const oneIsNothing = left === null || right === null
  if (!oneIsNothing && (isBasic(left) || isBasic(right))) incompatible(left, right)
  if (isNil(left) || isNil(right)) return isNil(left) && isNil(right)
  if (mapOf(left) ?? mapOf(right) ?? (isList(left) || isList(right))) fail(`non-comparable type ${typeName(right)}`)
  return left === right
}

function less(left: Value, right: Value): boolean {
  if (!isBasic(left) || !isBasic(right) || typeof left === 'boolean') return fail('invalid type for comparison')
  if (typeof left !== typeof right) incompatible(left, right)
  if (typeof left === 'string') return compareUtf8(left, right as string) < 0
  return left < (right as number | bigint)
}

function isBasic(value: Value): value is boolean | string | number | bigint {
  return typeof value !== 'object' && value !== undefined
}

function incompatible(left: Value, right: Value): never {
  fail(`incompatible types for comparison: ${typeName(left)} and ${typeName(right)}`)
}

function kindOf(value: Value): string {
  if (value === undefined || value === null) return 'invalid'
  if (mapOf(value) !== undefined) return 'map'
  if (isList(value)) return 'slice'
  if (isTyped(value)) return 'ptr'
  return typeName(value)
}

/** What sprig's functions make of a value where they want text. */
export function toText(value: Value): string {
  return typeof value === 'string' ? value : formatValue(value)
}
