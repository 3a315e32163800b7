/** Answers for sockets that have no response object: what the parser refused, CONNECT, a client that stalled. */
import type { Socket } from 'node:net'
import { STATUS_CODES } from 'node:http'

import type { GatewayError } from '../errors.js'
import { errorBody } from './error-body.js'
import type { ExchangeState } from './exchange.js'

/** How long a client may go on sending after it was told that nobody listens; closing at once would reset away the answer. */
const lingerMs = 1000

/** Writes one small JSON answer with `Connection: close`, ends the socket, and destroys it soon after. */
export function answerRaw(socket: Socket, error: GatewayError, requestId: string): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const { status } = error
  const body = JSON.stringify({ error: errorBody(error, requestId) })
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\n`
    + `Cache-Control: no-store\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
  lingerThenDestroy(socket)
}

/** The same in place of the answer to a request that has begun; its own line in the log will say so. */
export function answerExchange(socket: Socket, error: GatewayError, exchange: ExchangeState): void {
  exchange.refusal = error
  answerRaw(socket, error, exchange.requestId)
}

/** For a socket whose writing side has been ended: reads on into nothing for a moment, then destroys it. */
export function lingerThenDestroy(socket: Socket): void {
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
}
