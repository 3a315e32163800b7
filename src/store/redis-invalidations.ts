/**
 * Redis tells what changes (`CLIENT TRACKING`), so that sessions and identities that were read may be kept in this process.
 * One connection listens and asks "are you there?" ten times a second: since its answers come in order, an answer to a
 * question says that every change acknowledged before that question has been heard of. Without a fresh answer nothing may
 * be believed, whatever the reason: a cut, a failover, or this process itself having been stopped for a while.
 */
import type { Redis } from 'ioredis'

import type { RedisAddress } from './dsn.js'
import { plainClient } from './redis-connection.js'
import type { Sentinels } from './redis-sentinels.js'
import type { Change, Invalidations } from './store.js'

/**
 * How old the last question that was answered may be. A revocation holds everywhere within a second, also when Redis is
 * frozen: then this runs out, and the next look-up runs into its own timeout.
 */
const freshMs = 400
const askEveryMs = 100

const channel = '__redis__:invalidate'

export interface ListenedChanges {
  readonly invalidations: Invalidations | undefined
  /** Whatever was read so far may have changed. */
  readonly forget: () => void
  readonly stop: () => void
}

/** Begins to listen; never fails: until Redis tells of changes, `isCurrent` says no. A Cluster has no one to tell of all changes. */
export function listenForChanges(
  address: RedisAddress, sentinels: Sentinels | undefined, { timeoutMs, keyPrefix }: { readonly timeoutMs: number, readonly keyPrefix: string },
): ListenedChanges {
  if (address.topology === 'cluster') return { invalidations: undefined, forget: () => undefined, stop: () => undefined }

  const sessionPrefix = `${keyPrefix}session:`
  const identityPrefix = `${keyPrefix}identity:{`
  // RESP2, where changes arrive as messages of a channel. Subscribing anew is ours, since it begins with a new tracking.
  const client = plainClient(address, timeoutMs, sentinels, { protocol: 2, autoResubscribe: false })
  let listener: (change: Change) => void = () => undefined
  let believedUntil = -Infinity
  let listening = false

  function lose(): void {
    listening = false
    believedUntil = -Infinity
    listener('everything')
  }

  async function begin(): Promise<void> {
    const id = await client.call('CLIENT', 'ID') as number
    await client.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', 'PREFIX', sessionPrefix, 'PREFIX', identityPrefix)
    await client.subscribe(channel)
    listening = true
    await ask()
  }

  async function ask(): Promise<void> {
    if (!listening) return
    const askedAt = performance.now()
    await client.ping()
    believedUntil = askedAt + freshMs
  }

  function hear(keys: readonly Buffer[] | null): void {
    // No list of keys: the database was flushed.
    if (keys === null) return listener('everything')
    for (const key of keys) {
      const name = key.toString()
      if (name.startsWith(sessionPrefix)) listener({ session: name.slice(sessionPrefix.length) })
      else listener({ identity: name.slice(identityPrefix.length, -1) })
    }
  }

  client.on('ready', () => void begin().catch(() => { client.disconnect(true) }))
  client.on('close', lose)
  client.on('messageBuffer', (_channel: Buffer, keys: unknown) => { hear(keys as readonly Buffer[] | null) })
  client.connect().catch(() => undefined)
  const asking = setInterval(() => void ask().catch(() => undefined), askEveryMs).unref()

  return {
    invalidations: {
      isCurrent: () => performance.now() < believedUntil,
      listen(heard) { listener = heard },
    },
    forget: () => { listener('everything') },
    stop: () => { stop(client, asking) },
  }
}

function stop(client: Redis, asking: NodeJS.Timeout): void {
  clearInterval(asking)
  client.removeAllListeners('close').disconnect()
}
