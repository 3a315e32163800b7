/** Opens the store that `dsn` names. */
import { parseDsn } from './dsn.js'
import type { Durability, Store } from './store.js'

export interface StoreOptions {
  readonly dsn: string
  /** How long one command may take; `store_unavailable` beyond it. */
  readonly timeoutMs: number
  /** Prefix of every Redis key. */
  readonly keyPrefix: string
  /** All but `none` refuse a Redis that would lose accounts. */
  readonly durability: Durability
  /** Told what an operator should know but what stops nothing. */
  readonly warn: (message: string) => void
  /** Milliseconds since 1970; `Date.now` when absent. */
  readonly now?: () => number
}

/** The store, ready for use. Throws an `Error` with a sentence for the operator, never with a password, when it can't. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const address = parseDsn(options.dsn)
  const { now = Date.now } = options

  // Loaded only when chosen: a machine that lacks one driver's native parts can still use the other.
  if (address.kind === 'embedded') {
    if (options.durability === 'replicated') throw new Error('The embedded store has no replicas; say `store.durability: required`.')
    const { openEmbeddedStore } = await import('./embedded.js')
    return openEmbeddedStore({ ...options, durability: options.durability, path: address.path, now })
  }
  const { openRedisStore } = await import('./redis.js')
  return openRedisStore(address, { ...options, now })
}
