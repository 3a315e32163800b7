/**
 * The request that another proxy asks about (`/decisions`): nginx `auth_request`, Traefik ForwardAuth, Envoy ext_authz. They
 * describe it in `X-Forwarded-*`, or repeat it below `/decisions` (contract oathkeeper 5.1). Whoever reaches the admin
 * listener is believed.
 */
import type { IncomingMessage } from 'node:http'

import { GatewayError } from '../errors.js'
import type { AccessRequest } from './access-request.js'
import { plainAddress } from './client-address.js'
import { readHost } from './host.js'
import { givenRequestId } from './request-id.js'
import { readTarget } from './target.js'

/** Where the decision API lies. */
export const decisionsPath = '/decisions'

/**
 * Each part by itself: from its `X-Forwarded-` field (`Method`, `Proto`, `Host`, `Uri`, `For`), else from the request. The
 * target passes through the same reading as a proxied one; throws `bad_request` for what that refuses. `requestId` is for requests
 * that come without one.
 */
export function readForwardedRequest(req: IncomingMessage, pathBytes: number, requestId: string): AccessRequest {
  const method = field(req, 'x-forwarded-method') ?? req.method ?? ''
  const scheme = schemeOf(req)
  const host = readHost(field(req, 'x-forwarded-host') ?? req.headers.host ?? '', scheme)
  if (host === undefined) throw new GatewayError('bad_request', { reason: 'X-Forwarded-Host (or Host) is not a host' })

  const target = readTarget(field(req, 'x-forwarded-uri') ?? belowDecisions(req.url ?? ''), pathBytes)
  const address = plainAddress(req.socket.remoteAddress ?? '')
  return {
    method, scheme, host,
    path: target.path,
    encodedSlashes: target.encodedSlashes,
    query: target.query,
    url: `${scheme}://${host}${target.path}`,
    headers: req.headers,
    rawHeaders: req.rawHeaders,
    clientAddress: nearestClient(req) ?? address,
    peer: { address, trusted: true },
    requestId: givenRequestId(req) ?? requestId,
  }
}

function field(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name]
  const text = Array.isArray(value) ? value.at(-1) : value
  return text === '' ? undefined : text
}

function schemeOf(req: IncomingMessage): 'http' | 'https' {
  const said = field(req, 'x-forwarded-proto')?.toLowerCase()
  if (said === 'http' || said === 'https') return said
  return 'encrypted' in req.socket ? 'https' : 'http'
}

/** `/decisions/a?b` asks about `/a?b`, `/decisions?b` about `/?b`. */
function belowDecisions(url: string): string {
  const rest = url.slice(decisionsPath.length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** The asking proxy appends whom it serves. */
function nearestClient(req: IncomingMessage): string | undefined {
  const last = field(req, 'x-forwarded-for')?.split(',').at(-1)?.trim()
  return last === undefined || last === '' ? undefined : plainAddress(last)
}
