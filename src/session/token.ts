/** The value of a session cookie: a random token and a signature, so that forged cookies never reach the store. */
import { createHmac, hash as digest, randomBytes, timingSafeEqual } from 'node:crypto'
import { LRUCache } from 'lru-cache'

export interface Tokens {
  /** 256 random bits and a signature by the first secret; the name of a session that only its browser knows (security A11). */
  issue(): string
  /**
   * What the store knows a token by: a dump of the store holds no cookie that works. `undefined` when none of the secrets signed
   * it: the first signs, all verify, so that secrets can be rotated (security K2).
   */
  hashOf(token: string): string | undefined
}

/** Characters, and bytes: 32 bytes as base64url. */
const partLength = 43

/** Signatures that are known to be right: a session is checked with every request, and a signature takes longer than a hash. */
const maxKnown = 10_000

/** At least one secret. */
export function createTokens(secrets: readonly string[]): Tokens {
  /** By the hash of the signed part, so that no token is kept. As text: a small buffer would keep the eight KiB that it was cut from. */
  const known = new LRUCache<string, string>({ max: maxKnown })

  return {
    issue() {
      const random = randomBytes(32).toString('base64url')
      return `${random}.${sign(random, secrets[0] as string)}`
    },

    hashOf(token) {
      if (token.length !== 2 * partLength + 1 || token.indexOf('.') !== partLength) return undefined
      const random = token.slice(0, partLength)
      const presented = Buffer.from(token.slice(partLength + 1))
      if (presented.length !== partLength) return undefined // bytes: a header may hold any

      const hash = digest('sha256', random, 'base64url')
      const right = known.get(hash)
      if (right !== undefined && timingSafeEqual(presented, Buffer.from(right))) return hash

      const signature = secrets.map(secret => sign(random, secret)).find(made => timingSafeEqual(presented, Buffer.from(made)))
      if (signature === undefined) return undefined
      known.set(hash, signature)
      return hash
    },
  }
}

function sign(random: string, secret: string): string {
  return createHmac('sha256', secret).update(random).digest('base64url')
}
