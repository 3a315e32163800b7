/** Remembers what other services said, for as long as the rule allows, under keys that hold everything it depends on. */
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'

import type { JsonValue } from '../store/records.js'

export interface ResponseCache {
  /** What was remembered for the same question; `undefined` when nothing was, or its time is over. */
  get(question: Question): JsonValue | undefined
  /** Nothing is remembered for 0 ms or less. */
  set(question: Question, answer: JsonValue, ttlMs: number): void
}

/**
 * Everything that the answer depends on: the handler's name, the service, all that is sent to it. What the rule makes of
 * the answer is judged anew each time (security H14, GHSA-4mq7-pvjg-xp2r, GHSA-qvp4-rpmr-xwrr).
 */
export type Question = readonly [handler: string, ...parts: readonly JsonValue[]]

export interface ResponseCacheOptions {
  /** Of all answers together; absent: 64 MiB. */
  readonly maxBytes?: number
}

/** One for the process; rules share what they ask in the same words. */
export function createResponseCache({ maxBytes = 67_108_864 }: ResponseCacheOptions = {}): ResponseCache {
  const cache = new LRUCache<string, string>({ maxSize: maxBytes, ttlAutopurge: false })

  return {
    get(question) {
      const known = cache.get(keyOf(question))
      return known === undefined ? undefined : JSON.parse(known) as JsonValue
    },
    set(question, answer, ttlMs) {
      if (!(ttlMs > 0)) return
      const text = JSON.stringify(answer)
      cache.set(keyOf(question), text, { ttl: Math.ceil(ttlMs), size: text.length + 200 })
    },
  }
}

/** Questions hold tokens and passwords, so only their hash is kept. */
function keyOf(question: Question): string {
  return createHash('sha256').update(JSON.stringify(question)).digest('base64url')
}
