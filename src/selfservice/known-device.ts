/** Browsers that have logged in with an identifier before carry a cookie that says so: they are throttled by themselves (security A3). */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** The cookie's name. */
export const deviceCookieName = 'oathgate_device'

/** A year after the last login on it. */
export const deviceCookieMaxAgeSeconds = 31_536_000

/** Makes and reads the cookie's values. They open nothing: they only name a browser. */
export interface KnownDevices {
  /** For a browser that has just logged in with `identifier`. */
  remember(identifier: string): string
  /** The browser's name when its cookie was made for this identifier; `undefined` for any other browser. */
  recognise(cookie: string | undefined, identifier: string): string | undefined
}

/** The first secret signs, all verify. */
export function createKnownDevices(secrets: readonly string[]): KnownDevices {
  return {
    remember(identifier) {
      const name = randomBytes(16).toString('base64url')
      return `${name}.${sign(name, identifier, secrets[0] as string)}`
    },
    recognise(cookie, identifier) {
      const [name = '', signature = ''] = cookie?.split('.') ?? []
      const presented = Buffer.from(signature)
      if (name.length !== 22 || presented.length !== 43) return undefined // bytes: a header may hold any
      return secrets.some(secret => timingSafeEqual(presented, Buffer.from(sign(name, identifier, secret)))) ? name : undefined
    },
  }
}

function sign(name: string, identifier: string, secret: string): string {
  return createHmac('sha256', secret).update(`device\0${name}\0${identifier}`).digest('base64url')
}
