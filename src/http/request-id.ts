/** The id by which a request is known: in the log, in the bodies of errors, to the upstream. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

import { createTrust, plainAddress } from './client-address.js'

/** Makes the function that tells a request's id: a trusted proxy's `X-Request-Id`, else a new one. It never throws. */
export function createRequestIds(trustedProxies: readonly string[]): (req: IncomingMessage) => string {
  const isTrusted = createTrust(trustedProxies)

  return req => {
    const given = givenRequestId(req)
    return given !== undefined && isTrusted(plainAddress(req.socket.remoteAddress ?? '')) ? given : randomUUID()
  }
}

/** `X-Request-Id` where it is one; whether its sender is believed is another question. */
export function givenRequestId(req: IncomingMessage): string | undefined {
  const field = req.headers['x-request-id']
  const given = typeof field === 'object' ? field.at(-1) : field
  return given !== undefined && /^[\w.-]{1,128}$/.test(given) ? given : undefined
}
