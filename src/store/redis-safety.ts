/**
 * Whether this Redis may be trusted with accounts, at start and every second from then on: it is fit to keep them (promise L3,
 * security X6), and it still holds the data that this process began with (security X7, X8).
 */
import { randomUUID } from 'node:crypto'

import { GatewayError } from '../errors.js'
import { appended } from './redis-append-only.js'
import type { RedisCommands, RedisConnection } from './redis-connection.js'
import { examine } from './redis-examination.js'
import { replicationOf } from './redis-replication.js'
import { compareAndSet } from './redis-scripts.js'
import type { Durability } from './store.js'

export interface SafetyOptions {
  /** The server's address, for people. */
  readonly where: string
  readonly keyPrefix: string
  readonly durability: Durability
  /** Another connection to the same server, to wait for its replicas on; with durability `replicated` alone. */
  readonly waiting: RedisConnection | undefined
  readonly warn: (message: string) => void
}

/** Commands that reject with `store_unavailable` while Redis does not hold what it held when this process began. */
export interface GuardedCommands extends RedisCommands {
  /** As `Store.ping`. */
  check(): Promise<string | undefined>
  /** Resolves when Redis holds our data and is fit to keep an account; rejects with `store_unavailable` otherwise. */
  vouch(): Promise<void>
  /** To be asked before the first command of a change. */
  beginChange(): Change
  /** Looks at Redis no more. The connections are whose they were. */
  stop(): void
}

/** Commands that belong together. */
export interface Change {
  /**
   * Resolves when what was acknowledged since the change began would survive a kill of Redis and, with durability
   * `replicated`, the end of its machine; rejects with `store_unavailable` otherwise.
   */
  written(): Promise<void>
}

/** The layout of what is stored. A store of a newer layout is refused, not guessed at. */
const format = 1
/** A fault that nobody's request runs into is noticed after this long at most. */
const watchEveryMs = 1_000
const recheckMs = 500

/** Examines Redis at once, and again and again until stopped. Throws an `Error` for the operator when it is not safe to begin. */
export async function guard(connection: RedisConnection, options: SafetyOptions): Promise<GuardedCommands> {
  const { keyPrefix, durability, waiting, where } = options
  const markerKey = `${keyPrefix}store`
  const { unfit, alone } = await examine(connection, options)
  if (unfit !== undefined) throw new Error(unfit)
  const marker = await readMarker(connection, markerKey, options)
  const complaints = newComplaints(options.warn)
  complaints.set('replicas', alone)
  const replicated = waiting && replicationOf(connection, waiting, `${keyPrefix}replicated`)
  let losses = 0
  let refusal: string | undefined
  let next: NodeJS.Timeout | undefined
  let stopped = false

  async function check(): Promise<string | undefined> {
    let isOurs: boolean
    let noWrites: GatewayError | undefined
    try {
      if (durability === 'none') await connection.call('SET', markerKey, marker, 'NX')
      isOurs = await connection.run(compareAndSet, [markerKey], [marker, marker, 0]) === 1
    } catch (error) {
      const { detail = '' } = error as GatewayError
      if (!/^redis: [A-Z]+ /.test(detail)) {
        if (!stopped) complaints.set('answers', `Redis at ${where} does not answer; what needs it is 503 until it does.`)
        throw error
      }
      complaints.set('writes', `Redis at ${where} takes no writes (${detail.slice('redis: '.length)}).`)
      noWrites = new GatewayError('store_unavailable', { reason: 'the store takes no writes', detail, cause: error })
      if (detail.startsWith('redis: READONLY')) throw noWrites // a replica, which is left for the master
      isOurs = await connection.call('GET', markerKey) === marker // one that is full may be read all the same
    }
    complaints.set('answers', undefined)
    if (noWrites === undefined) complaints.set('writes', undefined)
    refusal = isOurs ? undefined : `the data is gone: \`${markerKey}\` is not what it was when this process began`
    complaints.set('data', refusal && `Redis at ${where} is refused until its data is restored or this process is started anew: ${refusal}.`)
    if (!isOurs) throw new GatewayError('store_unavailable', { reason: 'the store has lost its data; the log says what to do', detail: `redis: ${refusal}` })
    if (noWrites !== undefined) throw noWrites
    if (complaints.get('fitness') !== undefined) return 'the store would lose accounts, so it gets no new ones; the log says why'
    return complaints.get('replicas') && 'the store has no replica, so nobody can sign up or log out'
  }

  async function vouch(): Promise<void> {
    if (durability === 'none') return
    if (await passing(() => connection.call('GET', markerKey)) !== marker) await check()
    if (complaints.get('fitness') !== undefined) throw new GatewayError('store_unavailable', { detail: 'redis: it would lose accounts' })
  }

  async function watch(): Promise<void> {
    clearTimeout(next)
    await Promise.allSettled([check(), examine(connection, options).then(({ unfit, alone }) => {
      complaints.set('fitness', unfit)
      complaints.set('replicas', alone)
    })])
    if (!stopped) watchLater()
  }

  function watchLater(): void {
    clearTimeout(next)
    next = setTimeout(() => void watch(), refusal === undefined ? watchEveryMs : recheckMs).unref()
  }

  connection.onLoss(() => {
    losses += 1
    refusal ??= 'the connection is lost'
  })
  connection.onReturn(() => void watch())
  watchLater()

  const passing = <Result>(send: () => Promise<Result>): Promise<Result> =>
    refusal === undefined ? send() : Promise.reject(new GatewayError('store_unavailable', { detail: `redis: ${refusal}` }))

  return {
    call: (command, ...args) => passing(() => connection.call(command, ...args)),
    run: (script, keys, args) => passing(() => connection.run(script, keys, args)),
    check,
    vouch,
    beginChange() {
      const lossesBefore = losses
      return {
        async written() {
          if (durability === 'none') return
          await passing(async () => { await Promise.all([appended(connection), replicated?.()]) })
          // A part of the change may have been acknowledged by a master of before, or by one that was killed before it had written it.
          if (losses !== lossesBefore) throw new GatewayError('store_unavailable', { detail: 'redis: the connection was lost during a change' })
        },
      }
    },
    stop() {
      stopped = true
      clearTimeout(next)
    },
  }
}

type Matter = 'answers' | 'data' | 'writes' | 'fitness' | 'replicas'

/** What is the matter, said once when it begins and once when it ends. */
function newComplaints(warn: (message: string) => void) {
  const current = new Map<Matter, string>()
  return {
    get: current.get.bind(current),
    /** Absent: nothing is the matter. */
    set(about: Matter, sentence: string | undefined): void {
      const before = current.get(about)
      if (sentence === before) return
      warn(sentence ?? `This is over: ${before}`)
      if (sentence === undefined) current.delete(about)
      else current.set(about, sentence)
    },
  }
}

/** The store's own name and format; written when the store is new, which should surprise nobody. */
async function readMarker(connection: RedisConnection, key: string, { where, durability, warn }: SafetyOptions): Promise<string> {
  const fresh = JSON.stringify({ format, id: randomUUID() })
  const found = await connection.call('SET', key, fresh, 'NX', 'GET') as string | null
  if (found === null && durability !== 'none') warn(`Redis at ${where} holds no store of ours yet; a new one begins, without accounts.`)
  const marker = found ?? fresh
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
