/** How the store does: how long its answers take, which fail, and how many look-ups of sessions it was spared. */
import type { Registry } from 'prom-client'

import type { SessionLookUp } from '../session/cached-store.js'
import type { StoreOperation } from '../store/observed-store.js'
import { exposeCounter, exposeHistogram, newDistribution, observe, type Distribution, type Labels } from './series.js'

export interface StoreMetrics {
  /** An operation has ended; `code` is the error's, absent when it succeeded. */
  ended(operation: StoreOperation, durationMs: number, code: string | undefined): void
  /** A session was looked up. */
  sessionLookedUp(result: SessionLookUp): void
  /** What `ended` was told so far, all operations together. */
  summary(): { readonly operations: number, readonly errors: number, readonly seconds: number }
}

/** Seconds. A Redis on the same network answers in a fraction of a millisecond, a disk that is asked to keep it in a few. */
const bounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

export function createStoreMetrics(registry: Registry): StoreMetrics {
  const durations = new Map<StoreOperation, Distribution>()
  const errors = new Map<StoreOperation, Map<string, number>>()
  const lookUps: Record<SessionLookUp, number> = { hit: 0, miss: 0, off: 0 }

  exposeHistogram(registry, {
    name: 'oathgate_store_operation_duration_seconds', labelNames: ['operation'], bounds,
    help: 'How long the store took to answer, failures included; sessions that were kept in memory are no operation.',
  }, function* (): Iterable<readonly [Labels, Distribution]> {
    for (const [operation, distribution] of durations) yield [{ operation }, distribution]
  })
  exposeCounter(registry, {
    name: 'oathgate_store_errors_total', labelNames: ['operation', 'code'], help: 'Operations of the store that failed, by the code of the error.',
  }, function* (): Iterable<readonly [Labels, number]> {
    for (const [operation, counts] of errors) for (const [code, count] of counts) yield [{ operation, code }, count]
  })
  exposeCounter(registry, {
    name: 'oathgate_session_cache_lookups_total', labelNames: ['result'],
    help: 'Sessions looked up: hit, answered from memory; miss, asked of the store; off, asked of the store while the channel that tells of changes is lost. A gateway that keeps none (embedded store, session.cache_entries 0) counts none.',
  }, () => Object.entries(lookUps).map(([result, count]) => [{ result }, count] as const))

  return {
    ended(operation, durationMs, code) {
      let distribution = durations.get(operation)
      if (distribution === undefined) durations.set(operation, distribution = newDistribution(bounds))
      observe(distribution, bounds, durationMs / 1000)
      if (code === undefined) return

      let counts = errors.get(operation)
      if (counts === undefined) errors.set(operation, counts = new Map())
      counts.set(code, (counts.get(code) ?? 0) + 1)
    },
    sessionLookedUp(result) {
      lookUps[result]++
    },
    summary: () => ({
      operations: sum([...durations.values()].flatMap(({ counts }) => [...counts])),
      errors: sum([...errors.values()].flatMap(counts => [...counts.values()])),
      seconds: sum([...durations.values()].map(distribution => distribution.sum)),
    }),
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
