/** Rate limits in Redis: one number per bucket, judged and moved on in one step, so that all processes count together. */
import { idPart } from './keys.js'
import { script, type RedisCommands } from './redis-connection.js'
import type { Store } from './store.js'

/**
 * `[bucket], [intervalMs, burst]`: the generic cell rate algorithm. The key holds the instant at which the bucket is full
 * again; every token puts it one interval further, and none may put it further than `burst` intervals ahead. The server's
 * clock counts, because those of the processes differ. Answers 0, or how many milliseconds to wait.
 */
const take = script(`
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local interval = tonumber(ARGV[1])
  local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now) + interval
  local wait = full - interval * tonumber(ARGV[2]) - now
  if wait > 0 then return math.ceil(wait) end
  redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.max(1, math.ceil(full - now)))
  return 0
`)

/** The part of the store that counts. */
export function redisLimits({ run }: RedisCommands, keyPrefix: string): Pick<Store, 'takeToken'> {
  return {
    takeToken: async (bucket, { burst, intervalMs }) =>
      await run(take, [`${keyPrefix}limit:${idPart(bucket)}`], [intervalMs, burst]) as number,
  }
}
