/** WebSockets: the handshake is decided on and rewritten like any request, then the connection is a tunnel. */
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type Socket } from 'node:net'
import { pipeline } from 'node:stream'

import type { Decision, Upstream } from '../access/pipeline.js'
import { GatewayError } from '../errors.js'
import type { AccessRequest } from '../http/access-request.js'
import { createOriginList } from '../http/origins.js'
import { createUpgradeResponse } from '../http/upgrade-request.js'
import { upstreamFields } from './headers.js'
import type { RefusePeer } from './own-listeners.js'
import { changeOf, clientFields } from './response-headers.js'
import { toUpstreamError } from './transport-error.js'
import { createTunnels } from './tunnels.js'
import { upstreamPath } from './upstream-path.js'
import { checkHandshake, checkOrigin, isAccepted } from './websocket-handshake.js'

export interface UpgraderOptions {
  /** Milliseconds, as `proxy.timeout`; 0 is no limit. */
  readonly timeout: { readonly connect: number, readonly response: number }
  /** Names of the cookies that are the gateway's own. */
  readonly ownCookies: readonly string[]
  /** Origins besides the requested host's own whose pages may open WebSockets. `*` is none: handshakes carry cookies. */
  readonly allowedOrigins: readonly string[]
  readonly refusePeer: RefusePeer
}

export interface Upgrader {
  /**
   * Settles when the client has a tunnel, or the upstream's own answer, to the status of that: 101 for a tunnel. Rejects with a `GatewayError` only while nothing has been
   * answered: `bad_request`, `upgrade_required`, `forbidden`, `not_found`, `upstream_unreachable`, `upstream_timeout`, `upstream_invalid`.
   */
  upgrade(req: IncomingMessage, socket: Socket, head: Buffer, request: AccessRequest, decision: Decision): Promise<number>
  /** Tunnels that are open. */
  tunnels(): number
  /** Ends all tunnels; upgrades that still come are refused. */
  close(): void
}

export function createUpgrader(options: UpgraderOptions): Upgrader {
  const tunnels = createTunnels()
  const isAllowedOrigin = createOriginList(options.allowedOrigins.filter(origin => origin !== '*'))
  let closed = false

  return {
    async upgrade(req, socket, head, request, decision) {
      const { upstream } = decision.rule
      if (closed) throw new GatewayError('overloaded', { reason: 'the gateway is shutting down' })
      if (upstream === undefined) throw new GatewayError('not_found', { detail: `rule ${decision.rule.id} has no upstream` })
      checkHandshake(req)
      checkOrigin(request, isAllowedOrigin)
      // Whoever left while the decision was made will never say so again.
      if (socket.destroyed) throw clientGone()

      const change = changeOf(decision)
      const fields = [...upstreamFields(request, decision, options.ownCookies), 'connection', 'Upgrade', 'upgrade', 'websocket']
      const answer = await handshake(upstream, upstreamPath(upstream, request.path) + request.query, fields, socket, options)
      const { statusCode: status = 502, rawHeaders } = answer.res
      const personal = answer.socket === undefined && decision.session.subject !== ''
      const answerFields = clientFields(rawHeaders, { status, personal, ownCookies: options.ownCookies, change })

      if (answer.socket === undefined) {
        relay(req, socket, answer.res, answerFields)
        return status
      }
      if (closed || !isAccepted(answer.res, String(req.headers['sec-websocket-key']))) {
        answer.socket.destroy()
        throw new GatewayError('upstream_invalid', { detail: 'the upstream does not accept this very handshake' })
      }
      socket.write(headText(answerFields), 'latin1')
      if (answer.head.length > 0) socket.write(answer.head)
      if (head.length > 0) answer.socket.write(head)
      tunnels.open(socket, answer.socket, decision.session)
      return status
    },
    tunnels: () => tunnels.count(),
    close() {
      closed = true
      tunnels.close()
    },
  }
}

interface HandshakeAnswer {
  readonly res: IncomingMessage
  /** Absent when the upstream answered without upgrading. */
  readonly socket: Socket | undefined
  readonly head: Buffer
}

/** Sends the handshake on a connection of its own. Rejects with a `GatewayError`; ends when the client goes away. */
function handshake(
  { origin, timeout, tls }: Upstream, path: string, fields: readonly string[], client: Socket, { timeout: defaults, refusePeer }: UpgraderOptions,
): Promise<HandshakeAnswer> {
  const { protocol, hostname, port } = new URL(origin)
  const host = hostname.replace(/^\[|\]$/g, '')

  return new Promise((resolve, reject) => {
    const send = protocol === 'https:' ? httpsRequest : httpRequest
    const sent: ClientRequest = send({
      host, port, path, method: 'GET', headers: fields, agent: false, setHost: false, maxHeaderSize: 32_768,
      ...(tls !== undefined && { secureContext: tls.context, rejectUnauthorized: tls.verify, servername: tls.serverName ?? (isIP(host) === 0 ? host : '') }),
    })
    const connectMs = timeout?.connect ?? defaults.connect
    const responseMs = timeout?.response ?? defaults.response
    let timer = connectMs === 0 ? undefined : setTimeout(() => fail(new GatewayError('upstream_unreachable', { detail: 'connect timeout' })), connectMs)

    function settled(): void {
      clearTimeout(timer)
      client.off('close', onClientClose)
    }
    function fail(error: Error): void {
      settled()
      sent.destroy()
      reject(toUpstreamError(error))
    }
    function onClientClose(): void {
      fail(clientGone())
    }

    sent.on('socket', socket => {
      // Before Node's own listeners, which would send.
      socket.prependOnceListener('connect', () => {
        const refusal = refusePeer(socket)
        if (refusal !== undefined) fail(refusal)
      })
      socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer)
        if (responseMs > 0 && !sent.destroyed) timer = setTimeout(() => fail(new GatewayError('upstream_timeout')), responseMs)
      })
    })
    sent.on('error', fail)
    sent.on('response', res => {
      settled()
      resolve({ res, socket: undefined, head: Buffer.alloc(0) })
    })
    sent.on('upgrade', (res, socket, head) => {
      socket.on('error', () => socket.destroy())
      settled()
      resolve({ res, socket, head })
    })
    client.on('close', onClientClose)
    sent.end()
  })
}

function clientGone(): GatewayError {
  return new GatewayError('upstream_unreachable', { detail: 'the client went away' })
}

/** The upstream would not upgrade: its answer is an answer like any other, and the end of the connection. */
function relay(req: IncomingMessage, socket: Socket, res: IncomingMessage, fields: string[]): void {
  const answer = createUpgradeResponse(req, socket)
  try {
    answer.writeHead(res.statusCode ?? 502, fields)
  } catch (thrown) {
    res.destroy()
    answer.detachSocket(socket)
    throw toUpstreamError(thrown)
  }
  pipeline(res, answer, error => {
    if (error) socket.destroy()
  })
}

function headText(fields: readonly string[]): string {
  let text = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
  for (let at = 0; at < fields.length; at += 2) text += `${fields[at]}: ${fields[at + 1]}\r\n`
  return `${text}\r\n`
}
