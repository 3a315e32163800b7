/** What providers say about people: which claims there are, and which of them a provider vouches for. */
import type { JsonObject, JsonValue } from '../../../store/records.js'

/** The claims that a `schema_url` gets to see (contract 5.3). */
const standardNames = [
  'iss', 'sub', 'name', 'given_name', 'family_name', 'last_name', 'middle_name', 'nickname', 'preferred_username', 'profile', 'picture',
  'website', 'email', 'email_verified', 'gender', 'birthdate', 'zoneinfo', 'locale', 'phone_number', 'phone_number_verified', 'updated_at',
]

/** The standard ones that say something: empty and false ones are left out, as by the predecessor. */
export function standardClaims(claims: JsonObject): JsonObject {
  return Object.fromEntries(standardNames.flatMap(name => {
    const value = claimNamed(claims, name)
    return value === undefined || value === '' || value === false || value === null ? [] : [[name, value]]
  }))
}

/** A claim; `undefined` when the provider does not make it. */
export function claimNamed(claims: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(claims, name) ? claims[name] : undefined
}

/**
 * Whether the provider vouches for a claim. An address or a telephone number counts only when it says, with a real
 * `true`, that it has verified it (security O7).
 */
export function isAsserted(claims: JsonObject, name: string): boolean {
  if (name !== 'email' && name !== 'phone_number') return true
  return claimNamed(claims, `${name}_verified`) === true
}
