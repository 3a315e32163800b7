/** The listener for the open internet: Node's server with every limit set, and what it does when a client breaks one. */
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

import { GatewayError, type ErrorCode } from '../errors.js'
import { limitConnectionsPerAddress, type AddressLimit } from './connections-per-address.js'
import type { ExchangeState } from './exchange.js'
import { hasBody } from './framing.js'
import { createLiveSet } from './live-set.js'
import { answerExchange, answerRaw, lingerThenDestroy } from './raw-answer.js'
import { isBodyAwaited, watchSlowBodies } from './slow-bodies.js'
import { cutStalled, movedBytes, type Exchange } from './stalled-clients.js'
import { createTlsServer, type TlsListenerOptions } from './tls-listener.js'
import { createUpgradeResponse, isWebSocketUpgrade, parsesUpgradeBodies, replayWithoutUpgrade } from './upgrade-request.js'

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
  /** Absent: it speaks plain HTTP. */
  readonly tls?: Omit<TlsListenerOptions, 'handshakeMs'>
  /** Once it is aborted, each answer that has not begun is the last one of its connection, and says so. */
  readonly ending?: AbortSignal
  /** Never throws. */
  readonly requestIdOf: (req: IncomingMessage) => string
  /** Every request that is not a WebSocket handshake, `Expect` included; must answer or destroy, and never throw. */
  readonly onRequest: (req: IncomingMessage, res: ServerResponse, exchange: ExchangeState) => void
  /** Every request that asks for a WebSocket, valid or not; the socket is the callee's, with its error listener in place. */
  readonly onUpgrade: (req: IncomingMessage, socket: Socket, head: Buffer, exchange: ExchangeState) => void
  /** Told of what was refused without ever becoming a request: a head that is malformed, too large or late, and CONNECT. */
  readonly onRefused: (error: GatewayError, requestId: string, socket: Socket) => void
  /** Told of each connection that is one too many, and for which limit. */
  readonly onDropped?: (limit: 'connections' | 'connections_per_address') => void
}

/** An open connection. */
interface Connection {
  /** Its last exchange; absent before the first, and once it speaks another protocol. */
  last: Exchange | undefined
}

/** Requests of one connection that may wait for the answer before theirs. */
const maxPipelined = 100

