/** JSON Web Key Sets as data (RFC 7517): making them, reading them, and what of them may be published. */
import { generateKeyPair, randomBytes, type JsonWebKey, type KeyObject, type KeyPairKeyObjectResult } from 'node:crypto'
import { promisify } from 'node:util'

import type { JWK } from 'jose'

import type { JsonObject, JsonValue } from '../store/records.js'
import { isJsonObject } from './json.js'

/** The algorithms that keys are made for and tokens may be signed with. */
export const signingAlgorithms = [
  'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'HS256', 'HS384', 'HS512',
] as const
export type SigningAlgorithm = typeof signingAlgorithms[number]

export interface Jwks { readonly keys: readonly JWK[] }

/** A key that signs, and the id that its tokens name. */
export interface SigningKey {
  readonly jwk: JWK
  readonly alg: string
  readonly kid: string
}

/**
 * A new key set for an algorithm: the private and the public key under one id, or one symmetric key. `bits` is the size
 * of RSA keys (absent: 3072) and of symmetric ones (absent: that of the hash). Throws `Error` for sizes that are too small.
 */
export async function generateJwks(alg: SigningAlgorithm, kid: string, bits?: number): Promise<{ keys: JWK[] }> {
  const about = { kid, use: 'sig', alg }
  if (alg.startsWith('HS')) return { keys: [{ ...about, kty: 'oct', k: randomBytes(symmetricBits(alg, bits) / 8).toString('base64url') }] }

  const { privateKey, publicKey } = await generatePair(alg, bits)
  return { keys: [{ ...about, ...exported(privateKey) }, { ...about, ...exported(publicKey) }] }
}

/** The key set of a document; `undefined` when it is none. Members that are no keys are left out. */
export function readJwks(document: JsonValue | undefined): Jwks | undefined {
  const keys = isJsonObject(document) ? document['keys'] : undefined
  return Array.isArray(keys) ? { keys: keys.filter(isKey) as JsonObject[] as JWK[] } : undefined
}

/** The first private or symmetric key; tokens name the public key that belongs to it, if the set has one (contract 2.3). */
export function findSigningKey({ keys }: Jwks): SigningKey | undefined {
  const jwk = keys.find(key => key.use !== 'enc' && (key.kty === 'oct' ? key.k !== undefined : key.d !== undefined))
  if (jwk === undefined) return undefined
  const shared = keys.find(key => key !== jwk && key.kid !== undefined && isSameKey(key, jwk) && key.d === undefined)
  const alg = jwk.alg ?? usualAlgorithm(jwk)
  return alg === undefined ? undefined : { jwk, alg, kid: shared?.kid ?? jwk.kid ?? '' }
}

/** What others may know of the set's asymmetric keys: retired public keys too, never a private or symmetric part. */
export function publicKeys(jwks: Jwks): JWK[] {
  const signing = findSigningKey(jwks)
  const published = jwks.keys.filter(key => key.kty !== 'oct' && key.use !== 'enc').map(key => {
    const kid = key === signing?.jwk ? signing.kid : key.kid
    return { ...publicPart(key), ...kid === undefined ? {} : { kid } }
  })
  return published.filter((key, at) => published.findIndex(other => other.kid === key.kid && isSameKey(other, key)) === at)
}

/** The key without what is secret about it. */
export function publicPart(key: JWK): JWK {
  const shown = ['kty', 'kid', 'use', 'alg', 'crv', 'x', 'y', 'n', 'e'] as const
  return Object.fromEntries(shown.filter(name => key[name] !== undefined).map(name => [name, key[name]])) as JWK
}

function symmetricBits(alg: string, bits: number | undefined): number {
  const least = Number(alg.slice(2))
  const size = bits ?? least
  if (size < least || size % 8 !== 0) throw new Error(`${alg} needs at least ${least} bits, in whole bytes`)
  return size
}

function generatePair(alg: string, bits: number | undefined): Promise<KeyPairKeyObjectResult> {
  if (alg.startsWith('RS') || alg.startsWith('PS')) {
    if (bits !== undefined && bits < 2048) throw new Error(`${alg} needs at least 2048 bits`)
    return promisify(generateKeyPair)('rsa', { modulusLength: bits ?? 3072 })
  }
  if (bits !== undefined) throw new Error(`the size of ${alg} keys is fixed`)
  if (alg === 'EdDSA') return promisify(generateKeyPair)('ed25519', {})
  return promisify(generateKeyPair)('ec', { namedCurve: `P-${alg === 'ES512' ? '521' : alg.slice(2)}` })
}

function exported(key: KeyObject): JsonWebKey & { kty: string } {
  return key.export({ format: 'jwk' }) as JsonWebKey & { kty: string }
}

function isKey(value: JsonValue): boolean {
  return isJsonObject(value) && typeof value['kty'] === 'string'
}

function isSameKey(left: JWK, right: JWK): boolean {
  return (['kty', 'crv', 'n', 'e', 'x', 'y', 'k'] as const).every(member => left[member] === right[member])
}

function usualAlgorithm(key: JWK): string | undefined {
  const ofCurve = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' } as const
  switch (key.kty) {
    case 'RSA': return 'RS256'
    case 'OKP': return 'EdDSA'
    case 'oct': return 'HS256'
    case 'EC': return ofCurve[key.crv as keyof typeof ofCurve]
  }
  return undefined
}
