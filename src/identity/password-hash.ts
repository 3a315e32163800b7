/** Password hashes: argon2id, as PHC strings (contract 4.4). */
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'

import { argon2id, hash as argon2Hash, verify as argon2Verify } from 'argon2'

import type { Config } from '../config/schema.js'
import { GatewayError } from '../errors.js'
import { createHashQueue, type HashQueueOptions } from './hash-queue.js'

/** `hashers.argon2`, and the longest password that is looked at. */
export type HasherOptions = Config['hashers']['argon2'] & { readonly maxPasswordBytes: number }

/**
 * Hashes and verifies. A password is the exact bytes of its UTF-8, never normalised or cut (security A7). Every call may
 * reject with `overloaded`, and with `bad_request` for a password beyond the limit, before anything is hashed (security D8).
 */
export interface Hasher {
  /** `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, unpadded, with a new salt. */
  hash(password: string): Promise<string>
  /**
   * Whether the password is the one that was hashed. `undefined` stands for an identity that does not exist or has no
   * password: as much work with the current parameters, then `false` (security A2). Rejects with `internal_error` for a
   * stored text that is no argon2id hash or would cost out of all proportion.
   */
  verify(phc: string | undefined, password: string): Promise<boolean>
  /** Whether a hash was made with less than the current parameters (security A8). */
  needsRehash(phc: string): boolean
  /** Passwords that are being hashed or verified, and that wait for it, at this moment. */
  load(): { readonly running: number, readonly waiting: number }
}

interface Parameters {
  readonly memory: number
  readonly iterations: number
  readonly parallelism: number
  readonly saltBytes: number
  readonly hashBytes: number
}

/** A hasher with a queue of its own; `onRefused` learns of each password that finds it full. */
export function createHasher(options: HasherOptions, onRefused?: HashQueueOptions['onRefused']): Hasher {
  const { memory: memoryCost, iterations: timeCost, parallelism, salt_length: saltLength, key_length: hashLength, maxPasswordBytes } = options
  const current = { type: argon2id, memoryCost, timeCost, parallelism, hashLength }
  const { run, load } = createHashQueue({ concurrency: options.concurrency || defaultConcurrency(), waiting: options.queue, onRefused })
  const dummySalt = Buffer.alloc(saltLength)

  function checkPassword(password: string): void {
    if (Buffer.byteLength(password) > maxPasswordBytes) {
      throw new GatewayError('bad_request', { reason: `A password has at most ${maxPasswordBytes} bytes.` })
    }
    // JSON can hold halves of surrogate pairs; UTF-8 can not, and would make different passwords the same bytes.
    if (/\p{Surrogate}/u.test(password)) throw new GatewayError('bad_request', { reason: 'The password is not valid Unicode.' })
  }

  return {
    async hash(password) {
      checkPassword(password)
      return run(() => argon2Hash(password, { ...current, salt: randomBytes(saltLength) }))
    },
    async verify(phc, password) {
      checkPassword(password)
      if (phc === undefined) {
        await run(() => argon2Hash(password, { ...current, salt: dummySalt, raw: true }))
        return false
      }
      if (!isAffordable(parsePhc(phc), options)) {
        throw new GatewayError('internal_error', { detail: 'a stored password hash is not argon2id, or its parameters are beyond all bounds' })
      }
      return run(() => argon2Verify(phc, password))
    },
    needsRehash(phc) {
      const used = parsePhc(phc)
      if (used === undefined) return true
      return used.memory < memoryCost || used.iterations < timeCost || used.saltBytes < saltLength || used.hashBytes < hashLength
    },
    load,
  }
}

function defaultConcurrency(): number {
  return Math.max(1, availableParallelism() - 1)
}

const phcPattern = /^\$argon2id\$v=19\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,5}),p=([1-9][0-9]{0,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,172})$/

function parsePhc(phc: string): Parameters | undefined {
  const [, memory, iterations, parallelism, salt, hash] = phcPattern.exec(phc) ?? []
  if (salt === undefined || hash === undefined) return undefined
  return {
    memory: Number(memory), iterations: Number(iterations), parallelism: Number(parallelism),
    saltBytes: Math.floor(salt.length * 3 / 4), hashBytes: Math.floor(hash.length * 3 / 4),
  }
}

/** 1 GiB, which hashes of earlier installations may have been made with, and eight passes over it. */
const memoryBound = 1_048_576
const workBound = 8 * memoryBound

function isAffordable(used: Parameters | undefined, options: HasherOptions): boolean {
  if (used === undefined) return false
  return used.memory <= Math.max(memoryBound, options.memory)
    && used.memory * used.iterations <= Math.max(workBound, options.memory * options.iterations)
    && used.memory >= 8 * used.parallelism
}
