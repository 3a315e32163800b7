/** Lists and maps: Go's `index`, `slice` and `len`, and sprig's lists and dicts. Nothing changes the value it is given. */
import { formatValue } from '../format.js'
import { fail } from '../limits.js'
import {
  compareUtf8, isList, isMap, isTrue, isTyped, makeMap, mapOf, nilList, sortedKeys, typeName, type GoFunction, type Value, type ValueMap,
} from '../values.js'
import { deepEqual, toText } from './logic.js'
import { toInt64 } from './numbers.js'
import { byteSlice } from './texts.js'

type Collections = Readonly<Record<string, GoFunction>>
type List = readonly Value[]

export const collections: Collections = {
  len: { parameters: ['any'], call: length },
  index: { parameters: ['any'], rest: 'any', call: index },
  slice: { parameters: ['any'], rest: 'any', call: slice },
  // Oathkeeper's own: '' instead of an error.
  printIndex: { parameters: ['any', 'int'], call: printIndex },

  list: { parameters: [], rest: 'any', call: (...values: List) => values },
  first: { parameters: ['any'], call: (list: Value) => listOf(list, 'find first on')[0] ?? null },
  last: { parameters: ['any'], call: (list: Value) => listOf(list, 'find last on').at(-1) ?? null },
  rest: { parameters: ['any'], call: (list: Value) => listOf(list, 'find rest on').slice(1) },
  initial: { parameters: ['any'], call: (list: Value) => listOf(list, 'find initial on').slice(0, -1) },
  reverse: { parameters: ['any'], call: (list: Value) => [...listOf(list, 'find reverse on')].reverse() },
  append: { parameters: ['any', 'any'], call: (list: Value, item: Value) => [...listOf(list, 'push on'), item] },
  prepend: { parameters: ['any', 'any'], call: (list: Value, item: Value) => [item, ...listOf(list, 'prepend on')] },
  concat: { parameters: [], rest: 'any', call: (...lists: List) => lists.flatMap(list => listOf(list, 'concat')) },
  has: { parameters: ['any', 'any'], call: has },
  without: { parameters: ['any'], rest: 'any', call: without },
  compact: { parameters: ['any'], call: (list: Value) => listOf(list, 'compact on').filter(isTrue) },
  uniq: { parameters: ['any'], call: uniq },
  sortAlpha: { parameters: ['any'], call: sortAlpha },

  dict: { parameters: [], rest: 'any', call: dict },
  get: { parameters: ['map', 'string'], call: (map: ValueMap, key: string) => Object.hasOwn(map, key) ? map[key] : '' },
  hasKey: { parameters: ['map', 'string'], call: (map: ValueMap, key: string) => Object.hasOwn(map, key) },
  keys: { parameters: [], rest: 'map', call: (...maps: readonly ValueMap[]) => maps.flatMap(sortedKeys) },
  values: { parameters: ['map'], call: (map: ValueMap) => sortedKeys(map).map(key => map[key]) },
  pick: { parameters: ['map'], rest: 'string', call: (map: ValueMap, ...keys: string[]) => filterMap(map, key => keys.includes(key)) },
  omit: { parameters: ['map'], rest: 'string', call: (map: ValueMap, ...keys: string[]) => filterMap(map, key => !keys.includes(key)) },
  dig: { parameters: ['any', 'any', 'any'], rest: 'any', call: dig },
}

function length(value: Value): bigint {
  if (typeof value === 'string') return BigInt(Buffer.byteLength(value))
  if (isList(value)) return BigInt(value.length)
  const map = mapOf(value)
  if (map === undefined) return fail(value === null ? 'len of nil pointer' : `len of type ${typeName(value)}`)
  return BigInt(Object.keys(map).length)
}

function index(item: Value, ...indexes: List): Value {
  if (item === null) fail('index of untyped nil')
  return indexes.reduce(indexOne, item)
}

function indexOne(item: Value, at: Value): Value {
  if (typeof item === 'string') {
    const bytes = Buffer.from(item)
    return BigInt(bytes[position(at, bytes.length - 1)] as number)
  }
  if (isList(item)) return item[position(at, item.length - 1)]
  const map = mapOf(item)
  if (map === undefined) return fail(item === null ? 'index of nil pointer' : `can't index item of type ${typeName(item)}`)
  if (typeof at !== 'string') return fail(`value has type ${typeName(at)}; should be string`)
  if (Object.hasOwn(map, at)) return map[at]
  return isTyped(item) ? nilList : null
}

function position(at: Value, max: number): number {
  if (typeof at !== 'bigint') return fail(`cannot index slice/array with ${at === null ? 'nil' : `type ${typeName(at)}`}`)
  if (at < 0n || at > BigInt(max)) return fail(`index out of range: ${at}`)
  return Number(at)
}

/** sprig's, which replaces Go's: of lists only, and an index may be a float. Of text it is Go's. */
function slice(value: Value, ...indexes: List): Value {
  if (typeof value === 'string') return sliceText(value, indexes)
  const list = listOf(value, 'slice on')
  if (list.length === 0) return null
  const from = indexes.length > 0 ? position(toInt64(indexes[0]), list.length) : 0
  const to = indexes.length > 1 ? position(toInt64(indexes[1]), list.length) : list.length
  if (from > to) fail(`invalid slice index: ${from} > ${to}`)
  return list.slice(from, to)
}

function sliceText(text: string, indexes: List): string {
  const length = Buffer.byteLength(text)
  const [from = 0, to = length] = indexes.map(at => position(at, length))
  if (from > to) fail(`invalid slice index: ${from} > ${to}`)
  return byteSlice(text, BigInt(from), BigInt(to))
}

function printIndex(list: Value, at: bigint): string {
  if (!isList(list) || at >= BigInt(list.length)) return ''
  if (at < 0n) fail(`index out of range: ${at}`)
  return formatValue(list[Number(at)])
}

function listOf(value: Value, doing: string): List {
  return isList(value) ? value : fail(`Cannot ${doing} type ${value === null ? 'nil' : typeName(value)}`)
}

function has(needle: Value, list: Value): boolean {
  return list !== null && listOf(list, 'find has on').some(item => deepEqual(needle, item))
}

function without(list: Value, ...unwanted: List): Value {
  return listOf(list, 'find without on').filter(item => !unwanted.some(other => deepEqual(item, other)))
}

function uniq(value: Value): Value {
  const seen: Value[] = []
  for (const item of listOf(value, 'find uniq on')) {
    if (seen.length > 1000) fail('uniq of more than 1000 different items')
    if (!seen.some(other => deepEqual(item, other))) seen.push(item)
  }
  return seen
}

function sortAlpha(value: Value): Value {
  return isList(value) ? value.filter(item => item !== null).map(toText).sort(compareUtf8) : [toText(value)]
}

function dict(...pairs: List): Value {
  const entries: (readonly [string, Value])[] = []
  for (let at = 0; at < pairs.length; at += 2) entries.push([toText(pairs[at]), at + 1 < pairs.length ? pairs[at + 1] : ''])
  return makeMap(entries)
}

function filterMap(map: ValueMap, wanted: (key: string) => boolean): ValueMap {
  return makeMap(Object.entries(map).filter(([key]) => wanted(key)))
}

/** `dig "a" "b" fallback map`: map.a.b, or the fallback where a key is missing. */
function dig(...values: List): Value {
  let current = values.at(-1)
  for (const key of values.slice(0, -2)) {
    if (typeof key !== 'string' || !isMap(current)) return fail('dig needs keys, a fallback and a map of maps')
    if (!Object.hasOwn(current, key)) return values.at(-2)
    current = current[key]
  }
  return current
}
