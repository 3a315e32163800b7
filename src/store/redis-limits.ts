/** Rate limits in Redis: one number per bucket, judged and moved on in one step, so that all processes count together. */
import { idPart } from './keys.js'
import { script, type RedisCommands } from './redis-connection.js'
import { redisNow } from './redis-scripts.js'
import type { Store } from './store.js'

/**
 * `[bucket], [intervalMs, burst]`: the generic cell rate algorithm. The key holds the instant at which the bucket is full
 * again; every token puts it one interval further, and none may put it further than `burst` intervals ahead. The server's
 * clock counts, because those of the processes differ; what is further ahead was written before it was set back, and is
 * forgotten. Answers 0, or how many milliseconds to wait.
 */
const take = script(`
  ${redisNow}
  local interval = tonumber(ARGV[1])
  local longest = interval * tonumber(ARGV[2])
  local known = tonumber(redis.call('GET', KEYS[1]) or '0')
  if known > now + longest then known = now end
  local full = math.max(known, now) + interval
  local wait = full - longest - now
  if wait > 0 then return math.ceil(wait) end
  redis.call('SET', KEYS[1], format(full), 'PX', math.max(1, math.ceil(full - now)))
  return 0
`)

/** The part of the store that counts. */
export function redisLimits({ run }: RedisCommands, keyPrefix: string): Pick<Store, 'takeToken'> {
  return {
    takeToken: async (bucket, { burst, intervalMs }) =>
      await run(take, [`${keyPrefix}limit:${idPart(bucket)}`], [intervalMs, burst]) as number,
  }
}
