/** Who may use the admin listener: whoever has the token, or, on loopback without one, whoever is on this machine (security A15). */
import type { Middleware } from 'koa'

import { GatewayError } from '../errors.js'
import { isDecision } from './decisions.js'
import { isSameSecret } from './same-secret.js'
import { statusPath } from './status-page.js'

/** Paths that probes, and upstreams that verify tokens, ask without a token. */
const open = new Set(['/health/alive', '/health/ready', '/version', '/.well-known/jwks.json'])

/** Another place for the token, since `Authorization` of a request for a decision is the client's. */
export const tokenField = 'x-oathgate-token'

/**
 * With a token: `Authorization: Bearer` (or `X-Oathgate-Token`) or 401. A browser asks for it as a password (Basic, under any name),
 * for the status page and for nothing else: what a browser sends by itself, also for a page of somebody else, opens a view only. Without one, requests must name the listener by a
 * loopback name or by the host of `urls.self.admin`, and come from no web page: a browser on this machine must not become
 * a way in. Requests for a decision bear the client's `Host` and `Origin`; they change nothing and tell only what the
 * client itself could find out.
 */
export function adminGuard(token: string | undefined, adminUrl: string): Middleware {
  const ownHost = new URL(adminUrl).hostname
  return async (ctx, next) => {
    if (open.has(ctx.path)) return next()
    if (token !== undefined) {
      const forBrowsers = ctx.path === statusPath
      const presented = isDecision(ctx.path) ? undefined : bearerOf(ctx.get('authorization')) ?? (forBrowsers ? passwordOf(ctx.get('authorization')) : undefined)
      if (!isSameSecret(presented ?? ctx.get(tokenField), token)) {
        throw new GatewayError('unauthorized', {
          reason: 'The admin API needs the token of serve.admin.token as "Authorization: Bearer" or "X-Oathgate-Token".',
          headers: { 'WWW-Authenticate': forBrowsers ? 'Basic realm="Oathgate status", charset="UTF-8"' : 'Bearer' },
        })
      }
      return next()
    }
    if (isDecision(ctx.path)) return next()
    const name = ctx.get('host').replace(/:[0-9]+$/, '').toLowerCase()
    const isHere = name === ownHost || name === 'localhost' || name === '[::1]' || /^127\.[0-9.]+$/.test(name)
    if (!isHere || ctx.get('origin') !== '') {
      throw new GatewayError('forbidden', { reason: 'Without serve.admin.token the admin API answers programs on its own machine alone.' })
    }
    return next()
  }
}

function bearerOf(authorization: string): string | undefined {
  return /^Bearer (.+)$/i.exec(authorization)?.[1]
}

/** RFC 7617: what follows the first colon. */
function passwordOf(authorization: string): string | undefined {
  const pair = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization)?.[1]
  return pair === undefined ? undefined : /^[^:]*:(.*)$/s.exec(Buffer.from(pair, 'base64').toString())?.[1]
}
