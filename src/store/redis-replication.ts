/**
 * Whether another server holds what Redis acknowledged (`store.durability: replicated`), so that a failover does not lose
 * it. Asked over a connection of its own: `WAIT` would make everybody's commands wait behind it.
 */
import { GatewayError } from '../errors.js'
import type { RedisConnection } from './redis-connection.js'

/** How long a replica may take to have everything. */
const patienceMs = 200

/**
 * Resolves when a replica has all that the server of `connection` acknowledged before; rejects with `store_unavailable` when
 * none has in time. `waiting` is a second connection to that server, where a write is made: replicas hear of writes in one
 * order, so one that has this write has those before it.
 */
export function replicationOf(connection: RedisConnection, waiting: RedisConnection, barrierKey: string): () => Promise<void> {
  let current: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined

  async function round(): Promise<void> {
    // In one go, hence over one connection: one that breaks in between fails all three.
    const [, server, replicas] = await Promise.all([
      waiting.call('SET', barrierKey, ''), waiting.call('INFO', 'server'), waiting.call('WAIT', 1, patienceMs),
    ])
    if (Number(replicas) < 1) throw new GatewayError('store_unavailable', { detail: 'redis: no replica has what was acknowledged' })
    if (runId(server) !== runId(await connection.call('INFO', 'server'))) {
      throw new GatewayError('store_unavailable', { detail: 'redis: another server has become the master' })
    }
  }

  // Whoever comes while a round is under way shares the next: what it acknowledged may be younger than this one's write.
  return () => next ??= current.catch(() => undefined).then(() => {
    next = undefined
    return current = round()
  })
}

/** Differs between servers, and between the lives of one. */
function runId(info: unknown): string | undefined {
  return /^run_id:(\S+)/m.exec(String(info))?.[1]
}
