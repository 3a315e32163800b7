/**
 * Password hashes that other systems made: bcrypt, scrypt and PBKDF2, as they write them. They are only ever verified; who
 * logs in gets a hash of ours (`password-hash.ts`).
 */
import { pbkdf2, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

import bcrypt from 'bcrypt'

/** A hash that can be verified here. */
export interface UnderstoodHash {
  /** Whether it was made from these bytes; as much work for wrong ones as for the right ones. */
  verify(password: Buffer): Promise<boolean>
}

/** Why a hash can't be verified here; a sentence that quotes nothing of it. */
export interface NotUnderstood {
  readonly problem: string
}

/** Longest text of a hash that is looked at. */
const textLimit = 512

/** A text in one of the formats, or what is wrong with it. Its parameters have bounds: a login must not cost minutes or gigabytes. */
export function understandForeignHash(text: string): UnderstoodHash | NotUnderstood {
  if (text.length > textLimit) return { problem: `has more than ${textLimit} characters` }
  const format = formats.find(({ begins }) => begins.test(text))
  if (format === undefined) return { problem: 'is in no known format: known are argon2, bcrypt ($2a$, $2b$, $2y$), scrypt and pbkdf2' }
  const parts = format.pattern.exec(text)
  if (parts === null) return { problem: `is not a complete ${format.name} hash (${format.example})` }
  return format.understand(parts.slice(1).map(part => part ?? ''))
}

interface Format {
  readonly name: string
  readonly example: string
  readonly begins: RegExp
  readonly pattern: RegExp
  /** Gets the groups of the pattern. */
  understand(parts: readonly string[]): UnderstoodHash | NotUnderstood
}

/** 2^15 rounds are two to four seconds on one core. */
const bcryptCostBound = 15

/** Of one scrypt: what it allocates, and blocks that it mixes (N·r·p: 2^17, 8 and 16, four to eight seconds). */
const scryptBytesBound = 268_435_456
const scryptWorkBound = 16_777_216

/** Iterations over all blocks of the output: three to five seconds. */
const pbkdf2WorkBound = 5_000_000

/** Fewer bytes of hash could be guessed. */
const leastHashBytes = 16

/** Standard base64, or passlib's with `.` for `+`; with or without padding. */
const base64 = '[A-Za-z0-9+/.]{2,172}={0,2}'

const formats: readonly Format[] = [
  {
    name: 'bcrypt',
    example: '$2b$12$, 22 characters of salt, 31 of hash',
    begins: /^\$2[aby]\$/,
    pattern: /^\$2[aby]\$([0-9]{2})\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/,
    understand([cost = '', salt = '', hash = '']) {
      if (Number(cost) < 4 || Number(cost) > bcryptCostBound) return { problem: `has a cost of ${Number(cost)}; 4 to ${bcryptCostBound} are accepted` }
      const expected = Buffer.from(hash)
      return {
        async verify(password) {
          // The rest never counted for whoever made the hash (72 bytes are all that bcrypt's key schedule takes).
          const key = Buffer.from(password.subarray(0, bcryptKeyBytes))
          // bcrypt repeats the password with a zero in between, so one that holds a zero would equal another.
          const hasZero = key.includes(0)
          // 2a, 2b and 2y differ in faults of old programs with passwords beyond 255 bytes, which are not passed on.
          const made = await bcrypt.hash(hasZero ? Buffer.from(key.map(byte => byte || 1)) : key, `$2b$${cost}$${salt}`)
          return timingSafeEqual(Buffer.from(made.slice(-expected.length)), expected) && !hasZero
        },
      }
    },
  },
  {
    name: 'scrypt',
    example: '$scrypt$ln=15,r=8,p=1$salt$hash',
    begins: /^\$scrypt\$/,
    pattern: new RegExp(`^\\$scrypt\\$ln=([0-9]{1,10}),r=([0-9]{1,4}),p=([0-9]{1,4})\\$(${base64})\\$(${base64})$`),
    understand([ln = '', blockSize = '', parallelization = '', salt = '', hash = '']) {
      // `ln` is the logarithm in the PHC format; Kratos writes N itself.
      const N = Number(ln) < 64 ? 2 ** Number(ln) : Number(ln)
      const [r, p] = [Number(blockSize), Number(parallelization)]
      if (N < 2 || !Number.isInteger(Math.log2(N)) || r === 0 || p === 0) return { problem: 'has scrypt parameters that scrypt does not have' }
      if (128 * N * r > scryptBytesBound || N * r * p > scryptWorkBound) {
        return { problem: `has scrypt parameters that would cost too much; 128·N·r may be ${scryptBytesBound}, N·r·p ${scryptWorkBound}` }
      }
      return derived(hash, (password, length) =>
        derive(password, decode(salt), length, { N, r, p, maxmem: 128 * r * (N + p + 2) + 65_536 }))
    },
  },
  {
    name: 'pbkdf2',
    example: '$pbkdf2-sha256$i=600000,l=32$salt$hash',
    begins: /^\$pbkdf2[-$]/,
    pattern: new RegExp(`^\\$pbkdf2(?:-(sha1|sha224|sha256|sha384|sha512))?\\$(?:i=)?([0-9]{1,8})(?:,l=[0-9]{1,4})?\\$(${base64})\\$(${base64})$`),
    understand: ([digest = '', iterations = '', salt = '', hash = '']) => understandPbkdf2(digest || 'sha1', Number(iterations), decode(salt), hash),
  },
  {
    name: 'pbkdf2',
    example: 'pbkdf2_sha256$600000$salt$hash',
    begins: /^pbkdf2_/,
    pattern: new RegExp(`^pbkdf2_(sha1|sha256)\\$([0-9]{1,8})\\$([!-#%-~]{1,128})\\$(${base64})$`),
    understand: ([digest = '', iterations = '', salt = '', hash = '']) => understandPbkdf2(digest, Number(iterations), Buffer.from(salt), hash),
  },
]

const bcryptKeyBytes = 72

const derive = promisify<Buffer, Buffer, number, { N: number, r: number, p: number, maxmem: number }, Buffer>(scrypt)
const stretch = promisify(pbkdf2)

const digestBytes: Readonly<Record<string, number>> = { sha1: 20, sha224: 28, sha256: 32, sha384: 48, sha512: 64 }

function understandPbkdf2(digest: string, iterations: number, salt: Buffer, hash: string): UnderstoodHash | NotUnderstood {
  const blocks = Math.ceil(decode(hash).length / (digestBytes[digest] as number))
  if (iterations === 0) return { problem: 'has no iterations' }
  if (iterations * blocks > pbkdf2WorkBound) return { problem: `has too many pbkdf2 iterations; ${pbkdf2WorkBound} are accepted` }
  return derived(hash, (password, length) => stretch(password, salt, iterations, length, digest))
}

function derived(hash: string, make: (password: Buffer, length: number) => Promise<Buffer>): UnderstoodHash | NotUnderstood {
  const expected = decode(hash)
  if (expected.length < leastHashBytes) return { problem: `has fewer than ${leastHashBytes} bytes of hash` }
  return { verify: async password => timingSafeEqual(await make(password, expected.length), expected) }
}

function decode(text: string): Buffer {
  return Buffer.from(text.replaceAll('.', '+'), 'base64')
}
