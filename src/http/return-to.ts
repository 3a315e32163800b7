/** Where a browser may be sent at the wish of whoever made the link (contract 1.13, security R1 to R9). */
import { GatewayError } from '../errors.js'
import type { OriginList } from './origins.js'

/** Characters of a host that are repeated in an error, which is kept for a while: as many as a name in the DNS may have. */
const quotedLength = 253

/**
 * Accepts a `return_to`: a path on whatever host the redirect job names, or an absolute URL on an allowed origin.
 * Throws `bad_request` otherwise. What it answers is still relative if it was; `resolveReturnTo` makes the `Location`.
 */
export function checkReturnTo(wish: string, allowed: OriginList): string {
  if (wish.length > 2048 || !/^(?:[\x21-\x24\x26-\x7e]|%[0-9A-Fa-f]{2})+$/.test(wish)) throw malformed()
  if (/^\/(?![/\\])/.test(wish)) return wish

  if (!/^https?:\/\/[^/\\]/i.test(wish) || wish.includes('\\')) throw malformed()
  const url = URL.canParse(wish) ? new URL(wish) : undefined
  if (url === undefined || url.username !== '' || url.password !== '') throw malformed()
  if (!allowed(url.origin)) {
    throw new GatewayError('bad_request', {
      reason: `Requested return_to domain "${url.host.slice(0, quotedLength)}" is not a whitelisted return domain`,
    })
  }
  return url.href
}

/** The absolute URL to redirect to; a path stays on the host of `base`, however many slashes it hides. */
export function resolveReturnTo(accepted: string, base: string): string {
  return new URL(accepted, base).href
}

function malformed(): GatewayError {
  return new GatewayError('bad_request', {
    reason: 'The return_to parameter must be a path that begins with a single "/" or a complete http(s) URL.',
  })
}
