/** Where a browser may be sent at the wish of whoever made the link (contract 1.13, security R1 to R9). */
import { GatewayError } from '../errors.js'

/** Origins that `return_to` may name, from `urls.whitelisted_return_to_domains`. */
export interface ReturnToPolicy {
  readonly origins: ReadonlySet<string>
  /** `scheme://` and `.suffix[:port]` of entries such as `https://*.example.org`; one label may stand before the suffix. */
  readonly wildcards: readonly { readonly scheme: string, readonly suffix: string }[]
}

/** Reads the configured list; entries have been checked when the configuration was loaded. Their paths do not count. */
export function createReturnToPolicy(entries: readonly string[]): ReturnToPolicy {
  const origins = new Set<string>()
  const wildcards: { scheme: string, suffix: string }[] = []
  for (const entry of entries) {
    const wildcard = /^(https?:\/\/)\*(\.[^/]+)/i.exec(entry)
    if (wildcard === null) origins.add(new URL(entry).origin)
    else wildcards.push({ scheme: (wildcard[1] as string).toLowerCase(), suffix: (wildcard[2] as string).toLowerCase() })
  }
  return { origins, wildcards }
}

/**
 * Accepts a `return_to`: a path on whatever host the redirect job names, or an absolute URL on an allowed origin.
 * Throws `bad_request` otherwise. What it answers is still relative if it was; `resolveReturnTo` makes the `Location`.
 */
export function checkReturnTo(wish: string, policy: ReturnToPolicy): string {
  if (wish.length > 2048 || !/^[\x21-\x7e]+$/.test(wish)) throw malformed()
  if (/^\/(?![/\\])/.test(wish)) return wish

  if (!/^https?:\/\/[^/\\]/i.test(wish) || wish.includes('\\')) throw malformed()
  const url = URL.canParse(wish) ? new URL(wish) : undefined
  if (url === undefined || url.username !== '' || url.password !== '') throw malformed()
  if (!isAllowed(url, policy)) {
    throw new GatewayError('bad_request', {
      reason: `Requested return_to domain "${url.host}" is not a whitelisted return domain`,
    })
  }
  return url.href
}

/** The absolute URL to redirect to; a path stays on the host of `base`, however many slashes it hides. */
export function resolveReturnTo(accepted: string, base: string): string {
  return new URL(accepted, base).href
}

function isAllowed(url: URL, policy: ReturnToPolicy): boolean {
  if (policy.origins.has(url.origin)) return true
  return policy.wildcards.some(({ scheme, suffix }) => {
    if (`${url.protocol}//` !== scheme || !url.host.endsWith(suffix)) return false
    const label = url.host.slice(0, -suffix.length)
    return label !== '' && !label.includes('.')
  })
}

function malformed(): GatewayError {
  return new GatewayError('bad_request', {
    reason: 'The return_to parameter must be a path that begins with a single "/" or a complete http(s) URL.',
  })
}
