/** The store in Redis, for any number of processes: one server, one behind Sentinels, or a Cluster. */
import { describeAddress, type RedisAddress } from './dsn.js'
import { redisAttempts } from './redis-attempts.js'
import { connectRedis, type RedisConnection } from './redis-connection.js'
import { redisFlows } from './redis-flows.js'
import { redisIdentities } from './redis-identities.js'
import { listenForChanges } from './redis-invalidations.js'
import { redisLimits } from './redis-limits.js'
import { requirePermissions } from './redis-permissions.js'
import { requireReplay } from './redis-replay.js'
import { guard } from './redis-safety.js'
import { watchSentinels } from './redis-sentinels.js'
import { redisSessions } from './redis-sessions.js'
import { redisShared } from './redis-shared.js'
import type { Durability, Store } from './store.js'

export interface RedisStoreOptions {
  /** How long one command may take; `store_unavailable` beyond it. */
  readonly timeoutMs: number
  readonly keyPrefix: string
  readonly durability: Durability
  readonly warn: (message: string) => void
  readonly now: () => number
}

/** Connects and examines the server. Throws an `Error` for the operator when it can't be reached or would lose accounts. */
export async function openRedisStore(address: RedisAddress, options: RedisStoreOptions): Promise<Store> {
  const { timeoutMs, keyPrefix, durability, warn, now } = options
  const where = describeAddress(address)
  if (!address.tls && !address.hosts.every(({ host }) => isLoopback(host))) {
    warn(`Redis at ${where} is reached without TLS: sessions and password hashes cross the network in the clear. Use a \`rediss\` dsn unless that network is yours alone.`)
  }

  if (durability === 'replicated' && address.topology === 'cluster') {
    throw new Error(`Redis at ${where} is a Cluster, and \`store.durability: replicated\` is for one master with replicas. Say \`required\`.`)
  }

  const sentinels = watchSentinels(address, timeoutMs)
  const connections: RedisConnection[] = []
  async function connect(): Promise<RedisConnection> {
    const connection = await connectRedis(address, timeoutMs, sentinels)
    connections.push(connection)
    return connection
  }
  async function close(): Promise<void> {
    sentinels?.close()
    await Promise.all(connections.map(connection => connection.close()))
  }

  try {
    const connection = await connect()
    const waiting = durability === 'replicated' ? await connect() : undefined
    await requirePermissions(connection, { where, keyPrefix, username: address.username, durability })
    await requireReplay(connection, { where, keyPrefix, username: address.username, durability, warn })
    const commands = await guard(connection, { where, keyPrefix, durability, waiting, warn })
    const changes = listenForChanges(address, sentinels, { timeoutMs, keyPrefix })
    // It may have been to another server than the one that tells of changes: what was read there is known no longer.
    connection.onLoss(changes.forget)
    const identities = redisIdentities(commands, { keyPrefix, timeoutMs, now })
    const vouched = <Input, Outcome>(change: (input: Input) => Promise<Outcome>) => async (input: Input): Promise<Outcome> => {
      await commands.vouch()
      return change(input)
    }
    return {
      ...identities,
      createIdentity: vouched(identities.createIdentity),
      updateIdentity: vouched(identities.updateIdentity),
      ...redisFlows(commands, keyPrefix, now),
      ...redisAttempts(commands, keyPrefix, now),
      ...redisSessions(commands, keyPrefix, now),
      ...redisLimits(commands, keyPrefix),
      ...redisShared(commands, keyPrefix, now),
      ping: commands.check,
      ...(changes.invalidations === undefined ? {} : { invalidations: changes.invalidations }),
      async close() {
        changes.stop()
        commands.stop()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}
