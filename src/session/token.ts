/** The value of a session cookie: a random token and a signature, so that forged cookies never reach the store. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** 256 random bits; the name of a session that only its browser knows (security A11). */
export function newToken(secrets: readonly string[]): string {
  const random = randomBytes(32).toString('base64url')
  return `${random}.${sign(random, secrets[0] as string)}`
}

/** Whether one of the secrets signed it: the first signs, all verify, so that secrets can be rotated (security K2). */
export function isSigned(token: string, secrets: readonly string[]): boolean {
  const [random = '', signature = '', ...rest] = token.split('.')
  const presented = Buffer.from(signature)
  if (rest.length > 0 || random.length !== 43 || presented.length !== 43) return false // bytes: a header may hold any
  return secrets.some(secret => timingSafeEqual(presented, Buffer.from(sign(random, secret))))
}

/** What the store knows a token by. A dump of the store holds no cookie that works. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token.slice(0, token.indexOf('.'))).digest('base64url')
}

function sign(random: string, secret: string): string {
  return createHmac('sha256', secret).update(random).digest('base64url')
}
