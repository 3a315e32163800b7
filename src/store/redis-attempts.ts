/** Journeys to providers in Redis, each under a key of its own that expires by itself. */
import { idPart } from './keys.js'
import type { SignInAttempt } from './records.js'
import { script, type RedisCommands } from './redis-connection.js'
import type { Store } from './store.js'

type Attempts = Pick<Store, 'saveAttempt' | 'takeAttempt'>

const take = script(`
  local doc = redis.call('GET', KEYS[1])
  redis.call('DEL', KEYS[1])
  return doc
`)

/** The part of the store that keeps them. */
export function redisAttempts({ call, run }: RedisCommands, keyPrefix: string, now: () => number): Attempts {
  const attemptKey = (key: string): string => `${keyPrefix}attempt:${idPart(key)}`

  return {
    async saveAttempt(attempt) {
      const ttlMs = attempt.expiresAt - now()
      if (ttlMs > 0) await call('SET', attemptKey(attempt.key), JSON.stringify(attempt), 'PX', ttlMs)
    },

    async takeAttempt(key) {
      const doc = await run(take, [attemptKey(key)], []) as string | null
      if (doc === null) return undefined
      const attempt = JSON.parse(doc) as SignInAttempt
      return attempt.expiresAt <= now() ? undefined : attempt
    },
  }
}
