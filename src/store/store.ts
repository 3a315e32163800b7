/**
 * What the gateway needs of a place to keep things: one interface, two drivers (`redis.ts`, `embedded.ts`), one contract
 * suite that both pass. When the place can't answer, every method rejects with `GatewayError('store_unavailable')`,
 * within `store.timeout`.
 */
import type { Flow, IdentifierClaim, Identity, Session, SignInAttempt, StoredError } from './records.js'

/**
 * What an acknowledged change survives: `required`, a kill of the store; `replicated`, also a failover of Redis; `none`,
 * what the store makes of it.
 */
export type Durability = 'required' | 'replicated' | 'none'

/** A flow as found. */
export interface FoundFlow {
  readonly flow: Flow
  /** Its one submit has been spent. */
  readonly consumed: boolean
  /** Its time is over: by the clock of this process, or by what the store knows better (security X15). */
  readonly expired: boolean
}

/** A session together with its owner. */
export interface FoundSession {
  readonly session: Session
  readonly identity: Identity
}

/** What changed: a session by its token hash, an identity by its id, or anything whatever. */
export type Change = { readonly session: string } | { readonly identity: string } | 'everything'

/** A store that other processes change too tells of their changes. */
export interface Invalidations {
  /** Whether, right now, every change that was acknowledged to anybody a second ago has been told. */
  isCurrent(): boolean
  /** Replaces the listener. It is called for every change, also for those of this process. */
  listen(listener: (change: Change) => void): void
}

/** `burst` at once, and one more every `intervalMs`. */
export interface RateLimit {
  readonly burst: number
  readonly intervalMs: number
}

export interface Store {
  /** Absent where nothing that was read may be kept: what is asked for must be asked for. */
  readonly invalidations?: Invalidations

  /**
   * Writes a new identity and claims all its identifiers, or neither: answers the first claim that another identity
   * holds, or `undefined` when the identity was created. Of concurrent creations with one identifier one wins. Once it
   * answers `undefined` the identity survives a kill of this process and, durability permitting, of the store.
   */
  createIdentity(identity: Identity): Promise<IdentifierClaim | undefined>
  findIdentity(id: string): Promise<Identity | undefined>
  findIdentityByIdentifier(claim: IdentifierClaim): Promise<Identity | undefined>
  /**
   * Replaces the identity that has `next.id`, moving its claims. `next.version` must be one more than what is stored:
   * `'stale'` when it is not (or the identity is gone), a claim when another identity holds it, `undefined` when done.
   */
  updateIdentity(next: Identity): Promise<IdentifierClaim | 'stale' | undefined>
  /** Deletes the identity with its claims and all its sessions; false when there was none. */
  deleteIdentity(id: string): Promise<boolean>
  /** By creation, oldest first. */
  listIdentities(page: { readonly limit: number, readonly offset: number }): Promise<Identity[]>
  /** Of the identities there are, how many were created from each instant up to the next: one number less than instants, which rise. */
  countIdentities(instants: readonly number[]): Promise<number[]>

  /** Writes or overwrites; whether the flow is consumed or expired does not change. Forgotten `flowRetentionMs` (`retention.ts`) after it expires. */
  saveFlow(flow: Flow): Promise<void>
  findFlow(id: string): Promise<FoundFlow | undefined>
  /** Spends the flow's one submit: true for exactly one caller, however many ask at once. */
  consumeFlow(id: string): Promise<boolean>
  /** Gives the submit back, when what it was spent on did not come about. */
  releaseFlow(id: string): Promise<void>

  /** Forgotten at `attempt.expiresAt` by itself. */
  saveAttempt(attempt: SignInAttempt): Promise<void>
  /** Finds an attempt and forgets it: of all who ask for it one gets it. */
  takeAttempt(key: string): Promise<SignInAttempt | undefined>

  /**
   * Forgotten at `session.expiresAt` by itself, and by a store that has a clock of its own once it was not touched for
   * `idleMs` (absent or 0: no limit). Nothing is written when the identity is gone or the end is past.
   */
  createSession(session: Session, idleMs?: number): Promise<void>
  /** The session with that token hash and the identity that owns it; `undefined` when either is gone or it has expired. */
  findSession(tokenHash: string): Promise<FoundSession | undefined>
  /** The session with that public id; `undefined` when it is gone or has expired. */
  findSessionById(id: string): Promise<Session | undefined>
  /** Notes that a session was used; nothing when it is gone. Never brings a deleted session back. `idleMs` counts from now on. */
  touchSession(tokenHash: string, lastSeenAt: number, idleMs?: number): Promise<void>
  /** Ends a session that nobody has used for that long, by the store's clock if it has one: it was `used`, or it is `gone`. */
  endIdleSession(tokenHash: string, idleMs: number): Promise<'ended' | 'used' | 'gone'>
  /** False when there was none. */
  deleteSession(tokenHash: string): Promise<boolean>
  /** How many there were. `except` names a token hash that stays. */
  deleteSessionsOf(identityId: string, except?: string): Promise<number>
  /** Oldest first. */
  listSessionsOf(identityId: string): Promise<Session[]>
  /** How many have not ended, for people to read: what a crash left behind may be counted until its end. */
  countSessions(): Promise<number>

  /** Forgotten after a day. */
  saveError(error: StoredError): Promise<void>
  findError(id: string): Promise<StoredError | undefined>

  /**
   * Takes one token of a bucket: 0 when there was one, else the milliseconds until there is. Concurrent callers never get
   * more than the limit allows. A bucket that nobody asks for is forgotten once it is full.
   */
  takeToken(bucket: string, limit: RateLimit): Promise<number>

  /** Writes a text that all processes share under a name; forgotten at `expiresAt`, or never when it is absent. */
  saveShared(name: string, text: string, expiresAt?: number): Promise<void>
  findShared(name: string): Promise<string | undefined>
  /** True when the lease is now the holder's, for that long from now on: nobody else holds it, or the holder does already. */
  takeLease(name: string, holder: string, forMs: number): Promise<boolean>
  /** Gives the lease back before its end; nothing when it is not the holder's. */
  releaseLease(name: string, holder: string): Promise<void>

  /**
   * Resolves when the store answers and may be written to, to what is wrong with it nevertheless, if anything; rejects with
   * `store_unavailable` otherwise, whose `reason` says why if that is known. Neither says where the store is.
   */
  ping(): Promise<string | undefined>
  /** Resolves when everything acknowledged is where it has to be and all connections are closed. */
  close(): Promise<void>
}