/** A server that does not listen yet. Header fields are not counted here but by `checkFraming`. */
export function createPublicServer(options: PublicServerOptions): Server {
  const { timeout, limits, perAddress, tls, ending, requestIdOf, onRequest, onUpgrade, onDropped = () => undefined } = options
  const http = {
    insecureHTTPParser: false,
    maxHeaderSize: limits.headerBytes,
    headersTimeout: timeout.read,
    requestTimeout: 0, // bodies are limited by their pauses and their pace, see cutStalled and watchSlowBodies
    keepAliveTimeout: timeout.idle,
    connectionsCheckingInterval: Math.min(1000, timeout.read),
    requireHostHeader: false, // the access request says it better
    noDelay: true,
  }
  const server = tls === undefined ? createServer(http) : createTlsServer(http, { ...tls, handshakeMs: timeout.read })
  /** The event of a connection that can speak HTTP. */
  const accepted = tls === undefined ? 'connection' : 'secureConnection'
  server.maxHeadersCount = 0 // a limit would drop fields silently, framing fields too
  server.maxConnections = limits.connections
  server.timeout = Math.min(timeout.read, timeout.write)

  if (perAddress !== undefined) limitConnectionsPerAddress(server, perAddress, () => { onDropped('connections_per_address') })
  const slowBodies = watchSlowBodies({ bytesPerSecond: limits.minBodyRate, graceMs: timeout.read })

  const bySocket = new WeakMap<Socket, Connection>()
  const connections = createLiveSet<Connection>()
  server.on(accepted, (socket: Socket) => {
    if (bySocket.has(socket)) return // it comes again with each request that asked for another protocol
    const connection: Connection = { last: undefined }
    bySocket.set(socket, connection)
    connections.add(connection)
    socket.once('close', () => {
      connections.delete(connection)
      connection.last = undefined
    })
  })
  let isEnding = ending?.aborted === true
  ending?.addEventListener('abort', () => {
    isEnding = true
    for (const { last } of connections) if (last !== undefined) last.res.shouldKeepAlive = false
  })

  /** Pipelined requests wait their turn: an answer that is not its connection's next is not told when the client goes. */
  function begin(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req
    if (socket.writableEnded) return // refused before it was a request; whoever was told so must not be served
    if (isEnding) res.shouldKeepAlive = false
    const connection = bySocket.get(socket) as Connection
    const before = connection.last
    const isWaiting = before !== undefined && !before.res.closed
    const state: ExchangeState = { requestId: requestIdOf(req) }
    const exchange = { req, res, state, waiting: isWaiting ? before.waiting + 1 : 0, idleMs: 0, taken: 0 }
    connection.last = exchange

    if (!isWaiting) start(exchange)
    else if (exchange.waiting > maxPipelined) socket.destroy()
    else before.res.once('close', () => socket.writable && start(exchange))
  }

  function start({ req, res, state }: Exchange): void {
    if (hasBody(req)) {
      const forget = slowBodies.watch(req, res, state)
      res.once('finish', () => {
        forget()
        drain(req, timeout.read)
      })
    }
    onRequest(req, res, state)
  }

  server.on('request', begin)
  server.on('checkContinue', begin) // 100 Continue is for whoever decides that the body is wanted (security S18)
  server.on('checkExpectation', begin)

  server.on('upgrade', (req: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => stream.destroy())
    const { socket } = req // while a body is still to come, Node 26 hands out a stream of its own instead
    if (socket.writableEnded) return
    // A client that pipelines its upgrade would get it in the middle of the answer before.
    const connection = bySocket.get(socket)
    if (connection?.last?.res.closed === false) {
      socket.destroy()
      return
    }
    if (!isWebSocketUpgrade(req)) {
      if (hasBody(req) && parsesUpgradeBodies) begin(req, createUpgradeResponse(req, socket))
      else replayWithoutUpgrade(req, socket, head, () => server.emit(accepted, socket))
      return
    }
    if (hasBody(req)) {
      refuseHead(socket, new GatewayError('bad_request', { reason: 'a WebSocket handshake must not have a body' }))
      return
    }
    if (connection !== undefined) connection.last = undefined
    socket.setTimeout(0)
    onUpgrade(req, socket, head, { requestId: requestIdOf(req) })
  })
  server.on('connect', ({ socket }: IncomingMessage, stream: Duplex) => {
    stream.on('error', () => stream.destroy())
    refuseHead(socket, new GatewayError('method_not_allowed'))
  })

  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuse(error, socket, bySocket.get(socket)?.last, refuseHead))
  server.on('drop', () => { onDropped('connections') })
  server.on('timeout', (socket: Socket) => {
    // When this process was too busy to read for that long, what the client sent meanwhile is read before the next turn.
    const moved = movedBytes(socket)
    const exchange = bySocket.get(socket)?.last
    const wasAwaited = exchange !== undefined && isBodyAwaited(exchange.req)
    setImmediate(() => {
      if (socket.destroyed || movedBytes(socket) !== moved) return
      // A body that the upstream takes again since this very moment has not been waited for yet.
      if (exchange !== undefined && !wasAwaited && isBodyAwaited(exchange.req)) socket.setTimeout(socket.timeout ?? timeout.read)
      else cutStalled(socket, bySocket.get(socket)?.last, timeout, error => { refuseHead(socket, error) })
    })
  })

  function refuseHead(socket: Socket, error: GatewayError): void {
    const requestId = randomUUID()
    answerRaw(socket, error, requestId)
    options.onRefused(error, requestId, socket)
  }
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
function refuse(
  error: NodeJS.ErrnoException, socket: Socket, exchange: Exchange | undefined, refuseHead: (socket: Socket, error: GatewayError) => void,
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) {
    socket.destroy()
    return
  }
  if (socket.writableEnded) return // refused already; this is what the client still sends

  const refusal = new GatewayError(refusals[error.code ?? ''] ?? 'bad_request', { detail: error.code })
  if (exchange === undefined) {
    refuseHead(socket, refusal)
    return
  }
  const { req, res, state } = exchange
  if (req.complete) { // it is a later request on the same connection that is malformed
    if (res.closed) refuseHead(socket, refusal)
    else res.once('close', () => socket.writableEnded || refuseHead(socket, refusal))
    return
  }
  if (!res.headersSent) {
    answerExchange(socket, refusal, state)
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

const refusals: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'payload_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}
