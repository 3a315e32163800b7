/** What processes share by name in Redis: texts, and leases on what only one of them may do at a time. */
import { idPart } from './keys.js'
import { script, type RedisCommands } from './redis-connection.js'
import { compareAndSet } from './redis-scripts.js'
import type { Store } from './store.js'

type Shared = Pick<Store, 'saveShared' | 'findShared' | 'takeLease' | 'releaseLease'>

/** `[lease], [holder, ms]`: 1 when the lease is the holder's now. */
const take = script(`
  local holder = redis.call('GET', KEYS[1])
  if holder and holder ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
`)

/** The part of the store that keeps them. */
export function redisShared({ call, run }: RedisCommands, keyPrefix: string, now: () => number): Shared {
  const textKey = (name: string): string => `${keyPrefix}shared:${idPart(name)}`
  const leaseKey = (name: string): string => `${keyPrefix}lease:${idPart(name)}`

  return {
    async saveShared(name, text, expiresAt) {
      const end = expiresAt === undefined ? [] : ['PX', Math.max(1, expiresAt - now())]
      await call('SET', textKey(name), JSON.stringify({ text, expiresAt }), ...end)
    },
    async findShared(name) {
      const doc = await call('GET', textKey(name)) as string | null
      if (doc === null) return undefined
      const { text, expiresAt = Infinity } = JSON.parse(doc) as { text: string, expiresAt?: number }
      return expiresAt <= now() ? undefined : text
    },
    takeLease: async (name, holder, forMs) => await run(take, [leaseKey(name)], [holder, forMs]) === 1,
    async releaseLease(name, holder) {
      await run(compareAndSet, [leaseKey(name)], [holder, '', 0])
    },
  }
}
