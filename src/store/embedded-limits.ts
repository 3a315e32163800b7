/** Rate limits of the embedded store. It serves one process, so they live in its memory; a restart forgives. */
import { LRUCache } from 'lru-cache'

import type { Store } from './store.js'

/** Buckets that are remembered; who floods more addresses than this pushes out the oldest. */
const bucketLimit = 100_000

/** The part of the store that counts: the same algorithm as in `redis-limits.ts`. */
export function embeddedLimits(now: () => number): Pick<Store, 'takeToken'> {
  const fullAt = new LRUCache<string, number>({ max: bucketLimit })

  return {
    takeToken(bucket, { burst, intervalMs }) {
      const at = now()
      const longestMs = intervalMs * burst
      const known = fullAt.get(bucket) ?? 0
      const full = Math.max(known > at + longestMs ? at : known, at) + intervalMs
      const waitMs = full - longestMs - at
      if (waitMs > 0) return Promise.resolve(Math.ceil(waitMs))
      fullAt.set(bucket, full)
      return Promise.resolve(0)
    },
  }
}
