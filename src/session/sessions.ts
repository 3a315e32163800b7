/** Where the two halves meet: registration and login issue sessions here, the `cookie_session` authenticator verifies them. */
import { randomUUID } from 'node:crypto'
import { LRUCache } from 'lru-cache'

import type { Identity, Session } from '../store/records.js'
import type { FoundSession, Store } from '../store/store.js'
import { createTokens } from './token.js'

/** A new session and the value of its cookie, which exists nowhere else. */
export interface IssuedSession {
  readonly session: Session
  readonly token: string
}

export interface Sessions {
  /** A new session with a new token; the oldest of the identity end beyond `session.max_per_identity`. */
  issue(identity: Identity): Promise<IssuedSession>
  /** The session that a cookie value names; `undefined` when it is forged, unknown, ended, or its time is over. */
  verify(token: string): Promise<FoundSession | undefined>
  /** Ends the session everywhere; nothing when the token names none. */
  revoke(token: string): Promise<void>
  /** Ends all sessions of an identity; how many there were. */
  revokeAll(identityId: string): Promise<number>
  /** Those of an identity that have not expired, oldest first. */
  list(identityId: string): Promise<ListedSession[]>
  /** The session with that public id; `undefined` when there is none that has not expired. */
  find(id: string): Promise<ListedSession | undefined>
  /** Ends the session with that public id, everywhere; false when there was none. */
  revokeById(id: string): Promise<boolean>
}

/** A session and whether it is still good for anything: one that was idle for too long is not, until its next use ends it. */
export interface ListedSession {
  readonly session: Session
  readonly active: boolean
}

/** Learns of sessions that begin and end here, one call per event. */
export interface SessionObserver {
  issued(): void
  /** `revoked` alone or all of an identity (`revoked_all`), found `idle`, or pushed out by `session.max_per_identity` (`limit`). */
  ended(reason: 'revoked' | 'revoked_all' | 'idle' | 'limit', count: number): void
}

export interface SessionOptions {
  /** The first signs, all verify; at least one. */
  readonly secrets: readonly string[]
  readonly lifespanMs: number
  /** 0: a session may go unused until it ends. */
  readonly idleLifespanMs: number
  /** 0: no limit. */
  readonly maxPerIdentity: number
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly observer?: SessionObserver
}

/** Use is noted at most this often, so that a busy session does not write at every request. */
const touchIntervalMs = 60_000
/** Sessions whose last note is remembered. */
const maxNoted = 10_000

/** Sessions kept in `store`. Rejects with `store_unavailable` when it can't answer: never with "no session". */
export function createSessions(store: Store, options: SessionOptions): Sessions {
  const { secrets, lifespanMs, idleLifespanMs, maxPerIdentity, now = Date.now, observer } = options
  // An idle limit shorter than the interval would end sessions that are in use.
  const touchAfterMs = idleLifespanMs === 0 ? touchIntervalMs : Math.min(touchIntervalMs, idleLifespanMs / 4)

  const tokens = createTokens(secrets)

  /** Also when it was used in a future that this clock has been set back from: the store wants to hear of use by its own clock. */
  const isTouchDue = (at: number, { lastSeenAt }: Session): boolean =>
    at >= lastSeenAt + touchAfterMs || (idleLifespanMs > 0 && at <= lastSeenAt - touchAfterMs)
  /** By the hash of their tokens, when this process last noted their use: by a clock that is wrong, what the store makes of a note is due again at once. */
  const noted = new LRUCache<string, number>({ max: maxNoted })
  const isIdle = ({ lastSeenAt }: Session): boolean => idleLifespanMs > 0 && now() >= lastSeenAt + idleLifespanMs

  /** Nobody waits for the note, nor is turned away when a store that is full or slow does not take it. */
  function noteUse(tokenHash: string, at: number): void {
    if (Math.abs(at - (noted.get(tokenHash) ?? -Infinity)) < touchAfterMs) return
    noted.set(tokenHash, at)
    store.touchSession(tokenHash, at, idleLifespanMs).catch(() => { noted.delete(tokenHash) })
  }

  return {
    async issue(identity) {
      const token = tokens.issue()
      const at = now()
      const session: Session = {
        id: randomUUID(),
        tokenHash: tokens.hashOf(token) as string,
        identityId: identity.id,
        authenticatedAt: at,
        issuedAt: at,
        expiresAt: at + lifespanMs,
        lastSeenAt: at,
      }
      await store.createSession(session, idleLifespanMs)
      observer?.issued()
      const pushedOut = maxPerIdentity > 0 ? await endOldest(store, session, maxPerIdentity) : 0
      if (pushedOut > 0) observer?.ended('limit', pushedOut)
      return { session, token }
    },

    async verify(token) {
      const tokenHash = tokens.hashOf(token)
      const found = tokenHash === undefined ? undefined : await store.findSession(tokenHash)
      if (found === undefined) return undefined

      const { session } = found
      const at = now()
      if (at >= session.expiresAt) return undefined
      if (isIdle(session)) {
        // A clock that was set forward says so of everybody; that of the store decides (security X15).
        const outcome = await store.endIdleSession(session.tokenHash, idleLifespanMs)
        if (outcome === 'ended') observer?.ended('idle', 1)
        if (outcome !== 'used') return undefined
      }
      if (isTouchDue(at, session)) noteUse(session.tokenHash, at)
      return found
    },

    async revoke(token) {
      const tokenHash = tokens.hashOf(token)
      if (tokenHash !== undefined && await store.deleteSession(tokenHash)) observer?.ended('revoked', 1)
    },

    async revokeAll(identityId) {
      const count = await store.deleteSessionsOf(identityId)
      if (count > 0) observer?.ended('revoked_all', count)
      return count
    },

    async list(identityId) {
      return (await store.listSessionsOf(identityId)).map(session => ({ session, active: !isIdle(session) }))
    },

    async find(id) {
      const session = await store.findSessionById(id)
      return session === undefined ? undefined : { session, active: !isIdle(session) }
    },

    async revokeById(id) {
      const session = await store.findSessionById(id)
      if (session === undefined || !await store.deleteSession(session.tokenHash)) return false
      observer?.ended('revoked', 1)
      return true
    },
  }
}

/** How many there were. The newest is none of them, though by a clock that was set back it may look the oldest. */
async function endOldest(store: Store, newest: Session, limit: number): Promise<number> {
  const others = (await store.listSessionsOf(newest.identityId)).filter(({ id }) => id !== newest.id)
  if (others.length < limit) return 0
  const oldestFirst = others.sort((left, right) => left.issuedAt - right.issuedAt)
  const ended = await Promise.all(oldestFirst.slice(0, others.length + 1 - limit).map(({ tokenHash }) => store.deleteSession(tokenHash)))
  return ended.filter(Boolean).length
}
