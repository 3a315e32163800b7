/** Sessions in the embedded store. Ends are written through to the disk: a logout must not be undone by a power cut. */
import type { EmbeddedDatabase, Tables } from './embedded-database.js'
import { underneath } from './embedded-identities.js'
import { expireAt, expiredSessions } from './embedded-expiry.js'
import { idPart } from './keys.js'
import type { Session } from './records.js'
import { clockToleranceMs } from './retention.js'
import type { Store } from './store.js'

type Sessions = Pick<Store,
  'createSession' | 'findSession' | 'findSessionById' | 'touchSession' | 'endIdleSession' | 'deleteSession' | 'deleteSessionsOf' | 'listSessionsOf' | 'countSessions'>

/** The part of the store that keeps sessions. */
export function embeddedSessions({ read, write, writeThrough }: EmbeddedDatabase, now: () => number): Sessions {
  const live = ({ sessions }: Tables, key: string): Session | undefined => {
    const session = sessions.get(key)
    return session === undefined || session.expiresAt <= now() ? undefined : session
  }
  const liveOf = (tables: Tables, identityId: string): Session[] =>
    [...tables.sessionsOf.getKeys(underneath(idPart(identityId)))].flatMap(([, key]) => live(tables, key) ?? [])

  return {
    createSession: session => write(tables => {
      const identityKey = idPart(session.identityId)
      if (session.expiresAt <= now() || !tables.identities.doesExist(identityKey)) return

      const key = idPart(session.tokenHash)
      tables.sessions.putSync(key, session)
      tables.sessionIds.putSync(idPart(session.id), key)
      tables.sessionsOf.putSync([identityKey, key], true)
      expireAt(tables, session.expiresAt, 'sessions', key)
    }),

    async findSession(tokenHash) {
      const found = await read(({ sessions, identities }) => {
        const session = sessions.get(idPart(tokenHash))
        const identity = session && identities.get(idPart(session.identityId))
        return session && identity && { session, identity }
      })
      if (found === undefined || found.session.expiresAt > now()) return found
      // What was seen to be over stays so when the clock is set back. A disk that can't be written to is learnt of elsewhere.
      await write(tables => { remove(tables, found.session) }).catch(() => undefined)
      return undefined
    },

    findSessionById: id => read(tables => {
      const key = tables.sessionIds.get(idPart(id))
      return key === undefined ? undefined : live(tables, key)
    }),

    touchSession: (tokenHash, lastSeenAt) => write(tables => {
      const session = live(tables, idPart(tokenHash))
      if (session === undefined) return
      const wasAhead = session.lastSeenAt > now() + clockToleranceMs
      if (session.lastSeenAt < lastSeenAt || wasAhead) tables.sessions.putSync(idPart(tokenHash), { ...session, lastSeenAt })
    }),

    endIdleSession: (tokenHash, idleMs) => writeThrough(tables => {
      const session = live(tables, idPart(tokenHash))
      if (session === undefined) return 'gone'
      if (now() < session.lastSeenAt + idleMs) return 'used'
      remove(tables, session)
      return 'ended'
    }),

    deleteSession: tokenHash => writeThrough(tables => {
      const session = live(tables, idPart(tokenHash))
      if (session !== undefined) remove(tables, session)
      return session !== undefined
    }),

    deleteSessionsOf: (identityId, except) => writeThrough(tables => {
      // eslint-disable-next-line no-restricted-syntax -- both are ours, nobody presented them
      const ended = liveOf(tables, identityId).filter(({ tokenHash }) => tokenHash !== except)
      for (const session of ended) remove(tables, session)
      return ended.length
    }),

    listSessionsOf: identityId => read(tables => liveOf(tables, identityId).sort((a, b) => a.issuedAt - b.issuedAt)),

    countSessions: () => read(tables => sessionEntries(tables) - expiredSessions(tables, now())),
  }
}

/** By what LMDB knows without looking at any of them. */
function sessionEntries({ sessions }: Tables): number {
  return (sessions.getStats() as { readonly entryCount: number }).entryCount
}

function remove({ sessions, sessionIds, sessionsOf }: Tables, { id, identityId, tokenHash }: Session): void {
  sessions.removeSync(idPart(tokenHash))
  sessionIds.removeSync(idPart(id))
  sessionsOf.removeSync([idPart(identityId), idPart(tokenHash)])
}
