/** Building traits from values that come from several sides. Names are checked by whoever makes a path of them. */
import { fieldPath } from '../../../identity/traits.js'
import { isObject } from '../../../identity/schema-walk.js'
import type { JsonObject, JsonValue } from '../../../store/records.js'

/** Writes a value; `-1` at the end of the path appends to a list (contract 5.4). Makes what is missing on the way. */
export function assignTrait(traits: JsonObject, path: readonly string[], value: JsonValue): void {
  const [name, ...rest] = path as [string, ...string[]]
  if (rest.length === 0) {
    traits[name] = value
    return
  }
  const below = Object.hasOwn(traits, name) ? traits[name] : undefined
  if (rest.length === 1 && rest[0] === '-1') {
    traits[name] = [...Array.isArray(below) ? below : [], value]
    return
  }
  const parent = isObject(below) ? below : {}
  traits[name] = parent
  assignTrait(parent, rest, value)
}

/** The traits without what a form field (`traits.name.first`) stands for, and that value; the traits themselves stay. */
export function withoutTrait(traits: JsonObject, field: string): { rest: JsonObject, removed: JsonObject } {
  const [, ...path] = fieldPath(field)
  const rest = structuredClone(traits)
  const removed: JsonObject = {}
  let parent = rest
  for (const [depth, name] of path.entries()) {
    const value = Object.hasOwn(parent, name) ? parent[name] as JsonValue : undefined
    if (value === undefined) break
    // A list is one trait: what is wrong with an item takes the list out.
    if (depth === path.length - 1 || !isObject(value)) {
      delete parent[name]
      assignTrait(removed, path.slice(0, depth + 1), value)
      break
    }
    parent = value
  }
  return { rest, removed }
}

/** `over` laid over `base`, object by object; a list is replaced as a whole. */
export function mergeTraits(base: JsonObject, over: JsonObject): JsonObject {
  const merged = structuredClone(base)
  for (const [name, value] of Object.entries(over)) {
    const below = Object.hasOwn(merged, name) ? merged[name] : undefined
    merged[name] = isObject(below) && isObject(value) ? mergeTraits(below, value) : structuredClone(value)
  }
  return merged
}

/**
 * What was typed, laid over what the provider suggests. A field left empty says nothing, and an unticked box or a zero
 * takes nothing back (contract 5.4).
 */
export function mergeTyped(suggested: JsonObject, typed: JsonObject): JsonObject {
  const merged = structuredClone(suggested)
  for (const [name, value] of Object.entries(typed)) {
    const below = Object.hasOwn(merged, name) ? merged[name] : undefined
    if (value === '' || value === null) continue
    if (below !== undefined && (value === false || value === 0)) continue
    merged[name] = isObject(value) ? mergeTyped(isObject(below) ? below : {}, value) : structuredClone(value)
  }
  return merged
}
