/**
 * Identities in Redis, whose identifiers no two may share although each key lies in a slot of its own.
 *
 * A change (a creation or an update) has a nonce. It reserves every new claim (`?<id>:<nonce>`, expires by itself), writes
 * an intent beside the identity (expires by itself), confirms the claims (`=<id>:<nonce>`, for good), and commits: one
 * script that uses up the intent and writes the document. So:
 *
 * - What is committed holds its claims for good; what is not committed leaves nothing that counts. A confirmed claim
 *   counts only while its identity carries the identifier, and whoever wants one that does not takes it over.
 * - A claim may be taken over only when the change that confirmed it can't be committed any more, which its missing intent
 *   proves: an intent is written before the claims are confirmed, and never again.
 * - A reservation that expired and went to another is noticed when it is to be confirmed: confirming is a compare-and-set.
 *
 * Claims are reserved in one order, so two changes that want the same ones wait for each other in no circle.
 */
import { randomBytes } from 'node:crypto'

import { GatewayError } from '../errors.js'
import { carries, claimPart, claimsOf } from './keys.js'
import type { IdentifierClaim, Identity, Session } from './records.js'
import { redisClaims } from './redis-claims.js'
import { script, type RedisCommands } from './redis-connection.js'
import { identityKey, intentKey, sessionEndsKey, sessionIdKey, sessionIndexKey, sessionKey } from './redis-keys.js'
import type { GuardedCommands } from './redis-safety.js'
import type { Store } from './store.js'

type Identities = Pick<Store,
  'createIdentity' | 'findIdentity' | 'findIdentityByIdentifier' | 'updateIdentity' | 'deleteIdentity' | 'listIdentities' | 'countIdentities'>

export interface RedisIdentitiesOptions {
  readonly keyPrefix: string
  readonly timeoutMs: number
  readonly now: () => number
  /** How long an unfinished change blocks the identifiers it wants, in milliseconds; half a minute when absent. */
  readonly reservationMs?: number
}

/** `[identity, intent], [expected, next]`: writes the document if the change is still intended and nobody changed it before. */
const commit = script(`
  if redis.call('DEL', KEYS[2]) == 0 then return 'expired' end
  if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 'changed' end
  redis.call('SET', KEYS[1], ARGV[2])
  return 'done'
`)

/** `[identity, sessions]`: the document and the session index of the identity that this call, and no other, deleted. */
const remove = script(`
  local doc = redis.call('GET', KEYS[1])
  local sessions = redis.call('ZRANGE', KEYS[2], 0, -1)
  redis.call('DEL', KEYS[1], KEYS[2])
  return { doc, sessions }
`)

/** An index entry without an identity belongs to a creation under way, or to one that died; after this long, to a dead one. */
const abandonedMs = 86_400_000

