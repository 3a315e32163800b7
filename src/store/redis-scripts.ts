/** The Lua that several parts of the Redis store use. Values come through ARGV, keys through KEYS, all of them in one slot. */
import { script } from './redis-connection.js'

/**
 * `[key], [expected, next, ttlMs]`: 1 when the key held `expected` and now holds `next` (for `ttlMs`, or for good when it
 * is 0), else 0. An empty `next` deletes the key.
 */
export const compareAndSet = script(`
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
  if ARGV[2] == '' then redis.call('DEL', KEYS[1])
  elseif ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2])
  else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
  return 1
`)

/**
 * `[key], [ttlMs, field, value, ...]`: writes fields of a hash. Its end is set once, when it is made, so that no clock that
 * was set since can put it off; a `ttlMs` that is not positive makes nothing.
 */
export const putFields = script(`
  redis.call('HSET', KEYS[1], unpack(ARGV, 2))
  return redis.call('PEXPIRE', KEYS[1], ARGV[1], 'NX')
`)

/** Begins a script that needs the time: `now`, in milliseconds, by the clock of Redis; `format` writes such a number in full. */
export const redisNow = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local function format(instant) return string.format('%.0f', instant) end
`
