/** A bounded queue in front of work that shares the thread pool: few at a time, some waiting, the rest refused (security D8). */
import { GatewayError } from '../errors.js'

export interface HashQueueOptions {
  /** Tasks that run at the same time. */
  readonly concurrency: number
  /** Tasks that may wait for their turn. */
  readonly waiting: number
  /** Learns of each task that is refused. */
  readonly onRefused?: (() => void) | undefined
}

export interface HashQueue {
  readonly run: RunQueued
  /** Tasks that run, and that wait, at this moment. */
  load(): { readonly running: number, readonly waiting: number }
}

/** Runs a task when it is its turn; rejects at once with `overloaded` (503, `Retry-After`) when too many wait already. */
export type RunQueued = <Result>(task: () => Promise<Result>) => Promise<Result>

/** A queue of its own; first come, first served. */
export function createHashQueue({ concurrency, waiting, onRefused }: HashQueueOptions): HashQueue {
  const turns: (() => void)[] = []
  let running = 0

  return {
    async run(task) {
      if (running < concurrency) running++
      else await nextTurn()

      try {
        return await task()
      } finally {
        // A turn goes straight to the one who waits longest, so nobody new can slip in between.
        const next = turns.shift()
        if (next === undefined) running--
        else next()
      }
    },
    load: () => ({ running, waiting: turns.length }),
  }

  function nextTurn(): Promise<void> {
    if (turns.length >= waiting) {
      onRefused?.()
      throw new GatewayError('overloaded', { detail: `${turns.length} password hashes are waiting already` })
    }
    return new Promise(resolve => turns.push(resolve))
  }
}
