/**
 * What has expired leaves the embedded store. Readers check instants themselves; this is only about space: an index of
 * instants, swept now and then. An entry is a hint to look, since what it names may have been given a later end.
 */
import type { EmbeddedDatabase, Tables } from './embedded-database.js'
import { idPart } from './keys.js'
import { errorRetentionMs, flowRetentionMs } from './retention.js'

type Expiring = 'sessions' | 'flows' | 'errors' | 'attempts' | 'shared'

/** Records removed in one transaction, so that a long backlog does not hold up everyone else. */
const batchSize = 500

/** Notes within a write that the record may go from that instant on. */
export function expireAt({ expiry }: Tables, instant: number, table: Expiring, key: string): void {
  expiry.putSync([instant, table, key], true)
}

/** How many sessions have ended and are still there, because no sweep has come since. */
export function expiredSessions(tables: Tables, instant: number): number {
  const due = tables.expiry.getKeys({ end: [instant, '\u{10ffff}', ''] })
  return new Set([...due].filter(([, table, key]) => table === 'sessions' && endOf(tables, 'sessions', key) <= instant).map(([, , key]) => key)).size
}

/** Removes everything that has expired; resolves to how many hints were followed. */
export async function sweep({ write }: EmbeddedDatabase, now: () => number): Promise<number> {
  let total = 0
  for (;;) {
    const followed = await write(tables => sweepBatch(tables, now()))
    total += followed
    if (followed < batchSize) return total
  }
}

/** Notes of a flow whose time is over that it is, for good. */
export function markExpired({ flows }: Tables, key: string, instant: number): void {
  const found = flows.get(key)
  if (found !== undefined && found.flow.expiresAt <= instant) flows.putSync(key, { ...found, expired: true })
}

function sweepBatch(tables: Tables, instant: number): number {
  const due = [...tables.expiry.getKeys({ end: [instant, '\u{10ffff}', ''], limit: batchSize })]
  for (const hint of due) {
    const [, table, key] = hint
    if (endOf(tables, table as Expiring, key) <= instant) forget(tables, table as Expiring, key)
    else if (table === 'flows') markExpired(tables, key, instant)
    tables.expiry.removeSync(hint)
  }
  return due.length
}

/** When the record may go; a record that is gone already has no end. */
function endOf({ sessions, flows, errors, attempts, shared }: Tables, table: Expiring, key: string): number {
  switch (table) {
    case 'sessions': return sessions.get(key)?.expiresAt ?? Infinity
    case 'flows': return (flows.get(key)?.flow.expiresAt ?? Infinity) + flowRetentionMs
    case 'errors': return (errors.get(key)?.createdAt ?? Infinity) + errorRetentionMs
    case 'shared': return shared.get(key)?.expiresAt ?? Infinity
    case 'attempts': return attempts.get(key)?.expiresAt ?? Infinity
  }
}

function forget(tables: Tables, table: Expiring, key: string): void {
  const session = table === 'sessions' ? tables.sessions.get(key) : undefined
  if (session !== undefined) {
    tables.sessionsOf.removeSync([idPart(session.identityId), key])
    tables.sessionIds.removeSync(idPart(session.id))
  }
  tables[table].removeSync(key)
}
