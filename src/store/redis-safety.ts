/**
 * Whether this Redis may be trusted with accounts: it keeps what it acknowledges (promise L3, security X6), and after
 * every reconnect it still holds the data that this process began with (security X7, X8).
 */
import { randomUUID } from 'node:crypto'

import { GatewayError } from '../errors.js'
import { appended } from './redis-append-only.js'
import type { RedisCommands, RedisConnection } from './redis-connection.js'
import { compareAndSet } from './redis-scripts.js'

export interface SafetyOptions {
  /** The server's address, for people. */
  readonly where: string
  readonly keyPrefix: string
  readonly durability: 'required' | 'none'
  readonly warn: (message: string) => void
}

/** Commands that reject with `store_unavailable` while Redis does not hold what it held when this process began. */
export interface GuardedCommands extends RedisCommands {
  /** Resolves when Redis can be written to and holds our data; rejects with `store_unavailable` otherwise. */
  check(): Promise<void>
  /** Resolves when everything acknowledged so far would survive a kill of Redis. */
  written(): Promise<void>
  close(): Promise<void>
}

/** The layout of what is stored. A store of a newer layout is refused, not guessed at. */
const format = 1
const recheckMs = 500

/** Examines Redis once, and again whenever it comes back. Throws an `Error` for the operator when it is not safe to begin. */
export async function guard(connection: RedisConnection, options: SafetyOptions): Promise<GuardedCommands> {
  const { keyPrefix, durability, warn, where } = options
  const markerKey = `${keyPrefix}store`
  await examine(connection, options)
  const marker = await readMarker(connection, markerKey, where)
  let refusal: string | undefined
  let recheck: NodeJS.Timeout | undefined
  let closed = false

  async function check(): Promise<void> {
    if (durability === 'none') await connection.call('SET', markerKey, marker, 'NX')
    if (await connection.run(compareAndSet, [markerKey], [marker, marker, 0]) === 1) {
      refusal = undefined
      return
    }
    const lost = `the data is gone: \`${markerKey}\` is not what it was when this process began`
    if (refusal !== lost) warn(`Redis at ${where} is refused until its data is restored or this process is started anew: ${lost}.`)
    refusal = lost
    throw new GatewayError('store_unavailable', { detail: `redis: ${refusal}` })
  }

  async function welcomeBack(): Promise<void> {
    clearTimeout(recheck)
    try {
      await check()
      await examine(connection, options).catch((error: unknown) => warn((error as Error).message))
    } catch {
      if (!closed) recheck = setTimeout(() => void welcomeBack(), recheckMs).unref()
    }
  }

  connection.onLoss(() => { refusal ??= 'the connection is lost' })
  connection.onReturn(() => void welcomeBack())

  const passing = <Result>(send: () => Promise<Result>): Promise<Result> =>
    refusal === undefined ? send() : Promise.reject(new GatewayError('store_unavailable', { detail: `redis: ${refusal}` }))

  return {
    call: (command, ...args) => passing(() => connection.call(command, ...args)),
    run: (script, keys, args) => passing(() => connection.run(script, keys, args)),
    check,
    written: () => durability === 'none' ? Promise.resolve() : passing(() => appended(connection)),
    close() {
      closed = true
      clearTimeout(recheck)
      return connection.close()
    },
  }
}

async function examine(connection: RedisConnection, { where, durability }: SafetyOptions): Promise<void> {
  for (const info of await serverInfos(connection, where)) {
    const version = /^redis_version:([0-9]+)/m.exec(info)?.[1]
    if (Number(version) < 7) throw new Error(`Redis at ${where} is version ${version}; version 7 or newer is needed.`)
    if (durability === 'none') continue

    const accept = 'or say `store.durability: none` to accept that'
    if (!/^aof_enabled:1/m.test(info)) {
      throw new Error(`Redis at ${where} would lose accounts when it stops: its append-only file is off. Start it with \`--appendonly yes\`, ${accept}.`)
    }
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
    if (policy?.startsWith('allkeys-')) {
      throw new Error(`Redis at ${where} would drop accounts when memory runs short: its \`maxmemory-policy\` is ${policy}. Set it to \`noeviction\` or a \`volatile-\` policy, ${accept}.`)
    }
  }
}

async function serverInfos(connection: RedisConnection, where: string): Promise<string[]> {
  try {
    return (await connection.callEach('INFO')).map(String)
  } catch (error) {
    throw new Error(`Redis at ${where} does not say whether it keeps its data (INFO: ${(error as GatewayError).detail ?? ''}).`, { cause: error })
  }
}

/** The store's own name and format; written when the store is new. */
async function readMarker(connection: RedisConnection, key: string, where: string): Promise<string> {
  const fresh = JSON.stringify({ format, id: randomUUID() })
  const marker = await connection.call('SET', key, fresh, 'NX', 'GET') as string | null ?? fresh
  const stored = formatOf(marker)
  if (stored === undefined) throw new Error(`Redis at ${where} holds something else under \`${key}\`; choose another \`store.key_prefix\`.`)
  if (stored > format) throw new Error(`Redis at ${where} was written by a newer version of Oathgate (format ${stored}, this one knows ${format}).`)
  return marker
}

function formatOf(marker: string): number | undefined {
  try {
    const { format } = JSON.parse(marker) as { format?: unknown }
    return typeof format === 'number' ? format : undefined
  } catch {
    return undefined
  }
}
