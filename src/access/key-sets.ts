/** The key sets that rules name: keys that verify tokens, keys that sign them, and what of the latter is published. */
import { importJWK, type CryptoKey, type JWK } from 'jose'

import { createJwksSource, type Freshness, type JwksSource } from './jwks-source.js'
import { findSigningKey, publicKeys, publicPart, type SigningKey } from './jwks.js'
import type { FetchBounded } from './outgoing.js'

export interface KeySets {
  /**
   * The key of that id for signatures of that algorithm, from any of the places; `undefined` when none has it. Throws
   * `Error` when none of them can be read.
   */
  findVerifyingKey(wanted: WantedKey): Promise<CryptoKey | Uint8Array | undefined>
  /** The key that tokens are signed with. Throws `Error` when there is none. */
  findSigningKey(location: string): Promise<ImportedSigningKey>
  /** Says that tokens are signed with a key from there, so that its public half belongs to `publicJwks`. */
  publish(location: string): void
  /** The public halves of all keys that sign, for `/.well-known/jwks.json`. Places that can't be read are left out. */
  publicJwks(): Promise<{ keys: JWK[] }>
}

export interface WantedKey extends Freshness {
  readonly locations: readonly string[]
  readonly kid: string
  readonly alg: string
}

export interface ImportedSigningKey extends SigningKey {
  readonly key: CryptoKey | Uint8Array
}

/** How long keys that sign are kept before they are read again. */
const signing: Freshness = { ttlMs: 30_000, maxWaitMs: 1_000 }

export function createKeySets(baseDir: string, fetchBounded: FetchBounded): KeySets {
  const sources = new Map<string, JwksSource>()
  const published = new Set<string>()
  const imported = new WeakMap<JWK, Map<string, Promise<CryptoKey | Uint8Array>>>()

  function sourceOf(location: string): JwksSource {
    const known = sources.get(location) ?? createJwksSource(location, baseDir, fetchBounded)
    sources.set(location, known)
    return known
  }

  function importKey(jwk: JWK, alg: string): Promise<CryptoKey | Uint8Array> {
    const byAlgorithm = imported.get(jwk) ?? new Map<string, Promise<CryptoKey | Uint8Array>>()
    imported.set(jwk, byAlgorithm)
    const key = byAlgorithm.get(alg) ?? importJWK(jwk, alg)
    byAlgorithm.set(alg, key)
    return key
  }

  async function search(wanted: WantedKey, read: 'keys' | 'newestKeys'): Promise<JWK | undefined> {
    const sets = await Promise.allSettled(wanted.locations.map(location => sourceOf(location)[read](wanted)))
    const failed = sets.find(set => set.status === 'rejected')
    const found = sets.flatMap(set => set.status === 'fulfilled' ? set.value.keys : []).find(key => verifies(key, wanted))
    if (found === undefined && failed !== undefined) throw failed.reason
    return found
  }

  return {
    async findVerifyingKey(wanted) {
      const jwk = await search(wanted, 'keys') ?? await search(wanted, 'newestKeys')
      return jwk === undefined ? undefined : importKey(verifyingPart(jwk), wanted.alg)
    },
    async findSigningKey(location) {
      const found = findSigningKey(await sourceOf(location).keys(signing))
      if (found === undefined) throw new Error(`${location} has no private or symmetric key`)
      return { ...found, key: await importKey(found.jwk, found.alg) }
    },
    publish(location) {
      published.add(location)
    },
    async publicJwks() {
      const sets = await Promise.allSettled([...published].map(location => sourceOf(location).keys(signing)))
      return { keys: sets.flatMap(set => set.status === 'fulfilled' ? publicKeys(set.value) : []) }
    },
  }
}

/** Keys say themselves what they are for, if they say it (RFC 7517 4.2 and 4.4). */
function verifies(key: JWK, { kid, alg }: WantedKey): boolean {
  return key.kid === kid && (key.use === undefined || key.use === 'sig') && (key.alg === undefined || key.alg === alg)
    && (key.kty === 'oct') === alg.startsWith('HS')
}

const publicHalves = new WeakMap<JWK, JWK>()

/** One object for each key, since imported keys are remembered by it. */
function verifyingPart(jwk: JWK): JWK {
  if (jwk.kty === 'oct') return jwk
  const known = publicHalves.get(jwk) ?? publicPart(jwk)
  publicHalves.set(jwk, known)
  return known
}
