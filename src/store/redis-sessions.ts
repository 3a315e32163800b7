/**
 * Sessions in Redis. A session is a hash under its token hash: the document and, apart from it, when it was last seen.
 * Beside each identity there is an index of its sessions by their ends. It never expires, since losing it to eviction would
 * put sessions out of reach of "log out everywhere"; instead what has ended is dropped from it at each login. An index of all
 * sessions by their ends serves nothing but counting them, and is tidied in the same way.
 */
import type { Identity, Session } from './records.js'
import { script, type RedisCommands } from './redis-connection.js'
import { identityKey, sessionEndsKey, sessionIdKey, sessionIndexKey, sessionKey } from './redis-keys.js'
import { putFields } from './redis-scripts.js'
import type { Store } from './store.js'

type Sessions = Pick<Store,
  'createSession' | 'findSession' | 'findSessionById' | 'touchSession' | 'deleteSession' | 'deleteSessionsOf' | 'listSessionsOf' | 'countSessions'>

/** `[identity, index], [now, expiresAt, tokenHash]`: enters a session of an identity that exists. */
const enter = script(`
  if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
  return 1
`)

/** `[ends], [now, expiresAt, tokenHash]`: counts a session from now on, and those that have ended no longer. The index ends with its last. */
const enterEnd = script(`
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
  redis.call('PEXPIRE', KEYS[1], last[2] - ARGV[1])
`)

/** `[session], [lastSeenAt]`: only forwards, and only while the session is there. */
const touch = script(`
  local seen = redis.call('HGET', KEYS[1], 'seen')
  if seen and tonumber(seen) < tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], 'seen', ARGV[1]) end
`)

/** `[session]`: the document of the session that this call, and no other, ended. */
const take = script(`
  local doc = redis.call('HGET', KEYS[1], 'doc')
  redis.call('DEL', KEYS[1])
  return doc
`)

/** The part of the store that keeps sessions. */
export function redisSessions({ call, run }: RedisCommands, keyPrefix: string, now: () => number): Sessions {
  async function find(tokenHash: string): Promise<Session | undefined> {
    const [doc, seen] = await call('HMGET', sessionKey(keyPrefix, tokenHash), 'doc', 'seen') as [string | null, string | null]
    if (doc === null) return undefined
    const session = JSON.parse(doc) as Session
    return session.expiresAt <= now() ? undefined : { ...session, lastSeenAt: Number(seen) }
  }

  /** Ends the session. What was ended but had expired by then counts as not there. */
  async function end(tokenHash: string): Promise<Session | undefined> {
    const doc = await run(take, [sessionKey(keyPrefix, tokenHash)], []) as string | null
    if (doc === null) return undefined
    const session = JSON.parse(doc) as Session
    await Promise.all([
      call('ZREM', sessionIndexKey(keyPrefix, session.identityId), tokenHash),
      call('DEL', sessionIdKey(keyPrefix, session.id)),
      call('ZREM', sessionEndsKey(keyPrefix), tokenHash),
    ])
    return session.expiresAt <= now() ? undefined : session
  }

  const indexed = (identityId: string): Promise<string[]> =>
    call('ZRANGE', sessionIndexKey(keyPrefix, identityId), 0, -1) as Promise<string[]>

  return {
    async createSession(session) {
      const { id, identityId, expiresAt, tokenHash, lastSeenAt } = session
      const ttlMs = expiresAt - now()
      if (ttlMs <= 0) return

      // The indexes first: a session that nobody can list or name could not be revoked.
      const keys = [identityKey(keyPrefix, identityId), sessionIndexKey(keyPrefix, identityId)]
      if (await run(enter, keys, [now(), expiresAt, tokenHash]) === 0) return
      await call('SET', sessionIdKey(keyPrefix, id), tokenHash, 'PX', ttlMs)
      await Promise.all([
        run(putFields, [sessionKey(keyPrefix, tokenHash)], [ttlMs, 'doc', JSON.stringify(session), 'seen', lastSeenAt]),
        run(enterEnd, [sessionEndsKey(keyPrefix)], [now(), expiresAt, tokenHash]),
      ])
    },

    async findSession(tokenHash) {
      const session = await find(tokenHash)
      if (session === undefined) return undefined
      const doc = await call('GET', identityKey(keyPrefix, session.identityId)) as string | null
      return doc === null ? undefined : { session, identity: JSON.parse(doc) as Identity }
    },

    async findSessionById(id) {
      const tokenHash = await call('GET', sessionIdKey(keyPrefix, id)) as string | null
      return tokenHash === null ? undefined : find(tokenHash)
    },

    async touchSession(tokenHash, lastSeenAt) {
      await run(touch, [sessionKey(keyPrefix, tokenHash)], [lastSeenAt])
    },

    deleteSession: async tokenHash => await end(tokenHash) !== undefined,

    async deleteSessionsOf(identityId, except) {
      const ending = (await indexed(identityId)).filter(tokenHash => tokenHash !== except)
      return (await Promise.all(ending.map(end))).filter(session => session !== undefined).length
    },

    async listSessionsOf(identityId) {
      const found = await Promise.all((await indexed(identityId)).map(find))
      return found.filter(session => session !== undefined).sort((a, b) => a.issuedAt - b.issuedAt)
    },

    countSessions: () => call('ZCOUNT', sessionEndsKey(keyPrefix), `(${now()}`, '+inf') as Promise<number>,
  }
}
