/** What a WebSocket handshake must look like, from either side (RFC 6455 sections 4.2.1 and 4.1, security W3, W4, W6). */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

import { GatewayError } from '../errors.js'
import type { AccessRequest } from '../http/access-request.js'
import { hasBody } from '../http/framing.js'
import { readHost } from '../http/host.js'
import type { OriginList } from '../http/origins.js'

/** Throws `bad_request` or `upgrade_required` for a handshake that no two servers would take the same way. */
export function checkHandshake(req: IncomingMessage): void {
  const { upgrade = '', 'sec-websocket-version': version, 'sec-websocket-key': key } = req.headers
  if (upgrade.toLowerCase() !== 'websocket') throw refusal('upgrade_required', 'websocket must be the only protocol to upgrade to')
  if (req.method !== 'GET' || req.httpVersion !== '1.1') throw refusal('bad_request', 'a WebSocket handshake must be a GET of HTTP/1.1')
  if (hasBody(req) || req.headers['content-length'] !== undefined) throw refusal('bad_request', 'a WebSocket handshake must not have a body')
  if (version !== '13') throw refusal('upgrade_required', 'the only supported WebSocket version is 13')
  if (!/^[+/\w]{21}[AQgw]==$/.test(key ?? '')) throw refusal('bad_request', 'Sec-WebSocket-Key must be 16 bytes in base64')
}

/**
 * Browsers send cookies along whatever page opens the socket (cross-site WebSocket hijacking), so `Origin`, where there is one,
 * must be the host that was asked, or listed. Throws `forbidden`.
 */
export function checkOrigin({ headers, host, scheme }: AccessRequest, isAllowed: OriginList): void {
  const { origin } = headers
  if (origin === undefined || isAllowed(origin)) return

  const [, said, authority] = /^(https?):\/\/([^/]+)$/i.exec(origin) ?? []
  // Whoever ends TLS in front of us may not say so; the scheme decides nothing but which port goes without saying.
  const theirs = authority === undefined ? undefined : readHost(authority, said?.toLowerCase() === 'https' ? 'https' : 'http')
  if (theirs !== undefined && (theirs === host || theirs === readHost(host, scheme === 'https' ? 'http' : 'https'))) return
  throw new GatewayError('forbidden', { reason: 'this origin may not open WebSockets here' })
}

/** Whether an upstream's 101 answers this very key with a WebSocket; anything else is no tunnel. */
export function isAccepted(res: IncomingMessage, key: string): boolean {
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  return res.headers['sec-websocket-accept'] === accept && res.headers.upgrade?.toLowerCase() === 'websocket'
}

function refusal(code: 'bad_request' | 'upgrade_required', reason: string): GatewayError {
  const headers = code === 'upgrade_required' ? { upgrade: 'websocket', 'sec-websocket-version': '13' } : {}
  return new GatewayError(code, { reason, headers: { ...headers, connection: code === 'upgrade_required' ? 'upgrade, close' : 'close' } })
}
