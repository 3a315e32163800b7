/** Answers for sockets that have no response object: what the parser refused, CONNECT, a client that stalled. */
import type { Socket } from 'node:net'
import { STATUS_CODES } from 'node:http'

/** How long a client may go on sending after it was told that nobody listens; closing at once would reset away the answer. */
const lingerMs = 1000

/** Writes one small JSON answer with `Connection: close`, ends the socket, and destroys it soon after. */
export function answerRaw(socket: Socket, status: number, message: string, headers = ''): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const reason = STATUS_CODES[status] ?? 'Error'
  const body = JSON.stringify({ error: { code: status, status: reason, message } })
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\n`
    + `Cache-Control: no-store\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
  lingerThenDestroy(socket)
}

/** For a socket whose writing side has been ended: reads on into nothing for a moment, then destroys it. */
export function lingerThenDestroy(socket: Socket): void {
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
}
