/** A server that listens, and how it comes to an end. */
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'

import { createLiveSet } from './live-set.js'

export interface Listener {
  /** Where it listens; `0.0.0.0` and `::` are no address in particular. */
  readonly address: string
  /** The real one, when 0 was asked for. */
  readonly port: number
  /** Takes no new connections and ends idle ones; resolves when those at work have done it and are ended too. */
  drain(): Promise<void>
  /** Takes no new connections and cuts those that are open. */
  close(): void
}

/** Connections that may wait to be accepted: a burst of slow clients must not turn others away (security D1). The system may allow fewer. */
const backlog = 4096

/** How often connections are looked for that have become idle while the server drains. */
const idleCheckMs = 100

/** Listens; rejects with a sentence when the address can't be had. */
export async function listen(server: Server, host: string, port: number): Promise<Listener> {
  spareUnsent(server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'something else is listening there already' : cause.message
      reject(new Error(`can not listen on ${host}:${port}: ${why}`, { cause }))
    })
    server.listen({ port, host, backlog }, resolve)
  })
  const { address, port: realPort } = server.address() as AddressInfo
  return {
    address,
    port: realPort,
    drain: () => new Promise(resolve => {
      // Node leaves open what becomes idle later, and an answer that had begun could not say that it is the last.
      const ending = setInterval(() => { server.closeIdleConnections() }, idleCheckMs).unref()
      server.close(() => {
        clearInterval(ending)
        resolve()
      })
      server.closeIdleConnections()
    }),
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** Node takes an answer for sent once it has been handed over, and `close` and `closeIdleConnections` would cut clients that take it slowly (security X12). */
function spareUnsent(server: Server): void {
  const sockets = createLiveSet<Socket>()
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    if (sockets.has(socket)) return // it comes again with each request that asked for another protocol
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })

  const closeIdle = server.closeIdleConnections.bind(server)
  server.closeIdleConnections = () => {
    const sending = [...sockets].filter(({ writableLength }) => writableLength > 0)
    for (const socket of sending) socket.destroy = () => socket
    closeIdle()
    for (const socket of sending) Reflect.deleteProperty(socket, 'destroy')
  }
}