/** The part of the store that keeps identities and their claims. What it says is done survives a kill of Redis. */
export function redisIdentities(commands: RedisCommands & Pick<GuardedCommands, 'beginChange'>, options: RedisIdentitiesOptions): Identities {
  const { call, run, beginChange } = commands
  const { keyPrefix, timeoutMs, now, reservationMs = 30_000 } = options
  const claims = redisClaims(commands, { keyPrefix, timeoutMs, reservationMs })
  const indexKey = `${keyPrefix}identities`

  const getDoc = (id: string): Promise<string | null> => call('GET', identityKey(keyPrefix, id)) as Promise<string | null>

  async function find(id: string): Promise<Identity | undefined> {
    const doc = await getDoc(id)
    return doc === null ? undefined : JSON.parse(doc) as Identity
  }

  /** Replaces `expected` (empty: no document) by `next`, claiming `added`. */
  async function change(next: Identity, expected: string, added: readonly IdentifierClaim[]): Promise<IdentifierClaim | 'changed' | undefined> {
    const nonce = randomBytes(12).toString('base64url')
    const attempt = `${next.id}:${nonce}`
    const intent = intentKey(keyPrefix, next.id, nonce)
    const { written } = beginChange()
    let committing = false
    try {
      for (const claim of inOneOrder(added)) {
        if (await claims.reserve(claim, attempt) === 'reserved') continue
        await claims.release(added, attempt)
        return claim
      }
      await Promise.all([
        call('SET', intent, '', 'PX', reservationMs),
        expected === '' && call('ZADD', indexKey, next.createdAt, next.id),
      ])
      await claims.confirm(added, attempt)
      // In a cluster the claims lie on other servers: one that is killed now must come back with them.
      await written()

      committing = true
      const outcome = await run(commit, [identityKey(keyPrefix, next.id), intent], [expected, JSON.stringify(next)])
      if (outcome === 'done') {
        await written()
        return undefined
      }
      await claims.release(added, attempt)
      if (outcome === 'changed') return 'changed'
      throw new GatewayError('store_unavailable', { detail: 'redis: a change of an identity took longer than its reservation' })
    } catch (error) {
      void abandon(added, attempt, intent, committing)
      throw error
    }
  }

  /** Gives claims back early where that is safe: a commit whose answer is missing may have happened, or may yet. */
  async function abandon(added: readonly IdentifierClaim[], attempt: string, intent: string, committing: boolean): Promise<void> {
    try {
      const stopped = await call('DEL', intent) === 1
      if (stopped || !committing) await claims.release(added, attempt)
    } catch {
      // Redis is away; reservation and intent expire by themselves.
    }
  }

  return {
    async createIdentity(identity) {
      const wanted = claimsOf(identity)
      const taken = await claims.firstHeld(wanted)
      if (taken !== undefined) return taken

      const outcome = await change(identity, '', wanted)
      if (outcome === 'changed') throw new GatewayError('conflict', { detail: `identity ${identity.id} exists already` })
      return outcome
    },

    findIdentity: find,

    findIdentityByIdentifier: claim => claims.holder(claim),

    async updateIdentity(next) {
      const doc = await getDoc(next.id)
      const stored = doc === null ? undefined : JSON.parse(doc) as Identity
      if (doc === null || stored === undefined || next.version !== stored.version + 1) return 'stale'

      const added = claimsOf(next).filter(claim => !carries(stored, claim))
      const outcome = await claims.firstHeld(added) ?? await change(next, doc, added)
      if (outcome === undefined) {
        await claims.drop(claimsOf(stored).filter(claim => !carries(next, claim)))
        return undefined
      }
      // The identity itself may hold by now what it did not when this began: then another update was faster.
      const overtaken = outcome === 'changed' || (await claims.holder(outcome))?.id === next.id
      return overtaken ? 'stale' : outcome
    },

    async deleteIdentity(id) {
      const keys = [identityKey(keyPrefix, id), sessionIndexKey(keyPrefix, id)]
      const { written } = beginChange()
      const [doc, sessions] = await run(remove, keys, []) as [string | null, string[]]
      if (doc === null) return false

      // From here on nothing counts any more that is still there; clearing it away may fail.
      await written()
      await Promise.allSettled([
        claims.drop(claimsOf(JSON.parse(doc) as Identity)),
        call('ZREM', indexKey, id),
        ...sessions.map(forgetSession),
        ...sessions.map(tokenHash => call('ZREM', sessionEndsKey(keyPrefix), tokenHash)),
      ])
      return true
    },

    async listIdentities({ limit, offset }) {
      const found: Identity[] = []
      let position = offset
      while (found.length < limit) {
        const ids = await call('ZRANGE', indexKey, position, position + limit - found.length - 1) as string[]
        if (ids.length === 0) break
        const identities = await Promise.all(ids.map(find))
        found.push(...identities.filter(identity => identity !== undefined))
        position += ids.length - await forgetAbandoned(ids.filter((_, index) => identities[index] === undefined))
      }
      return found
    },

    countIdentities: instants => Promise.all(
      instants.slice(1).map((until, at) => call('ZCOUNT', indexKey, instants[at] as number, `(${until}`) as Promise<number>),
    ),
  }

  async function forgetSession(tokenHash: string): Promise<void> {
    const doc = await call('HGET', sessionKey(keyPrefix, tokenHash), 'doc') as string | null
    await call('DEL', sessionKey(keyPrefix, tokenHash))
    if (doc !== null) await call('DEL', sessionIdKey(keyPrefix, (JSON.parse(doc) as Session).id))
  }

  /** Removes index entries of creations that died; how many. */
  async function forgetAbandoned(ids: readonly string[]): Promise<number> {
    const removals = await Promise.all(ids.map(async id => {
      const createdAt = Number(await call('ZSCORE', indexKey, id))
      return createdAt + abandonedMs < now() ? await call('ZREM', indexKey, id) as number : 0
    }))
    return removals.reduce((sum, removed) => sum + removed, 0)
  }
}

function inOneOrder(claims: readonly IdentifierClaim[]): IdentifierClaim[] {
  return claims.map(claim => [claimPart(claim), claim] as const).sort(([a], [b]) => a < b ? -1 : 1).map(([, claim]) => claim)
}
