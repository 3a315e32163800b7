/** The LMDB environment behind the embedded store: its tables, all-or-nothing writes, and the end of it. */
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'

import { open, type Database, type RootDatabase } from 'lmdb'

import { GatewayError } from '../errors.js'
import { lockPath } from './path-lock.js'
import type { Flow, Identity, Session, SignInAttempt, StoredError } from './records.js'

export interface EmbeddedOptions {
  /** The directory, absolute or relative to the working directory; made when it is not there. */
  readonly path: string
  /** How long one write may take; `store_unavailable` beyond it. */
  readonly timeoutMs: number
  /** With `none`, nothing waits for the disk. */
  readonly durability: 'required' | 'none'
  readonly now: () => number
  /** How often what has expired is removed, in milliseconds; a minute when absent. */
  readonly sweepMs?: number
}

/** What the embedded store keeps. Keys come from `keys.ts`. */
export interface Tables {
  readonly identities: Database<Identity, string>
  /** Claim to identity id. */
  readonly claims: Database<string, string>
  /** `[createdAt, id]`: the order in which identities are listed. */
  readonly created: Database<true, [number, string]>
  readonly sessions: Database<Session, string>
  /** Session id to the key in `sessions`. */
  readonly sessionIds: Database<string, string>
  /** `[identity id, token hash]`. */
  readonly sessionsOf: Database<true, [string, string]>
  /** `expired` once somebody has seen that it is, whatever the clock says later. */
  readonly flows: Database<{ readonly flow: Flow, readonly consumed: boolean, readonly expired?: true }, string>
  readonly errors: Database<StoredError, string>
  readonly attempts: Database<SignInAttempt, string>
  /** By name. */
  readonly shared: Database<{ readonly text: string, readonly expiresAt?: number }, string>
  /** `[instant, table, key]`: what may be removed from then on. */
  readonly expiry: Database<true, [number, string, string]>
  readonly meta: Database<number, string>
}

export interface EmbeddedDatabase {
  readonly tables: Tables
  /** Looks, without waiting for anything. */
  read<Found>(look: (tables: Tables) => Found): Promise<Found>
  /** Runs the change alone, all of it or nothing. Resolves when it can be read and survives a kill of this process. */
  write<Result>(change: (tables: Tables) => Result): Promise<Result>
  /** As `write`, and on the disk itself when it resolves, so that it survives the machine losing power. */
  writeThrough<Result>(change: (tables: Tables) => Result): Promise<Result>
  close(): Promise<void>
}

/** The layout of what is stored. A store of a newer layout is refused, not guessed at (security X8). */
const format = 1

/** Opens the directory for this process alone. Throws an `Error` for the operator when that can't be. */
export function openDatabase(options: EmbeddedOptions): EmbeddedDatabase {
  const directory = resolve(options.path)
  makeDirectory(directory)
  const lock = lockPath(directory)
  try {
    const root = openRoot(directory)
    const tables = openTables(root)
    checkFormat(tables, directory)
    return database(root, tables, options, lock.release)
  } catch (error) {
    lock.release()
    throw error
  }
}

function database(root: RootDatabase, tables: Tables, { timeoutMs, durability }: EmbeddedOptions, release: () => void): EmbeddedDatabase {
  let closing: Promise<void> | undefined

  async function write<Result>(change: (tables: Tables) => Result, through: boolean): Promise<Result> {
    if (closing !== undefined) throw new GatewayError('store_unavailable', { detail: 'embedded store: closed' })
    try {
      // A child transaction is the kind that is rolled back when the callback throws half way.
      return await within(timeoutMs, root.childTransaction(() => change(tables)).then(async result => {
        if (through) await root.flushed
        return result
      }))
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  return {
    tables,
    async read(look) {
      if (closing !== undefined) throw new GatewayError('store_unavailable', { detail: 'embedded store: closed' })
      try {
        return look(tables)
      } catch (error) {
        throw storeUnavailable(error)
      }
    },
    write: change => write(change, false),
    writeThrough: change => write(change, durability === 'required'),
    close: () => closing ??= root.close().finally(release),
  }
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new Error(`The embedded store's directory ${directory} can not be made: ${(error as Error).message}`, { cause: error })
  }
}

function openRoot(directory: string): RootDatabase {
  try {
    return open({
      path: directory,
      // A dot in the directory's name would otherwise make it a file.
      noSubdir: false,
      encoding: 'json',
      // Its own number, 12, is below that of our tables.
      maxDbs: 32,
      // With it, a commit that fails (a full disk) rejects a promise that nobody holds, which ends the process.
      eventTurnBatching: false,
    })
  } catch (error) {
    throw new Error(`The embedded store at ${directory} can not be opened: ${(error as Error).message}`, { cause: error })
  }
}

function openTables(root: RootDatabase): Tables {
  return {
    identities: root.openDB({ name: 'identities' }),
    claims: root.openDB({ name: 'claims' }),
    created: root.openDB({ name: 'created' }),
    sessions: root.openDB({ name: 'sessions' }),
    sessionIds: root.openDB({ name: 'session-ids' }),
    sessionsOf: root.openDB({ name: 'sessions-of' }),
    flows: root.openDB({ name: 'flows' }),
    errors: root.openDB({ name: 'errors' }),
    attempts: root.openDB({ name: 'attempts' }),
    shared: root.openDB({ name: 'shared' }),
    expiry: root.openDB({ name: 'expiry' }),
    meta: root.openDB({ name: 'meta' }),
  }
}

function checkFormat({ meta }: Tables, directory: string): void {
  const stored = meta.get('format')
  if (stored === undefined) meta.putSync('format', format)
  if (stored !== undefined && stored > format) {
    throw new Error(`The embedded store at ${directory} was written by a newer version of Oathgate (format ${stored}, this one knows ${format}).`)
  }
}

/** The promise, or a rejection when it takes longer: a flush that a dying disk never answers would wait for ever. */
async function within<Result>(timeoutMs: number, promise: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

function storeUnavailable(error: unknown): unknown {
  if (error instanceof GatewayError) return error
  const { message, commitError } = error as Error & { commitError?: Promise<never> }
  // LMDB rejects this one as well; what it says is on stderr already.
  commitError?.catch(() => undefined)
  return new GatewayError('store_unavailable', { detail: `embedded store: ${message}`, cause: error })
}
