/** One source of configuration (a file, the environment): its values, and where each of them was written. */
import type { Place } from './config-error.js'

/** A map of keys as YAML and JSON have it. */
export interface Values { [key: string]: unknown }

/** Keys from the root; the index, in digits, for an item of a list. */
export type Path = readonly string[]

export interface Layer {
  readonly value: Values
  /** By JSON pointer (RFC 6901); `''` is the root. */
  readonly places: Map<string, Place>
}

export function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The path as a JSON pointer, which is also how ajv names it. */
export function pointerOf(path: Path): string {
  return path.map(key => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

export function pathOf(pointer: string): Path {
  return pointer.split('/').slice(1).map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The path as people write it, after what they wrote before it: `selfservice.login.after.password[0].run`. */
export function dotted(path: Path, before = ''): string {
  return path.reduce((text, key) => {
    if (/^[0-9]+$/.test(key)) return `${text}[${key}]`
    const name = /^[\w$-]+$/.test(key) ? key : JSON.stringify(key)
    return text === '' ? name : `${text}.${name}`
  }, before)
}

/** The value at a path; `undefined` when there is none. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    return (at as Values)[key]
  }, value)
}

/** Puts a value at a path, making the maps that lead there. */
export function setAt(root: Values, path: Path, value: unknown): void {
  const last = path.at(-1) as string
  let at = root
  for (const key of path.slice(0, -1)) {
    const next = Object.hasOwn(at, key) ? at[key] : undefined
    at = typeof next === 'object' && next !== null ? next as Values : at[key] = {}
  }
  at[last] = value
}

/** Notes one place for a value and everything in it. */
export function placeValue(layer: Layer, path: Path, value: unknown, place: Place): void {
  layer.places.set(pointerOf(path), place)
  if (typeof value !== 'object' || value === null) return

  for (const [key, item] of Object.entries(value)) {
    placeValue(layer, [...path, key], item, { ...place, path: dotted([key], place.path) })
  }
}

/** The layers in one: maps are merged key by key, anything else is replaced by the later layer, places included. */
export function mergeLayers(layers: readonly Layer[]): Layer {
  return layers.reduce<Layer>((base, over) => {
    const places = new Map(base.places)
    const value = mergeMaps(base.value, over.value, [], places)
    // The root begins in the first file.
    for (const [pointer, place] of over.places) if (pointer !== '' || !places.has('')) places.set(pointer, place)
    return { value, places }
  }, { value: {}, places: new Map() })
}

function mergeMaps(base: Values, over: Values, path: Path, places: Layer['places']): Values {
  const merged = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const before = Object.hasOwn(base, key) ? base[key] : undefined
    if (isMap(value)) {
      merged[key] = mergeMaps(isMap(before) ? before : {}, value, [...path, key], places)
      continue
    }
    if (typeof before === 'object' && before !== null) forgetBelow(pointerOf([...path, key]), places)
    merged[key] = structuredClone(value)
  }
  return merged
}

function forgetBelow(pointer: string, places: Layer['places']): void {
  for (const below of [...places.keys()]) if (below.startsWith(`${pointer}/`)) places.delete(below)
}

/** Where the value at a pointer was written; for a value that is missing, where the nearest one around it begins. */
export function placeOf(layer: Layer, pointer: string): Place {
  const path = pathOf(pointer)
  for (let length = path.length; length > 0; length--) {
    const place = layer.places.get(pointerOf(path.slice(0, length)))
    if (place !== undefined) return { ...place, path: dotted(path.slice(length), place.path) }
  }
  return { ...layer.places.get(''), path: dotted(path) }
}
