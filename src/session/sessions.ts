/** Where the two halves meet: registration and login issue sessions here, the `cookie_session` authenticator verifies them. */
import { randomUUID } from 'node:crypto'

import type { Identity, Session } from '../store/records.js'
import type { FoundSession, Store } from '../store/store.js'
import { isSigned, newToken, tokenHash } from './token.js'

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
}

/** Use is noted at most this often, so that a busy session does not write at every request. */
const touchIntervalMs = 60_000

/** Sessions kept in `store`. Rejects with `store_unavailable` when it can't answer: never with "no session". */
export function createSessions(store: Store, options: SessionOptions): Sessions {
  const { secrets, lifespanMs, idleLifespanMs, maxPerIdentity, now = Date.now } = options
  // An idle limit shorter than the interval would end sessions that are in use.
  const touchAfterMs = idleLifespanMs === 0 ? touchIntervalMs : Math.min(touchIntervalMs, idleLifespanMs / 4)

  return {
    async issue(identity) {
      const token = newToken(secrets)
      const at = now()
      const session: Session = {
        id: randomUUID(),
        tokenHash: tokenHash(token),
        identityId: identity.id,
        authenticatedAt: at,
        issuedAt: at,
        expiresAt: at + lifespanMs,
        lastSeenAt: at,
      }
      await store.createSession(session)
      if (maxPerIdentity > 0) await endOldest(store, identity.id, maxPerIdentity)
      return { session, token }
    },

    async verify(token) {
      if (!isSigned(token, secrets)) return undefined

      const found = await store.findSession(tokenHash(token))
      if (found === undefined) return undefined

      const { session } = found
      const at = now()
      if (at >= session.expiresAt) return undefined
      if (idleLifespanMs > 0 && at >= session.lastSeenAt + idleLifespanMs) {
        await store.deleteSession(session.tokenHash)
        return undefined
      }
      if (at >= session.lastSeenAt + touchAfterMs) await store.touchSession(session.tokenHash, at)
      return found
    },

    async revoke(token) {
      if (isSigned(token, secrets)) await store.deleteSession(tokenHash(token))
    },

    revokeAll: identityId => store.deleteSessionsOf(identityId),
  }
}

async function endOldest(store: Store, identityId: string, limit: number): Promise<void> {
  const sessions = await store.listSessionsOf(identityId)
  if (sessions.length <= limit) return
  const oldestFirst = [...sessions].sort((left, right) => left.issuedAt - right.issuedAt)
  await Promise.all(oldestFirst.slice(0, sessions.length - limit).map(({ tokenHash }) => store.deleteSession(tokenHash)))
}
