/** Clients that stop in the middle: cut, without ever cutting one that waits for us (security D1, D2). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { GatewayError } from '../errors.js'
import type { ExchangeState } from './exchange.js'
import { cutBody, isBodyAwaited } from './slow-bodies.js'

/** The last request of a connection and its answer. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly state: ExchangeState
  /** How many requests of the connection were not answered when it came. */
  readonly waiting: number
  /** How long the client has taken no byte of the answer that waits for it, and how many it had taken by then. */
  idleMs: number
  taken: number
}

/**
 * To be called when nothing has moved on a socket for its timeout. Cuts it between requests, when a body is being read and does
 * not come for `read` milliseconds, and when the client takes nothing of a waiting answer for `write`. A client that waits for
 * the upstream, an event stream and an upload that the upstream holds up are left alone. `refuseHead` answers what is no request yet.
 */
export function cutStalled(
  socket: Socket, exchange: Exchange | undefined, timeout: { readonly read: number, readonly write: number }, refuseHead: (error: GatewayError) => void,
): void {
  if (exchange === undefined) {
    if (socket.bytesRead > 0) refuseHead(new GatewayError('request_timeout'))
    else socket.destroy()
    return
  }
  if (exchange.res.writableFinished && exchange.req.complete) {
    socket.destroy()
    return
  }
  if (socket.writableLength > 0) {
    if (answerIdleMs(socket, exchange) >= timeout.write) socket.destroy()
    else socket.setTimeout(socket.timeout ?? timeout.read)
    return
  }
  if (isBodyAwaited(exchange.req)) { // nobody is to blame but the client
    cutBody(exchange.req, exchange.res, exchange.state)
    return
  }
  socket.setTimeout(socket.timeout ?? timeout.read)
}

/** Bytes that have passed a socket, in both directions. */
export function movedBytes(socket: Socket): number {
  return socket.bytesRead + socket.bytesWritten - socket.writableLength
}

function answerIdleMs(socket: Socket, exchange: Exchange): number {
  const taken = socket.bytesWritten - socket.writableLength
  exchange.idleMs = taken === exchange.taken ? exchange.idleMs + (socket.timeout ?? 0) : socket.timeout ?? 0
  exchange.taken = taken
  return exchange.idleMs
}
