/**
 * Sessions in Redis. A session is a hash under its token hash: the document (`doc`), when it was last seen by the clock of
 * whoever saw it (`seen`), and by that of Redis when it was last used (`used`) and when it ends (`ends`). The clock of Redis
 * decides, whatever those of the gateways say (security X15): the key expires at its end, or earlier, when it goes unused.
 * Beside each identity there is an index of its sessions by their ends. It never expires, since losing it to eviction would
 * put sessions out of reach of "log out everywhere"; instead what ended a day ago is dropped from it at each login. An index
 * of all sessions by their ends serves nothing but counting them, and is tidied in the same way.
 */
import type { Identity, Session } from './records.js'
import { script, type RedisCommands } from './redis-connection.js'
import { identityKey, sessionEndsKey, sessionIdKey, sessionIndexKey, sessionKey } from './redis-keys.js'
import type { GuardedCommands } from './redis-safety.js'
import { redisNow } from './redis-scripts.js'
import { clockToleranceMs } from './retention.js'
import type { Store } from './store.js'

type Sessions = Pick<Store,
  'createSession' | 'findSession' | 'findSessionById' | 'touchSession' | 'endIdleSession' | 'deleteSession' | 'deleteSessionsOf' | 'listSessionsOf' | 'countSessions'>

/** Ends are told by the clocks of gateways, and one that is ahead must not drop what others still honour. */
const indexGraceMs = 86_400_000

/** `[identity, index], [before, expiresAt, tokenHash]`: enters a session of an identity that exists; what ended before is dropped. */
const enter = script(`
  if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
  return 1
`)

/** `[ends], [before, expiresAt, tokenHash]`: counts a session from now on; what ended before is dropped. The index ends with its last. */
const enterEnd = script(`
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
  redis.call('PEXPIRE', KEYS[1], last[2] - ARGV[1])
`)

/** `[session], [ttlMs, idleMs, doc, lastSeenAt]`: writes a new session. */
const put = script(`
  ${redisNow}
  local ttl, idle = tonumber(ARGV[1]), tonumber(ARGV[2])
  redis.call('HSET', KEYS[1], 'doc', ARGV[3], 'seen', ARGV[4], 'used', format(now), 'ends', format(now + ttl))
  redis.call('PEXPIRE', KEYS[1], idle > 0 and math.min(ttl, idle) or ttl)
`)

/**
 * `[session], [lastSeenAt, idleMs, toleranceMs]`: only while the session is there. `seen` moves only forwards, but for what
 * a clock has written that was far ahead. A session of an older version says nothing of its end; its key does.
 */
const touch = script(`
  ${redisNow}
  local found = redis.call('HMGET', KEYS[1], 'seen', 'ends')
  local seen = tonumber(found[1])
  if not seen then return end
  local latest = now + tonumber(ARGV[3])
  local at = math.min(tonumber(ARGV[1]), latest)
  if seen < at or seen > latest then seen = at end
  redis.call('HSET', KEYS[1], 'seen', format(seen), 'used', format(now))
  local ttl = found[2] and tonumber(found[2]) - now or redis.call('PTTL', KEYS[1])
  local idle = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], idle > 0 and math.min(ttl, idle) or ttl)
`)

/** `[session], [idleMs]`: its document, when it was not used for that long and this call ended it, else whether it is there. */
const endIdle = script(`
  ${redisNow}
  local found = redis.call('HMGET', KEYS[1], 'doc', 'used', 'seen')
  if not found[1] then return 'gone' end
  if now - tonumber(found[2] or found[3]) < tonumber(ARGV[1]) then return 'used' end
  redis.call('DEL', KEYS[1])
  return found[1]
`)

/** `[session]`: the document of the session that this call, and no other, ended. */
const take = script(`
  local doc = redis.call('HGET', KEYS[1], 'doc')
  redis.call('DEL', KEYS[1])
  return doc
`)

/** The part of the store that keeps sessions. A session that it says is ended stays so when Redis is killed. */
export function redisSessions({ call, run, beginChange }: RedisCommands & Pick<GuardedCommands, 'beginChange'>, keyPrefix: string, now: () => number): Sessions {
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
    await forget(session)
    return session.expiresAt <= now() ? undefined : session
  }

  /** What names it besides its own key. */
  async function forget({ id, identityId, tokenHash }: Session): Promise<void> {
    await Promise.all([
      call('ZREM', sessionIndexKey(keyPrefix, identityId), tokenHash),
      call('DEL', sessionIdKey(keyPrefix, id)),
      call('ZREM', sessionEndsKey(keyPrefix), tokenHash),
    ])
  }

  const indexed = (identityId: string): Promise<string[]> =>
    call('ZRANGE', sessionIndexKey(keyPrefix, identityId), 0, -1) as Promise<string[]>

  return {
    async createSession(session, idleMs = 0) {
      const { id, identityId, expiresAt, tokenHash, lastSeenAt } = session
      const ttlMs = expiresAt - now()
      const before = now() - indexGraceMs
      if (ttlMs <= 0) return

      // The indexes first: a session that nobody can list or name could not be revoked.
      const keys = [identityKey(keyPrefix, identityId), sessionIndexKey(keyPrefix, identityId)]
      if (await run(enter, keys, [before, expiresAt, tokenHash]) === 0) return
      await call('SET', sessionIdKey(keyPrefix, id), tokenHash, 'PX', ttlMs)
      await Promise.all([
        run(put, [sessionKey(keyPrefix, tokenHash)], [ttlMs, idleMs, JSON.stringify(session), lastSeenAt]),
        run(enterEnd, [sessionEndsKey(keyPrefix)], [before, expiresAt, tokenHash]),
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

    async touchSession(tokenHash, lastSeenAt, idleMs = 0) {
      await run(touch, [sessionKey(keyPrefix, tokenHash)], [lastSeenAt, idleMs, clockToleranceMs])
    },

    async endIdleSession(tokenHash, idleMs) {
      const outcome = await run(endIdle, [sessionKey(keyPrefix, tokenHash)], [idleMs]) as string
      if (outcome === 'used' || outcome === 'gone') return outcome
      await forget(JSON.parse(outcome) as Session)
      return 'ended'
    },

    async deleteSession(tokenHash) {
      const { written } = beginChange()
      const session = await end(tokenHash)
      // Also when there was none: an end that was not acknowledged is asked for again.
      await written()
      return session !== undefined
    },

    async deleteSessionsOf(identityId, except) {
      const { written } = beginChange()
      // eslint-disable-next-line no-restricted-syntax -- both are ours, nobody presented them
      const ending = (await indexed(identityId)).filter(tokenHash => tokenHash !== except)
      const ended = await Promise.all(ending.map(end))
      await written()
      return ended.filter(session => session !== undefined).length
    },

    async listSessionsOf(identityId) {
      const found = await Promise.all((await indexed(identityId)).map(find))
      return found.filter(session => session !== undefined).sort((a, b) => a.issuedAt - b.issuedAt)
    },

    countSessions: () => call('ZCOUNT', sessionEndsKey(keyPrefix), `(${now()}`, '+inf') as Promise<number>,
  }
}
