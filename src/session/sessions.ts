/** Where the two halves meet: registration and login issue sessions here, the `cookie_session` authenticator verifies them. */
import type { FoundSession } from '../store/store.js'
import type { Identity, Session } from '../store/records.js'

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
