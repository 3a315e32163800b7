/** Password hashes: ours are argon2id, as PHC strings (contract 4.4); those that were imported are verified, too. */
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'

import { argon2id, hash as argon2Hash, verify as argon2Verify } from 'argon2'

import type { Config } from '../config/schema.js'
import { GatewayError } from '../errors.js'
import { understandForeignHash, type NotUnderstood, type UnderstoodHash } from './foreign-hash.js'
import { createHashQueue, type HashQueueOptions } from './hash-queue.js'

/** `hashers.argon2`, the longest password that is looked at, and `hashers.imported.decoy`. */
export type HasherOptions = Config['hashers']['argon2'] & { readonly maxPasswordBytes: number, readonly decoy?: string | undefined }

/**
 * Hashes and verifies. A password is the exact bytes of its UTF-8, never normalised or cut (security A7). Every call may
 * reject with `overloaded`, and with `bad_request` for a password beyond the limit, before anything is hashed (security D8).
 */
export interface Hasher {
  /** `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, unpadded, with a new salt. */
  hash(password: string): Promise<string>
  /**
   * Whether the password is the one that was hashed. `undefined` stands for an identity that does not exist or has no
   * password: as much work with the current parameters, then `false` (security A2). With a decoy, every call does the
   * decoy's work as well as ours, so that imported hashes can't be told from others by time either. Rejects with
   * `internal_error` for a stored text that is no hash or would cost out of all proportion.
   */
  verify(hash: string | undefined, password: string): Promise<boolean>
  /** Whether a hash was imported, or made with less than the current parameters (security A8). */
  needsRehash(hash: string): boolean
  /** Why a hash made elsewhere could not be verified here, a sentence that begins with a verb; `undefined` when it could. */
  problemWith(hash: string): string | undefined
  /** Passwords that are being hashed or verified, and that wait for it, at this moment. */
  load(): { readonly running: number, readonly waiting: number }
}

interface Parameters {
  readonly type: string
  readonly version: number
  readonly memory: number
  readonly iterations: number
  readonly parallelism: number
  readonly saltBytes: number
  readonly hashBytes: number
}

/**
 * A hasher with a queue of its own; `onRefused` learns of each password that finds it full. Throws a sentence for a decoy
 * that can't be verified.
 */
export function createHasher(options: HasherOptions, onRefused?: HashQueueOptions['onRefused']): Hasher {
  const { memory: memoryCost, iterations: timeCost, parallelism, salt_length: saltLength, key_length: hashLength, maxPasswordBytes } = options
  const current = { type: argon2id, memoryCost, timeCost, parallelism, hashLength }
  const { run, load } = createHashQueue({ concurrency: options.concurrency || defaultConcurrency(), waiting: options.queue, onRefused })
  const dummySalt = Buffer.alloc(saltLength)
  const nobody: UnderstoodHash = {
    async verify(password) {
      await argon2Hash(password, { ...current, salt: dummySalt, raw: true })
      return false
    },
  }
  const decoy = options.decoy === undefined ? undefined : understandForeignHash(options.decoy)
  if (decoy !== undefined && 'problem' in decoy) throw new Error(`hashers.imported.decoy ${decoy.problem}`)

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
    async verify(hash, password) {
      checkPassword(password)
      const own = hash === undefined ? nobody : understandHash(hash, options)
      if ('problem' in own) throw new GatewayError('internal_error', { detail: `a stored password hash ${own.problem}` })
      const disguise = decoy === undefined || (hash !== undefined && !isArgon2(hash)) ? nobody : decoy
      const bytes = Buffer.from(password)
      return run(async () => {
        const isRight = await own.verify(bytes)
        if (decoy !== undefined) await disguise.verify(bytes)
        return isRight
      })
    },
    needsRehash(hash) {
      const used = parsePhc(hash)
      if (used === undefined) return true
      if (used.type !== 'argon2id' || used.version !== currentVersion) return true
      return used.memory < memoryCost || used.iterations < timeCost || used.saltBytes < saltLength || used.hashBytes < hashLength
    },
    problemWith(hash) {
      const understood = understandHash(hash, options)
      return 'problem' in understood ? understood.problem : undefined
    },
    load,
  }
}

function defaultConcurrency(): number {
  return Math.max(1, availableParallelism() - 1)
}

/** Argon2 1.3, which is all that is made today. */
const currentVersion = 19

function isArgon2(hash: string): boolean {
  return hash.startsWith('$argon2')
}

function understandHash(hash: string, options: HasherOptions): UnderstoodHash | NotUnderstood {
  if (!isArgon2(hash)) return understandForeignHash(hash)
  const used = parsePhc(hash)
  if (used === undefined) return { problem: 'is not a complete argon2 hash ($argon2id$v=19$m=19456,t=2,p=1$salt$hash)' }
  if (!isAffordable(used, options)) return { problem: `has argon2 parameters beyond all bounds; m may be ${memoryBound}, m·t ${workBound}` }
  return { verify: password => argon2Verify(hash, password) }
}

const phcPattern = /^\$(argon2(?:id|i|d))(?:\$v=(16|19))?\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,5}),p=([1-9][0-9]{0,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,172})$/

function parsePhc(phc: string): Parameters | undefined {
  const [, type, version, memory, iterations, parallelism, salt, hash] = phcPattern.exec(phc) ?? []
  if (type === undefined || salt === undefined || hash === undefined) return undefined
  return {
    // A hash that does not say its version is of the first one.
    type, version: Number(version ?? 16), memory: Number(memory), iterations: Number(iterations), parallelism: Number(parallelism),
    saltBytes: Math.floor(salt.length * 3 / 4), hashBytes: Math.floor(hash.length * 3 / 4),
  }
}

/** 1 GiB, which hashes of earlier installations may have been made with, and eight passes over it. */
const memoryBound = 1_048_576
const workBound = 8 * memoryBound

function isAffordable(used: Parameters, options: HasherOptions): boolean {
  return used.memory <= Math.max(memoryBound, options.memory)
    && used.memory * used.iterations <= Math.max(workBound, options.memory * options.iterations)
    && used.memory >= 8 * used.parallelism
}
