/** The store inside this process: durable, nothing to install, for one process per directory. */
import { embeddedAttempts } from './embedded-attempts.js'
import { openDatabase, type EmbeddedOptions } from './embedded-database.js'
import { sweep } from './embedded-expiry.js'
import { embeddedFlows } from './embedded-flows.js'
import { embeddedIdentities } from './embedded-identities.js'
import { embeddedLimits } from './embedded-limits.js'
import { embeddedSessions } from './embedded-sessions.js'
import { embeddedShared } from './embedded-shared.js'
import type { Store } from './store.js'

/** Opens the directory for this process alone. Throws an `Error` for the operator when it can't, or when another has it. */
export async function openEmbeddedStore(options: EmbeddedOptions): Promise<Store> {
  const { now, sweepMs = 60_000 } = options
  const database = openDatabase(options)

  // A sweep that fails (a full disk) is tried again at the next turn; callers learn of the disk from their own writes.
  const sweeping = setInterval(() => void sweep(database, now).catch(() => undefined), sweepMs).unref()

  return {
    ...embeddedIdentities(database),
    ...embeddedFlows(database, now),
    ...embeddedAttempts(database, now),
    ...embeddedSessions(database, now),
    ...embeddedLimits(now),
    ...embeddedShared(database, now),
    ping: () => database.write(({ meta }) => {
      meta.putSync('ping', 1)
      return undefined
    }),
    async close() {
      clearInterval(sweeping)
      await database.close()
    },
  }
}
