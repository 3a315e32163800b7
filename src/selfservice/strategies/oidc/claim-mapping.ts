/** Which claim becomes which trait: compiled once, from a provider's `schema_url` or its declared `claims` (contract 5.4). */
import { everyItem } from '../../../identity/schema-fields.js'
import { fieldPath, isForbiddenName } from '../../../identity/traits.js'
import { isObject } from '../../../identity/schema-walk.js'
import type { JsonObject, JsonValue } from '../../../store/records.js'
import { claimNamed, isAsserted } from './claims.js'
import { assignTrait } from './trait-values.js'

/** A way into the claims; `everyItem` stands for the items of a list. */
export type ClaimPath = readonly (string | typeof everyItem)[]

/** One claim and the trait that it becomes. */
export interface MappedClaim {
  readonly claim: ClaimPath
  /** Dotted below `traits`, split at its dots; a last `-1` appends to a list. */
  readonly trait: readonly string[]
}

/** Traits by how far a provider vouches for them. */
export interface MappedTraits {
  readonly asserted: JsonObject
  readonly suggested: JsonObject
}

/** What one provider's claims mean here. */
export interface ClaimMapping {
  /** Names of the claims that it reads. */
  readonly claimNames: ReadonlySet<string>
  readonly mapped: readonly MappedClaim[]
  /** Turns claims into traits. Throws `GatewayError('internal_error')` for claims that a `schema_url` does not allow. */
  toTraits(claims: JsonObject): MappedTraits
}

/** A path of traits as people write it; `undefined` when no trait can have it. */
export function traitPath(text: string): string[] | undefined {
  const path = fieldPath(text)
  return path.some(name => name === '' || isForbiddenName(name)) ? undefined : path
}

/** The mapping of a declared list (`claims: { name.first: given_name }`). The trait paths have been checked. */
export function declaredMapping(declared: Readonly<Record<string, string>>): ClaimMapping {
  return claimMapping(Object.entries(declared).map(([trait, claim]) => ({ claim: [claim], trait: traitPath(trait) ?? [] })), claims => claims)
}

/** The mapping of a list; `select` says which claims count. */
export function claimMapping(mapped: readonly MappedClaim[], select: (claims: JsonObject) => JsonObject): ClaimMapping {
  return {
    mapped,
    claimNames: new Set(mapped.map(({ claim }) => claim[0] as string)),
    toTraits(claims) {
      const selected = select(claims)
      const traits = { asserted: {}, suggested: {} }
      for (const { claim, trait } of mapped) {
        const asserted = isAsserted(claims, claim[0] as string)
        for (const value of valuesAt(selected, claim)) assignTrait(asserted ? traits.asserted : traits.suggested, trait, value)
      }
      return traits
    },
  }
}

/** What says nothing (`null`, an empty text) is not a value. */
function valuesAt(claims: JsonObject, path: ClaimPath): JsonValue[] {
  let values: JsonValue[] = [claims]
  for (const part of path) {
    values = values.flatMap(value => {
      if (part === everyItem) return Array.isArray(value) ? value : []
      const below = isObject(value) ? claimNamed(value, part) : undefined
      return below === undefined ? [] : [below]
    })
  }
  return values.filter(value => value !== null && value !== '')
}
