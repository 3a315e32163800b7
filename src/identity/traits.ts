/** What traits are made of: how they are named in forms, and how deep and how many they may be. */
import { GatewayError } from '../errors.js'
import type { JsonObject, JsonValue } from '../store/records.js'

/** Levels of a form's field name below `traits` (contract 3.4, security D5). */
export const formDepthLimit = 5

/** Levels of traits that come as JSON (security D10). */
export const jsonDepthLimit = 20

/** Values of one identity's traits, containers included. */
const valueLimit = 1000

/** Names that no trait may have: whoever assigns them somewhere may change every object of the process (security J1). */
const forbiddenNames: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** Whether a name is one of those that pollute prototypes. */
export function isForbiddenName(name: string): boolean {
  return forbiddenNames.has(name)
}

/** The form field of a trait: `['name', 'first']` is `traits.name.first`; a dot inside a name is escaped with a backslash. */
export function fieldName(path: readonly (string | number)[]): string {
  return dottedName(['traits', ...path])
}

/** The names in a dotted field name; the reverse of `fieldName`, `traits` included. */
export function fieldPath(name: string): string[] {
  const path: string[] = []
  let part = ''
  for (let at = 0; at < name.length; at++) {
    const character = name.charAt(at)
    if (character === '.') {
      path.push(part)
      part = ''
      continue
    }
    const escapes = character === '\\' && at + 1 < name.length
    part += escapes ? name.charAt(++at) : character
  }
  path.push(part)
  return path
}

/**
 * Traits as dotted names (below `traits`) with their values, in order; the index of a list is a part of the name. Empty
 * containers yield nothing (contract F2).
 */
export function flattenTraits(traits: JsonObject): (readonly [name: string, value: JsonValue])[] {
  return flatten(traits, [])
}

/** Throws `bad_request` for traits that no schema should have to look at: too deep, too many, or with a forbidden name. */
export function checkTraits(traits: JsonValue): void {
  let values = 0

  function check(value: JsonValue, depth: number): void {
    if (++values > valueLimit) throw new GatewayError('bad_request', { reason: `Traits hold at most ${valueLimit} values.` })
    if (typeof value !== 'object' || value === null) return
    if (depth === jsonDepthLimit) throw new GatewayError('bad_request', { reason: `Traits are nested at most ${jsonDepthLimit} levels deep.` })

    for (const [key, member] of Object.entries(value)) {
      if (isForbiddenName(key)) throw forbiddenName(key)
      check(member, depth + 1)
    }
  }

  check(traits, 0)
}

/** The refusal of a name that pollutes prototypes. */
export function forbiddenName(name: string): GatewayError {
  return new GatewayError('bad_request', { reason: `"${name}" can not be part of a field name.` })
}

function flatten(value: JsonValue, path: readonly (string | number)[]): (readonly [string, JsonValue])[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => flatten(item, [...path, index]))
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([key, member]) => flatten(member, [...path, key]))
  }
  return [[dottedName(path), value]]
}

function dottedName(path: readonly (string | number)[]): string {
  return path.map(part => String(part).replace(/[\\.]/g, '\\$&')).join('.')
}
