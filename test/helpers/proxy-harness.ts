/** The data path alone: reader, a fixed decision and forwarder on the public server, before a recorder. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

import type { AccessRule, Decision, Upstream } from '../../src/access/pipeline.js'
import { GatewayError, toGatewayError } from '../../src/errors.js'
import { createAccessRequestReader, type AccessRequest } from '../../src/http/access-request.js'
import { createTrust } from '../../src/http/client-address.js'
import { createRequestIds } from '../../src/http/request-id.js'
import { createPublicServer } from '../../src/http/server.js'
import { createUpgradeResponse } from '../../src/http/upgrade-request.js'
import { createForwarder, type Forwarder, type ForwardOutcome } from '../../src/proxy/forward.js'
import type { RefusePeer } from '../../src/proxy/own-listeners.js'
import { createUpgrader, type Upgrader } from '../../src/proxy/upgrade.js'
import { startRecorder, type Recorder } from './recorder.js'

export interface ProxyOptions {
  readonly trustedProxies?: readonly string[]
  readonly upstream?: Partial<Upstream>
  /** The upstream's origin, when it is not the recorder's plain one. */
  readonly originOf?: (recorder: Recorder) => string
  readonly refusePeer?: RefusePeer
  readonly read?: number
  readonly write?: number
  readonly response?: number
  readonly connect?: number
  /** Client connections. */
  readonly clients?: number
  /** The same of one address. */
  readonly clientsPerAddress?: number
  /** Bytes per second of a body; default: any pace will do. */
  readonly minBodyRate?: number
  /** Upstream connections. */
  readonly connections?: number
  readonly body?: number
  readonly maxBodyBytes?: number
  readonly keepAlive?: number
  /** Set on every response before it is forwarded, as a gateway does for CORS. */
  readonly responseFields?: Readonly<Record<string, string>>
}

export interface Proxy {
  readonly port: number
  readonly recorder: Recorder
  /** How the forwarded requests ended, in that order. */
  readonly outcomes: ForwardOutcome[]
  readonly upgrader: Upgrader
  readonly forwarder: Forwarder
  close(): Promise<void>
}

/** The cookie that makes the request alice's. */
export const aliceCookie = 'ory_kratos_session=alice-token'

/**
 * `/public/**` is open, `/app/**` and `/admin/**` need alice's cookie and set `X-User`, everything else is 404.
 */
export async function start(options: ProxyOptions = {}): Promise<Proxy> {
  const recorder = await startRecorder()
  const outcomes: ForwardOutcome[] = []
  const read = createAccessRequestReader({ trustedProxies: options.trustedProxies ?? [], pathBytes: 4096, headerFields: 100 })
  const refusePeer = options.refusePeer ?? (() => undefined)
  const forwarder = createForwarder({
    refusePeer,
    timeout: { connect: options.connect ?? 1000, response: options.response ?? 5000, body: options.body ?? 0 },
    connections: options.connections ?? 64, keepAlive: options.keepAlive ?? 4000, maxBodyBytes: options.maxBodyBytes ?? 0,
    ownCookies: ['ory_kratos_session', 'oathgate_csrf'],
  })
  const upgrader = createUpgrader({
    refusePeer,
    timeout: { connect: options.connect ?? 1000, response: options.response ?? 5000 },
    ownCookies: ['ory_kratos_session', 'oathgate_csrf'], allowedOrigins: ['https://friend.test', 'https://*.friends.test', '*'],
  })
  const upstream: Upstream = {
    origin: options.originOf?.(recorder) ?? recorder.origin, basePath: '', preserveHost: false, keepAlive: true, bodyOnSafeMethods: false, ...options.upstream,
  }
  const server = createPublicServer({
    timeout: { read: options.read ?? 5000, write: options.write ?? 5000, idle: 5000 },
    limits: { headerBytes: 16_384, connections: options.clients ?? 1000, minBodyRate: options.minBodyRate ?? 0 },
    perAddress: { connections: options.clientsPerAddress ?? 0, isTrusted: createTrust(options.trustedProxies ?? []) },
    requestIdOf: createRequestIds(options.trustedProxies ?? []),
    onRequest: (req, res, { requestId }) => void handle(req, res, requestId),
    onUpgrade: (req, socket, head, { requestId }) => void handleUpgrade(req, socket, head, requestId),
    onRefused: () => undefined,
  })

  async function handle(req: IncomingMessage, res: ServerResponse, requestId: string): Promise<void> {
    try {
      const request = read(req, requestId)
      for (const [name, value] of Object.entries(options.responseFields ?? {})) res.setHeader(name, value)
      outcomes.push(await forwarder.forward(req, res, request, decideFixed(request, upstream)))
    } catch (thrown) {
      answer(res, thrown)
    }
  }

  async function handleUpgrade(req: IncomingMessage, socket: Socket, head: Buffer, requestId: string): Promise<void> {
    try {
      const request = read(req, requestId)
      await upgrader.upgrade(req, socket, head, request, decideFixed(request, upstream))
    } catch (thrown) {
      if (!socket.destroyed) answer(createUpgradeResponse(req, socket), thrown)
    }
  }

  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  return {
    port: (server.address() as AddressInfo).port,
    recorder,
    outcomes,
    upgrader,
    forwarder,
    async close() {
      upgrader.close()
      server.closeAllConnections()
      await new Promise(closed => server.close(closed))
      await forwarder.close().catch(() => undefined) // a test may have closed it
      await recorder.close()
    },
  }
}

/** What rules would say. */
export function decideFixed(request: AccessRequest, upstream: Upstream): Decision {
  const isOpen = request.path.startsWith('/public/')
  const isClosed = request.path.startsWith('/app/') || request.path.startsWith('/admin/') || request.path === '/admin'
  if (!isOpen && !isClosed) throw new GatewayError('not_found')
  if (request.encodedSlashes) throw new GatewayError('bad_request', { reason: 'encoded slash' })
  if (isClosed && !(request.headers.cookie ?? '').includes(aliceCookie)) throw new GatewayError('unauthorized')

  const rule: AccessRule = {
    id: isOpen ? 'open' : 'closed', upstream, encodedSlashes: false, authenticators: [], authorizers: [], mutators: [],
    answerError: () => { throw new Error('not asked') },
  }
  const session = {
    subject: isClosed ? 'alice' : '', extra: undefined, header: isClosed ? { 'x-user': 'alice' } : {},
    match: { ruleId: rule.id, captures: () => [], request },
  }
  return { rule, session, stripped: new Set(['xuser']) }
}

/** As the gateway will, in few words. */
export function answer(res: ServerResponse, thrown: unknown): void {
  const error = toGatewayError(thrown)
  if (error.code === 'internal_error') console.error(error.cause ?? error)
  if (res.headersSent || res.destroyed) {
    res.destroy()
    return
  }
  const body = JSON.stringify({ error: { code: error.status, message: error.message, reason: error.reason, detail: error.detail } })
  res.writeHead(error.status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...error.headers })
  res.end(body)
}
