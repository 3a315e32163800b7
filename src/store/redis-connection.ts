/**
 * One connection to Redis, whatever its topology, that never makes a caller wait: a command is answered within the
 * timeout or rejects with `store_unavailable`, and while the connection is being made again it rejects at once.
 */
import { createHash } from 'node:crypto'

import { Cluster, Redis, type RedisOptions } from 'ioredis'

import { GatewayError } from '../errors.js'
import { describeAddress, type RedisAddress } from './dsn.js'
import { outliveErrors } from './outlive-errors.js'
import { leaveFormerMaster, type Sentinels } from './redis-sentinels.js'


/** What the drivers ask of Redis. Every rejection is a `store_unavailable`. */
export interface RedisCommands {
  call(command: string, ...args: readonly (string | number)[]): Promise<unknown>
  /** Runs a script; all its keys lie in one slot. */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>
}

export interface RedisConnection extends RedisCommands {
  /** The same command on every master, for what is asked of a server and not of a key. */
  callEach(command: string, ...args: readonly (string | number)[]): Promise<unknown[]>
  /** Called whenever a lost connection works again. */
  onReturn(listener: () => void): void
  /** Called whenever the connection is lost. */
  onLoss(listener: () => void): void
  close(): Promise<void>
}

/** A Lua script and the SHA-1 by which Redis remembers it. */
export interface Script {
  readonly lua: string
  readonly sha: string
}

/** How long a start waits for a Redis that is not there yet, as when both are started together. */
const patienceMs = 5_000

/** A script, ready for `run`. */
export function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}

/**
 * Connects. Throws an `Error` for the operator when Redis is not reached in time or turns the credentials down. With
 * `sentinels` it stays with the master that they name.
 */
export async function connectRedis(address: RedisAddress, timeoutMs: number, sentinels?: Sentinels): Promise<RedisConnection> {
  const client = address.topology === 'cluster' ? clusterClient(address, timeoutMs) : plainClient(address, timeoutMs, sentinels)
  try {
    await reach(client, address)
  } catch (error) {
    client.disconnect()
    throw error
  }

  const send = (target: Redis | Cluster, command: string, args: readonly (string | number)[]): Promise<unknown> =>
    target.call(command, ...args).catch((error: unknown) => { throw storeUnavailable(error) })

  return {
    call: (command, ...args) => send(client, command, args),

    async run({ lua, sha }, keys, args) {
      try {
        return await send(client, 'EVALSHA', [sha, keys.length, ...keys, ...args])
      } catch (error) {
        if (!(error as GatewayError).detail?.includes('NOSCRIPT')) throw error
        return send(client, 'EVAL', [lua, keys.length, ...keys, ...args])
      }
    },

    callEach: (command, ...args) =>
      Promise.all((client instanceof Cluster ? client.nodes('master') : [client]).map(node => send(node, command, args))),

    onReturn: listener => void client.on('ready', listener),
    onLoss: listener => void client.on('close', listener),

    async close() {
      await client.quit().catch(() => undefined)
      client.disconnect()
    },
  }
}

/** A client of one server, or of the master that Sentinels name; not connected yet. `options` are laid over ours. */
export function plainClient(
  address: RedisAddress, timeoutMs: number, sentinels?: Sentinels, options: { readonly protocol?: 2, readonly autoResubscribe?: boolean } = {},
): Redis {
  const client = new Redis({
    ...serverOptions(address, timeoutMs),
    ...topologyOptions(address, timeoutMs),
    db: address.db,
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy,
    ...options,
  })
  if (sentinels !== undefined) leaveFormerMaster(client, sentinels)
  return outliveErrors(client)
}

function clusterClient(address: RedisAddress, timeoutMs: number): Cluster {
  const client = new Cluster([...address.hosts], {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryStrategy,
    slotsRefreshTimeout: Math.max(timeoutMs, 1000),
    // Never sent twice, see below; and redirections must not add up to more than the timeout.
    retryDelayOnFailover: 0,
    maxRedirections: 4,
    redisOptions: serverOptions(address, timeoutMs),
  })
  client.on('+node', outliveErrors)
  return client.on('error', () => undefined)
}

function topologyOptions({ topology, hosts, name, tls, sentinelUsername, sentinelPassword }: RedisAddress, timeoutMs: number) {
  if (topology !== 'sentinel') return { ...hosts[0] }
  return {
    sentinels: [...hosts],
    name,
    sentinelUsername,
    sentinelPassword,
    sentinelCommandTimeout: timeoutMs,
    sentinelRetryStrategy: retryStrategy,
    ...tls && { enableTLSForSentinelMode: true, sentinelTLS: {} },
  } satisfies RedisOptions
}

function serverOptions({ username, password, tls }: RedisAddress, timeoutMs: number) {
  return {
    username,
    password,
    ...tls && { tls: {} },
    // A command more that a user has to be allowed, for a name that nobody looks at.
    disableClientInfo: true,
    connectTimeout: Math.max(timeoutMs, 1000),
    commandTimeout: timeoutMs,
    // A host that vanished never closes its connections; one that owes an answer for this long is dialled anew.
    socketTimeout: 2 * timeoutMs,
    // A command whose connection broke may have run. It is reported, not sent again: a flow would be consumed twice.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    maxLoadingRetryTime: 200,
    // After a failover, the node that was the master.
    reconnectOnError: error => error.message.startsWith('READONLY'),
  } satisfies RedisOptions
}

function retryStrategy(attempt: number): number {
  return Math.min(20 * attempt, 500)
}

/** What the server said, or what to do about it where its own words are about another matter. */
function refusalOf(trouble: Error | undefined): string {
  if (trouble === undefined) return 'no answer'
  if (trouble.message.startsWith('WRONGPASS')) return 'it turns down the user or the password of the dsn (WRONGPASS)'
  if (trouble.message.startsWith('NOAUTH')) return 'it wants a password, which the dsn has to say: redis://USER:PASSWORD@HOST:PORT (NOAUTH)'
  return trouble.message
}

/** Resolves when commands can be sent. */
async function reach(client: Redis | Cluster, address: RedisAddress): Promise<void> {
  let trouble: Error | undefined
  let timer: NodeJS.Timeout | undefined
  await new Promise<void>((resolve, reject) => {
    const fail = (): void => reject(new Error(`Redis at ${describeAddress(address)} can not be reached: ${refusalOf(trouble)}.`))
    const note = (error: Error): void => {
      trouble = rootOf(error)
      if (/^(WRONGPASS|NOAUTH|NOPERM)/.test(trouble.message)) fail()
    }
    timer = setTimeout(fail, patienceMs)
    client.once('ready', resolve).on('error', note).on('node error', note)
    client.connect().catch(note)
  }).finally(() => clearTimeout(timer))
}

/** A cluster says that all nodes failed, and keeps the reason beside it. */
function rootOf(error: Error & { lastNodeError?: Error }): Error {
  return error.lastNodeError ?? error
}

/** The message alone: ioredis hangs the command's arguments on its errors, and those hold password hashes. */
function storeUnavailable(error: unknown): GatewayError {
  const { message } = error as Error
  return new GatewayError('store_unavailable', { detail: `redis: ${message}`, cause: new Error(message) })
}
