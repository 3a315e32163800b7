/** Holds traits against their schema, and finds in them what people log in with. */
import type { JsonObject, JsonValue, Problem } from '../store/records.js'
import { canonicalIdentifier } from './identifiers.js'
import { everyItem, type IdentifierPath, type Trait } from './schema-fields.js'
import type { ListErrors } from './schema-validator.js'
import { isObject } from './schema-walk.js'
import { traitProblems, typeOf } from './trait-problems.js'
import { checkTraits, fieldName, flattenTraits } from './traits.js'

export interface TraitValidation {
  validate(traits: JsonValue): Problem[]
  identifiers(traits: JsonObject): string[]
}

/** Longest text of a trait whose schema has no `maxLength`, in UTF-16 units; held before any pattern sees it (security D7). */
const textLimit = 1024

/** Longest text of a trait, whatever its schema says. */
const longTextLimit = 16_384

/** Most identifiers of one identity. */
const identifierLimit = 32

/** The two questions that one schema answers about traits; see `IdentitySchema`. */
export function createTraitValidation(
  traits: readonly Trait[], identifierPaths: readonly IdentifierPath[], listErrors: ListErrors,
): TraitValidation {
  const textLimits = new Map(traits.map(({ path, maxLength = 0 }) => [fieldName(path), Math.min(Math.max(textLimit, maxLength), longTextLimit)]))

  return {
    validate(value) {
      checkTraits(value)
      // Whatever the schema allows, traits are an object.
      if (!isObject(value)) return [{ code: 'type', params: { expected: 'object', given: typeOf(value) } }]
      const overlong = overlongTexts(value, textLimits)
      if (overlong.length > 0) return overlong
      const problems = traitProblems(listErrors(value))
      const known = new Set(problems.map(({ code, field }) => `${code} ${field}`))
      return [...problems, ...identifierProblems(value, identifierPaths).filter(({ code, field }) => !known.has(`${code} ${field}`))]
    },
    identifiers(value) {
      const canonical = identifierPaths.flatMap(path => valuesAt(value, path)).map(({ path, value: identifier }) => {
        return typeof identifier === 'string' ? canonicalIdentifier(identifier, fieldName(path)) : ''
      })
      return [...new Set(canonical.filter(identifier => typeof identifier === 'string' && identifier !== '') as string[])]
    },
  }
}

function overlongTexts(traits: JsonObject, limits: ReadonlyMap<string, number>): Problem[] {
  return flattenTraits(traits).flatMap(([name, value]) => {
    const field = `traits.${name}`
    // The limit of a list's field holds for each of its items.
    const max = limits.get(field) ?? limits.get(field.replace(/\.[0-9]+$/, '')) ?? textLimit
    if (typeof value !== 'string' || value.length <= max) return []
    return [{ code: 'max_length', field, params: { max } }]
  })
}

function identifierProblems(traits: JsonValue, paths: readonly IdentifierPath[]): Problem[] {
  const found = paths.flatMap(path => valuesAt(traits, path))
  if (found.length > identifierLimit) return [{ code: 'too_many_identifiers', params: { max: identifierLimit } }]
  return found.flatMap(({ path, value }) => {
    const field = fieldName(path)
    // A schema that leaves the type of an identifier open lets other values through.
    if (typeof value !== 'string') return [{ code: 'type', field, params: { expected: 'string', given: typeOf(value) } }]
    const canonical = canonicalIdentifier(value, field)
    return typeof canonical === 'string' ? [] : [canonical]
  })
}

interface Found {
  readonly path: readonly (string | number)[]
  readonly value: JsonValue
}

function valuesAt(traits: JsonValue, path: IdentifierPath): Found[] {
  let found: Found[] = [{ path: [], value: traits }]
  for (const part of path) found = found.flatMap(parent => membersOf(parent, part))
  return found
}

function membersOf({ path, value }: Found, part: string | typeof everyItem): Found[] {
  if (part === everyItem) return Array.isArray(value) ? value.map((item, index) => ({ path: [...path, index], value: item })) : []
  if (!isObject(value) || !Object.hasOwn(value, part)) return []
  return [{ path: [...path, part], value: value[part] as JsonValue }]
}
