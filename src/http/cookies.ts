/** Reading and writing single cookies (RFC 6265bis). The gateway never parses a whole jar: it asks for the cookies it knows. */

/** How a cookie is sent to a browser. Every one of ours is `HttpOnly`. */
export interface CookieAttributes {
  readonly path: string
  readonly domain?: string
  readonly secure: boolean
  readonly sameSite: 'Lax' | 'Strict' | 'None'
  /** Absent: gone with the browser's own session. 0 deletes. */
  readonly maxAgeSeconds?: number
}

/**
 * The value of the one cookie of that name. `undefined` when there is none, and also when there are two: then a sibling
 * domain may have planted one of them, and nobody can tell which (security C2).
 */
export function readCookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined

  let found: string | undefined
  let at = header.indexOf(name)
  while (at !== -1) {
    const afterName = at + name.length
    if (startsCookie(header, at) && header.charCodeAt(afterName) === equals) {
      if (found !== undefined) return undefined
      const end = header.indexOf(';', afterName)
      found = header.slice(afterName + 1, end === -1 ? undefined : end).trim()
    }
    at = header.indexOf(name, afterName)
  }
  return found
}

/** A `Set-Cookie` field value. Name and value are ours and need no quoting. */
export function serializeCookie(name: string, value: string, attributes: CookieAttributes): string {
  const { path, domain, secure, sameSite, maxAgeSeconds } = attributes
  let cookie = `${name}=${value}; Path=${path}`
  if (domain !== undefined) cookie += `; Domain=${domain}`
  if (maxAgeSeconds !== undefined) {
    cookie += `; Max-Age=${maxAgeSeconds}`
    if (maxAgeSeconds === 0) cookie += '; Expires=Thu, 01 Jan 1970 00:00:00 GMT'
  }
  cookie += `; HttpOnly; SameSite=${sameSite}`
  return secure ? `${cookie}; Secure` : cookie
}

const equals = 0x3d
const semicolon = 0x3b
const space = 0x20

/** Only spaces may stand between `;` and a name: other white space is how `__Host-` cookies get forged (security C2). */
function startsCookie(header: string, at: number): boolean {
  let before = at - 1
  while (before >= 0 && header.charCodeAt(before) === space) before--
  return before < 0 || header.charCodeAt(before) === semicolon
}
