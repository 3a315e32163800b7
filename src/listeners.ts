/** The listeners: the public one, the one that sends people from http to https, and the one for operators. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'

import type { Acme } from './acme/acme.js'
import { durationMs } from './config/duration.js'
import type { Config } from './config/schema.js'
import type { GatewayError } from './errors.js'
import { publicHandler, redirectHandler, upgradeHandler, type Handle, type HandleUpgrade, type PublicParts } from './gateway.js'
import { createAccessRequestReader } from './http/access-request.js'
import { createTrust } from './http/client-address.js'
import { createHttpsRedirect } from './http/https-redirect.js'
import { listen, type Listener } from './http/listener.js'
import { createRequestIds } from './http/request-id.js'
import { createPublicServer } from './http/server.js'
import { createUpgradeResponse } from './http/upgrade-request.js'
import type { Log } from './log.js'
import type { Metrics } from './metrics/metrics.js'
import { logRefused } from './request-log.js'
import type { ShownCertificates } from './tls/shown-certificates.js'
import type { Tracing } from './tracing/tracing.js'

/** Reads what a request asks for, as the limits and trusted proxies say. */
export function requestReader(config: Config): PublicParts['readRequest'] {
  const { trusted_proxies: trustedProxies, limits } = config.serve.public
  return createAccessRequestReader({ trustedProxies, pathBytes: limits.path_bytes, headerFields: limits.header_fields })
}

/** What the public listener needs besides what requests meet. */
export interface PublicServerParts {
  readonly tracing: Tracing
  readonly ending: AbortSignal
  readonly metrics: Metrics
  /** Absent: the listener speaks plain HTTP. */
  readonly certificates: ShownCertificates | undefined
}

/** For the open internet; it does not listen yet. */
export function publicServer(config: Config, parts: PublicParts, { tracing, ending, metrics, certificates }: PublicServerParts): Server {
  return createPublicServer({
    ...openServerOptions(config, metrics, parts.log),
    ...certificates !== undefined && { tls: { certificates, minVersion: config.serve.public.tls.min_version } },
    ending,
    onRequest: tracing.requests(publicHandler(parts)),
    onUpgrade: tracing.upgrades(upgradeHandler(parts)),
  })
}

/** What the listener for plain HTTP needs. */
export interface PlainParts {
  readonly certificates: ShownCertificates
  readonly readRequest: PublicParts['readRequest']
  readonly metrics: Metrics
  readonly acme: Acme | undefined
}

/** The listener that sends people from http to https; `undefined` where none is wanted. */
export async function listenForPlain(config: Config, { certificates, readRequest, metrics, acme }: PlainParts, log: Log): Promise<Listener | undefined> {
  const { host, tls } = config.serve.public
  if (!tls.redirect.enabled) return undefined

  const { hostname, port } = new URL(config.urls.self.public)
  const redirect = createHttpsRedirect({
    httpsPort: port === '' ? 443 : Number(port),
    isServed: name => name === hostname || certificates.covers(name) || tls.acme.domains.includes(name),
  })
  const onRequest = redirectHandler({ readRequest, redirect, log, ...acme !== undefined && { answerChallenge: acme.answerChallenge } })
  const server = createPublicServer({ ...openServerOptions(config, metrics, log), onRequest, onUpgrade: answerUpgrade(onRequest) })
  return listen(server, tls.redirect.host ?? host, tls.redirect.port)
}

/** How many clients are connected. */
export function openConnections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => error === null ? resolve(count) : reject(error))
  })
}

/** For operators; it does not listen yet. */
export function adminServer(config: Config, onRequest: Handle, log: Log): Server {
  return createPublicServer({ ...serverOptions(config, 'admin', log), onRequest, onUpgrade: answerUpgrade(onRequest) })
}

/** What holds for every listener that faces the open internet. */
function openServerOptions(config: Config, { events }: Metrics, log: Log) {
  const { limits, trusted_proxies: trustedProxies } = config.serve.public
  return {
    ...serverOptions(config, 'public', log),
    perAddress: { connections: limits.connections_per_address, isTrusted: createTrust(trustedProxies) },
    onRefused(error: GatewayError, requestId: string, socket: Socket) {
      events.requestMalformed(error.status)
      logRefused(log, error, requestId, socket)
    },
    onDropped: events.connectionDropped,
  }
}

/** Who asks for another protocol is answered as if it had not (RFC 9110 7.8). */
function answerUpgrade(onRequest: Handle): HandleUpgrade {
  return (req, socket, _head, exchange) => { onRequest(req, createUpgradeResponse(req, socket), exchange) }
}

function serverOptions(config: Config, listener: 'public' | 'admin', log: Log) {
  const { timeout } = config.serve[listener]
  const { limits, trusted_proxies: trustedProxies } = config.serve.public
  return {
    timeout: { read: durationMs(timeout.read), write: durationMs(timeout.write), idle: durationMs(timeout.idle) },
    limits: { headerBytes: limits.header_bytes, connections: limits.connections, minBodyRate: limits.min_body_rate },
    requestIdOf: createRequestIds(trustedProxies),
    onRefused: (error: GatewayError, requestId: string, socket: Socket) => { logRefused(log, error, requestId, socket) },
  }
}
