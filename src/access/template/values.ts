/**
 * The values a template works with: Go's, as far as sessions, literals and functions make them.
 *
 * JSON numbers are `number` (Go: float64), literals and counts are `bigint` (Go: int), so that comparing the two is the
 * error that it is in Go. `null` is a nil that something holds; `undefined` is what a pipeline makes of it: `<no value>`.
 */

/** Marks values that are more than JSON. A symbol, so that no document from outside can claim to be one. */
export const goType = Symbol('Go type')

export type Value = undefined | null | boolean | string | number | bigint | readonly Value[] | ValueMap | Typed

/** Only own properties count: `__proto__` and `constructor` are keys like others. */
export interface ValueMap { readonly [key: string]: Value }

/** A struct, or a map that has methods, made lazily from the session. */
export interface Typed {
  /** Its type in Go, for error texts. */
  readonly [goType]: string
  readonly fields?: ReadonlyMap<string, () => Value>
  readonly methods?: ReadonlyMap<string, GoFunction>
  /** Absent for structs. */
  readonly entries?: () => ValueMap
  /** What Go's `String()` says, where the type has one. */
  readonly text?: () => string
  /** What `toJson` makes of it. */
  readonly document: () => Value
}

/** The types that functions ask of their arguments; others are an error, as in Go. */
export type Parameter = 'any' | 'string' | 'int' | 'float' | 'bool' | 'map'

export interface GoFunction {
  readonly parameters: readonly Parameter[]
  /** Any number of further arguments of this type; absent: none. */
  readonly rest?: Parameter
  /** `and` and `or` evaluate no argument after the first that is as true as this. */
  readonly stopsAt?: boolean
  /** Gets arguments of the types asked for. Throws to fail the evaluation. */
  readonly call: (...args: never[]) => Value
}

/** Go's nil map and nil slice: empty, but `null` in JSON. */
export const nilMap: ValueMap = Object.freeze(Object.create(null) as ValueMap)
export const nilList: readonly Value[] = Object.freeze([])

export function isTyped(value: Value): value is Typed {
  return typeof value === 'object' && value !== null && goType in value
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

/** A plain map; not one that has methods. */
export function isMap(value: Value): value is ValueMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(goType in value)
}

/** The map itself, or the entries of a map with methods; `undefined` for anything else. */
export function mapOf(value: Value): ValueMap | undefined {
  if (isMap(value)) return value
  return isTyped(value) ? value.entries?.() : undefined
}

/** Nil of any type. */
export function isNil(value: Value): boolean {
  return value === undefined || value === null || value === nilMap || value === nilList
}

/** What `if`, `and`, `or` and `not` go by: zero, empty and nil are false. */
export function isTrue(value: Value): boolean {
  if (typeof value !== 'object' || value === null) return Boolean(value)
  if (isList(value)) return value.length > 0
  const map = mapOf(value)
  return map === undefined || Object.keys(map).length > 0
}

/** The type's name in Go. */
export function typeName(value: Value): string {
  switch (typeof value) {
    case 'undefined': return '<nil>'
    case 'boolean': return 'bool'
    case 'number': return 'float64'
    case 'bigint': return 'int'
    case 'string': return 'string'
  }
  if (value === null) return 'interface {}'
  if (isTyped(value)) return value[goType]
  return isList(value) ? '[]interface {}' : 'map[string]interface {}'
}

/** Own keys in the order of their UTF-8 bytes, which is the order in which Go prints and ranges. */
export function sortedKeys(map: ValueMap): string[] {
  return Object.keys(map).sort(compareUtf8)
}

/** Compares like the UTF-8 bytes of both would: surrogates come after the rest of the basic plane. */
export function compareUtf8(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const [a, b] = [left.charCodeAt(index), right.charCodeAt(index)]
    if (a !== b) return rank(a) - rank(b)
  }
  return left.length - right.length
}

/** The text with U+FFFD for every half of a surrogate pair, which UTF-8 can't say. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd')
}

/** A map that inherits nothing. */
export function makeMap(entries: Iterable<readonly [string, Value]>): ValueMap {
  const map = Object.create(null) as { [key: string]: Value }
  for (const [key, value] of entries) map[key] = value
  return map
}

/** What is wrong with calling a function with this many arguments; `undefined` when nothing is. */
export function argumentProblem(name: string, called: GoFunction, count: number): string | undefined {
  const wanted = called.parameters.length
  if (called.rest !== undefined && count < wanted) return `wrong number of args for ${name}: want at least ${wanted} got ${count}`
  if (called.rest === undefined && count !== wanted) return `wrong number of args for ${name}: want ${wanted} got ${count}`
  return undefined
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x2000 : unit
}
