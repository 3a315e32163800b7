/**
 * Claims in Redis: `?<id>:<nonce>` while a change reserves it, `=<id>:<nonce>` once it is confirmed. Which of them count,
 * and why, is said in `redis-identities.ts`.
 */
import { setTimeout as delay } from 'node:timers/promises'

import { GatewayError } from '../errors.js'
import { carries, claimPart } from './keys.js'
import type { IdentifierClaim, Identity } from './records.js'
import type { RedisCommands } from './redis-connection.js'
import { identityKey, intentKey } from './redis-keys.js'
import { compareAndSet } from './redis-scripts.js'

export interface RedisClaims {
  /** The identity that has the identifier. */
  holder(claim: IdentifierClaim): Promise<Identity | undefined>
  /** The first of the claims that an identity holds. */
  firstHeld(claims: readonly IdentifierClaim[]): Promise<IdentifierClaim | undefined>
  /** Reserves the claim, waiting for another change that has reserved it; rejects when that one does not end in time. */
  reserve(claim: IdentifierClaim, attempt: string): Promise<'reserved' | 'held'>
  /** Makes reservations last; rejects with `store_unavailable` when one has expired. */
  confirm(claims: readonly IdentifierClaim[], attempt: string): Promise<void>
  /** Gives back what the attempt reserved or confirmed. */
  release(claims: readonly IdentifierClaim[], attempt: string): Promise<void>
  /** Removes those of the claims that no identity carries any more. Does not fail: what stays does not count. */
  drop(claims: readonly IdentifierClaim[]): Promise<void>
}

const pollMs = 10

/** The claims under a prefix. */
export function redisClaims({ call, run }: RedisCommands, options: { keyPrefix: string, timeoutMs: number, reservationMs: number }): RedisClaims {
  const { keyPrefix, timeoutMs, reservationMs } = options
  const keyOf = (claim: IdentifierClaim): string => `${keyPrefix}claim:${claimPart(claim)}`
  const valueOf = (claim: IdentifierClaim): Promise<string | null> => call('GET', keyOf(claim)) as Promise<string | null>
  const swap = async (claim: IdentifierClaim, expected: string, next: string, ttlMs = 0): Promise<boolean> =>
    await run(compareAndSet, [keyOf(claim)], [expected, next, ttlMs]) === 1

  async function holder(claim: IdentifierClaim): Promise<Identity | undefined> {
    const value = await valueOf(claim)
    if (value === null || !value.startsWith('=')) return undefined
    const identity = parseDoc(await call('GET', identityKey(keyPrefix, parseValue(value).id)))
    return identity !== undefined && carries(identity, claim) ? identity : undefined
  }

  /** What a claim that has a value amounts to for someone else who wants it. */
  async function standing(claim: IdentifierClaim, value: string): Promise<'held' | 'reserved' | 'stale'> {
    if (!value.startsWith('=')) return 'reserved'
    const { id, nonce } = parseValue(value)
    const [doc, intent] = await call('MGET', identityKey(keyPrefix, id), intentKey(keyPrefix, id, nonce)) as unknown[]
    const identity = parseDoc(doc)
    if (identity !== undefined && carries(identity, claim)) return 'held'
    return intent === null ? 'stale' : 'reserved'
  }

  return {
    holder,

    async firstHeld(claims) {
      const holders = await Promise.all(claims.map(holder))
      return claims.find((_, index) => holders[index] !== undefined)
    },

    async reserve(claim, attempt) {
      const deadline = performance.now() + timeoutMs
      for (;;) {
        const value = await call('SET', keyOf(claim), `?${attempt}`, 'NX', 'GET', 'PX', reservationMs) as string | null
        if (value === null) return 'reserved'

        const found = await standing(claim, value)
        if (found === 'held') return 'held'
        if (found === 'stale' && await swap(claim, value, `?${attempt}`, reservationMs)) return 'reserved'
        if (performance.now() > deadline) throw new GatewayError('store_unavailable', { detail: 'redis: an unfinished registration has reserved the identifier' })
        if (found === 'reserved') await delay(pollMs)
      }
    },

    async confirm(claims, attempt) {
      const confirmed = await Promise.all(claims.map(claim => swap(claim, `?${attempt}`, `=${attempt}`)))
      if (confirmed.includes(false)) throw new GatewayError('store_unavailable', { detail: 'redis: a reservation of an identifier has expired' })
    },

    async release(claims, attempt) {
      await Promise.all(claims.flatMap(claim => [swap(claim, `?${attempt}`, ''), swap(claim, `=${attempt}`, '')]))
    },

    async drop(claims) {
      await Promise.allSettled(claims.map(async claim => {
        const value = await valueOf(claim)
        if (value !== null && await standing(claim, value) === 'stale') await swap(claim, value, '')
      }))
    },
  }
}

function parseValue(value: string): { id: string, nonce: string } {
  const colon = value.lastIndexOf(':')
  return { id: value.slice(1, colon), nonce: value.slice(colon + 1) }
}

function parseDoc(doc: unknown): Identity | undefined {
  return typeof doc === 'string' ? JSON.parse(doc) as Identity : undefined
}
