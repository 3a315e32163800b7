/**
 * Keeps sessions that were looked up in this process, so that a check of a session is not a round trip (performance.md).
 * Correct before fast: an entry counts only as long as the store vouches that it has told of every change; see
 * `Invalidations`.
 */
import { LRUCache } from 'lru-cache'

import type { Change, FoundSession, Invalidations, Store } from '../store/store.js'

/** A look-up under way, and whether what it will find has changed meanwhile. */
interface LookUp {
  readonly tokenHash: string
  readonly changedIdentities: Set<string>
  stale: boolean
}

/** Answered from memory, asked of the store to be kept, or asked because nothing may be kept. */
export type SessionLookUp = 'hit' | 'miss' | 'off'

/**
 * The same store with `findSession` answered from memory where that is safe. Changes made through it are seen at once.
 * `onLookUp` learns of each look-up.
 */
export function withSessionCache(
  store: Store, invalidations: Invalidations, entries: number, onLookUp: (result: SessionLookUp) => void = () => undefined,
): Store {
  const found = new LRUCache<string, FoundSession>({ max: entries, dispose: (session, tokenHash) => { unlink(session, tokenHash) } })
  const byIdentity = new Map<string, Set<string>>()
  const underWay = new Set<LookUp>()

  function unlink({ identity }: FoundSession, tokenHash: string): void {
    const tokens = byIdentity.get(identity.id)
    tokens?.delete(tokenHash)
    if (tokens?.size === 0) byIdentity.delete(identity.id)
  }

  function keep(tokenHash: string, session: FoundSession): void {
    found.set(tokenHash, session)
    const tokens = byIdentity.get(session.identity.id)
    if (tokens === undefined) byIdentity.set(session.identity.id, new Set([tokenHash]))
    else tokens.add(tokenHash)
  }

  function forgetSession(tokenHash: string): void {
    found.delete(tokenHash)
    // eslint-disable-next-line no-restricted-syntax -- both are ours, nobody presented them
    for (const lookUp of underWay) lookUp.stale ||= lookUp.tokenHash === tokenHash
  }

  function forgetIdentity(id: string): void {
    for (const tokenHash of [...byIdentity.get(id) ?? []]) found.delete(tokenHash)
    for (const lookUp of underWay) lookUp.changedIdentities.add(id)
  }

  function forgetEverything(): void {
    found.clear()
    for (const lookUp of underWay) lookUp.stale = true
  }

  invalidations.listen((change: Change) => {
    if (change === 'everything') forgetEverything()
    else if ('session' in change) forgetSession(change.session)
    else forgetIdentity(change.identity)
  })

  /** Our own changes count from the moment they are asked for, and again when they are done: a look-up may fall in between. */
  async function changing<Result>(forget: () => void, change: Promise<Result>): Promise<Result> {
    forget()
    try {
      return await change
    } finally {
      forget()
    }
  }

  return {
    ...store,
    async findSession(tokenHash) {
      if (!invalidations.isCurrent()) {
        onLookUp('off')
        return store.findSession(tokenHash)
      }
      const kept = found.get(tokenHash)
      onLookUp(kept === undefined ? 'miss' : 'hit')
      if (kept !== undefined) return kept

      const lookUp: LookUp = { tokenHash, changedIdentities: new Set(), stale: false }
      underWay.add(lookUp)
      try {
        const session = await store.findSession(tokenHash)
        if (session !== undefined && !lookUp.stale && !lookUp.changedIdentities.has(session.identity.id)) keep(tokenHash, session)
        return session
      } finally {
        underWay.delete(lookUp)
      }
    },
    touchSession: (tokenHash, at, idleMs) => changing(() => { forgetSession(tokenHash) }, store.touchSession(tokenHash, at, idleMs)),
    endIdleSession: (tokenHash, idleMs) => changing(() => { forgetSession(tokenHash) }, store.endIdleSession(tokenHash, idleMs)),
    deleteSession: tokenHash => changing(() => { forgetSession(tokenHash) }, store.deleteSession(tokenHash)),
    deleteSessionsOf: (id, except) => changing(() => { forgetIdentity(id) }, store.deleteSessionsOf(id, except)),
    updateIdentity: next => changing(() => { forgetIdentity(next.id) }, store.updateIdentity(next)),
    deleteIdentity: id => changing(() => { forgetIdentity(id) }, store.deleteIdentity(id)),
  }
}
