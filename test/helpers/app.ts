/** An app behind the gateway, on a port of its own: it answers requests, and takes WebSockets. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { WebSocketServer, type WebSocket } from 'ws'

/** Its address, `http://127.0.0.1:PORT`; it is gone with all its connections when the test ends. `onSocket` gets each WebSocket. */
export async function startApp(
  t: Test, answer: RequestListener, onSocket: (socket: WebSocket, req: IncomingMessage) => void = () => undefined,
): Promise<string> {
  const server = createServer(answer)
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket, req) => {
    socket.on('error', () => undefined) // whoever breaks off is not the app's concern
    onSocket(socket, req)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A WebSocket that says back what it hears. */
export function sayBack(socket: WebSocket): void {
  socket.on('message', data => { socket.send(data) })
}
