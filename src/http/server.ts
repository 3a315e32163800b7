/** The listener for the open internet: Node's server with every limit set, and what it does when a client breaks one. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { limitConnectionsPerAddress, type AddressLimit } from './connections-per-address.js'
import { hasBody } from './framing.js'
import { answerRaw, lingerThenDestroy } from './raw-answer.js'
import { watchSlowBodies } from './slow-bodies.js'
import { cutStalled, movedBytes, type Exchange } from './stalled-clients.js'
import { isWebSocketUpgrade, replayWithoutUpgrade } from './upgrade-request.js'

export interface PublicServerOptions {
  /** Milliseconds, as `serve.public.timeout`. */
  readonly timeout: { readonly read: number, readonly write: number, readonly idle: number }
  readonly limits: {
    readonly headerBytes: number
    readonly connections: number
    /** Bytes per second that a body must bring while it is waited for; 0 is no minimum. */
    readonly minBodyRate: number
  }
  /** Absent: one address may hold them all. */
  readonly perAddress?: AddressLimit
  /** Once it is aborted, each answer that has not begun is the last one of its connection, and says so. */
  readonly ending?: AbortSignal
  /** Every request that is not a WebSocket handshake, `Expect` included; must answer or destroy, and never throw. */
  readonly onRequest: (req: IncomingMessage, res: ServerResponse) => void
  /** Every request that asks for a WebSocket, valid or not; the socket is the callee's, with its error listener in place. */
  readonly onUpgrade: (req: IncomingMessage, socket: Socket, head: Buffer) => void
}

/** Requests of one connection that may wait for the answer before theirs. */
const maxPipelined = 100

/** A server that does not listen yet. Header fields are not counted here but by `checkFraming`. */
export function createPublicServer({ timeout, limits, perAddress, ending, onRequest, onUpgrade }: PublicServerOptions): Server {
  const server = createServer({
    insecureHTTPParser: false,
    maxHeaderSize: limits.headerBytes,
    headersTimeout: timeout.read,
    requestTimeout: 0, // bodies are limited by their pauses and their pace, see cutStalled and watchSlowBodies
    keepAliveTimeout: timeout.idle,
    connectionsCheckingInterval: Math.min(1000, timeout.read),
    requireHostHeader: false, // the access request says it better
    noDelay: true,
  })
  server.maxHeadersCount = 0 // a limit would drop fields silently, framing fields too
  server.maxConnections = limits.connections
  server.timeout = Math.min(timeout.read, timeout.write)

  if (perAddress !== undefined) limitConnectionsPerAddress(server, perAddress)
  const slowBodies = watchSlowBodies({ bytesPerSecond: limits.minBodyRate, graceMs: timeout.read })

  const exchanges = new WeakMap<Socket, Exchange>()
  const connected = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    connected.add(socket)
    socket.once('close', () => connected.delete(socket))
  })
  ending?.addEventListener('abort', () => {
    for (const socket of connected) {
      const exchange = exchanges.get(socket)
      if (exchange !== undefined) exchange.res.shouldKeepAlive = false
    }
  })

  /** Pipelined requests wait their turn: an answer that is not its connection's next is not told when the client goes. */
  function begin(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req
    if (ending?.aborted) res.shouldKeepAlive = false
    const before = exchanges.get(socket)
    const isWaiting = before !== undefined && !before.res.closed
    const exchange = { req, res, waiting: isWaiting ? before.waiting + 1 : 0, idleMs: 0, taken: 0 }
    exchanges.set(socket, exchange)

    if (!isWaiting) start(exchange)
    else if (exchange.waiting > maxPipelined) socket.destroy()
    else before.res.once('close', () => socket.writable && start(exchange))
  }

  function start({ req, res }: Exchange): void {
    if (hasBody(req)) {
      slowBodies.watch(req, res)
      res.once('finish', () => {
        slowBodies.forget(req)
        drain(req, timeout.read)
      })
    }
    onRequest(req, res)
  }

  server.on('request', begin)
  server.on('checkContinue', begin) // 100 Continue is for whoever decides that the body is wanted (security S18)
  server.on('checkExpectation', begin)

  server.on('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    // A client that pipelines its upgrade would get it in the middle of the answer before.
    if (exchanges.get(socket)?.res.closed === false) {
      socket.destroy()
      return
    }
    if (!isWebSocketUpgrade(req)) {
      replayWithoutUpgrade(server, req, socket, head)
      return
    }
    exchanges.delete(socket)
    socket.setTimeout(0)
    onUpgrade(req, socket, head)
  })
  server.on('connect', (_req: IncomingMessage, socket: Socket) => {
    socket.on('error', () => socket.destroy())
    answerRaw(socket, 405, 'The method is not allowed for the requested resource')
  })

  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuse(error, socket, exchanges.get(socket)))
  server.on('timeout', (socket: Socket) => {
    // When this process was too busy to read for that long, what the client sent meanwhile is read before the next turn.
    const moved = movedBytes(socket)
    setImmediate(() => movedBytes(socket) === moved && cutStalled(socket, exchanges.get(socket), timeout))
  })
  return server
}

/** What follows an answer that did not wait for the whole body: it is thrown away, for a while. */
function drain(req: IncomingMessage, readMs: number): void {
  if (req.complete) return
  req.resume()
  const timer = setTimeout(() => req.complete || req.socket.destroy(), Math.min(readMs, 10_000))
  req.once('close', () => clearTimeout(timer))
}

/** The parser gave up on a socket, or no request head came in time. Its first error is answered, if an answer can be told apart. */
function refuse(error: NodeJS.ErrnoException, socket: Socket, exchange: Exchange | undefined): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) {
    socket.destroy()
    return
  }
  if (socket.writableEnded) return // refused already; this is what the client still sends

  const [status, message] = refusals[error.code ?? ''] ?? [400, 'The request was malformed or contained invalid parameters']
  if (exchange === undefined) {
    answerRaw(socket, status, message)
    return
  }
  const { req, res } = exchange
  if (req.complete) { // it is a later request on the same connection that is malformed
    if (res.closed) answerRaw(socket, status, message)
    else res.once('close', () => socket.writableEnded || answerRaw(socket, status, message))
    return
  }
  if (!res.headersSent) {
    answerRaw(socket, status, message)
    req.destroy(error)
    return
  }
  if (!res.writableEnded) { // the answer has begun, and there is no telling it from a second one
    socket.destroy()
    return
  }
  socket.end()
  lingerThenDestroy(socket)
}

const refusals: Readonly<Record<string, readonly [status: number, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The request has too many or too large header fields'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'The request body is larger than allowed'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not arrive in time'],
}
