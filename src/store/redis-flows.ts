/** Flows and errors of flows in Redis. A flow is a hash, so that its document and its one submit live and expire together. */
import { idPart } from './keys.js'
import type { Flow, StoredError } from './records.js'
import { script, type RedisCommands } from './redis-connection.js'
import { putFields } from './redis-scripts.js'
import { errorRetentionMs, flowRetentionMs } from './retention.js'
import type { Store } from './store.js'

type Flows = Pick<Store, 'saveFlow' | 'findFlow' | 'consumeFlow' | 'releaseFlow' | 'saveError' | 'findError'>

const consume = script(`
  if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
  return redis.call('HSETNX', KEYS[1], 'consumed', '1')
`)

/** The part of the store that keeps flows and errors. */
export function redisFlows({ call, run }: RedisCommands, keyPrefix: string, now: () => number): Flows {
  const flowKey = (id: string): string => `${keyPrefix}flow:${idPart(id)}`
  const errorKey = (id: string): string => `${keyPrefix}error:${idPart(id)}`

  return {
    async saveFlow(flow) {
      await run(putFields, [flowKey(flow.id)], [flow.expiresAt + flowRetentionMs - now(), 'doc', JSON.stringify(flow)])
    },

    async findFlow(id) {
      const [[doc, consumed], ttlMs] = await Promise.all([
        call('HMGET', flowKey(id), 'doc', 'consumed') as Promise<[string | null, string | null]>,
        call('PTTL', flowKey(id)) as Promise<number>,
      ])
      if (doc === null) return undefined
      const flow = JSON.parse(doc) as Flow
      if (flow.expiresAt + flowRetentionMs <= now()) return undefined
      return { flow, consumed: consumed !== null, expired: flow.expiresAt <= now() || ttlMs <= flowRetentionMs }
    },

    consumeFlow: async id => await run(consume, [flowKey(id)], []) === 1,

    async releaseFlow(id) {
      await call('HDEL', flowKey(id), 'consumed')
    },

    async saveError(error) {
      const ttlMs = error.createdAt + errorRetentionMs - now()
      if (ttlMs > 0) await call('SET', errorKey(error.id), JSON.stringify(error), 'PX', ttlMs)
    },

    async findError(id) {
      const doc = await call('GET', errorKey(id)) as string | null
      if (doc === null) return undefined
      const error = JSON.parse(doc) as StoredError
      return error.createdAt + errorRetentionMs <= now() ? undefined : error
    },
  }
}
