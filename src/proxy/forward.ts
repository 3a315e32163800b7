/** Sends an allowed request to its upstream and the answer back: bytes as they come, in both directions, each at the other's pace. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'

import type { Decision, Upstream } from '../access/pipeline.js'
import { GatewayError } from '../errors.js'
import type { AccessRequest } from '../http/access-request.js'
import { hasBody, refuseBodyOnSafeMethod } from '../http/framing.js'
import { upstreamFields } from './headers.js'
import { createResponseHandler } from './response-handler.js'
import { changeOf, clientFields, type ResponseContext } from './response-headers.js'
import { toUpstreamError } from './transport-error.js'
import { createUpload } from './upload.js'
import { upstreamPath } from './upstream-path.js'
import { createUpstreamPools } from './upstream-pools.js'

export interface ForwarderOptions {
  /** Milliseconds, as `proxy.timeout`; 0 is no limit. */
  readonly timeout: { readonly connect: number, readonly response: number, readonly body: number }
  /** Connections to one upstream origin. */
  readonly connections: number
  /** Milliseconds an idle upstream connection is kept. */
  readonly keepAlive: number
  /** Bytes of a request body when the rule does not say; 0 is no limit. */
  readonly maxBodyBytes: number
  /** Names of the cookies that are the gateway's own: no upstream sees or sets them. */
  readonly ownCookies: readonly string[]
}

export interface ForwardOutcome {
  /** What the client was answered with, by the upstream's word; 499 when it went away before that. */
  readonly status: number
  readonly end: 'complete' | 'client_gone' | 'upstream_cut'
  /** Why the upstream's answer is not whole, with `upstream_cut`. */
  readonly error?: GatewayError
}

export interface Forwarder {
  /**
   * Settles when the answer has been handed to the client whole, or neither side is left. Rejects with a `GatewayError` only
   * while nothing has been answered: `not_found` without an upstream, `bad_request`, `payload_too_large`, `overloaded`,
   * `upstream_unreachable`, `upstream_timeout`, `upstream_invalid`.
   */
  forward(req: IncomingMessage, res: ServerResponse, request: AccessRequest, decision: Decision): Promise<ForwardOutcome>
  /** Lets requests in flight finish, then closes every upstream connection. */
  close(): Promise<void>
}

export function createForwarder(options: ForwarderOptions): Forwarder {
  const pools = createUpstreamPools({ connections: options.connections, keepAliveMs: options.keepAlive, connectMs: options.timeout.connect })

  function exchange(
    req: IncomingMessage, res: ServerResponse, dispatch: Dispatcher.DispatchOptions, upstream: Upstream, answer: Pick<ResponseContext, 'personal' | 'change'>,
  ): Promise<ForwardOutcome> {
    return new Promise((resolve, reject) => {
      let mayRetry = isRepeatable(req.method) && dispatch.body === undefined

      const handler = createResponseHandler({
        res,
        fieldsFor: (status, raw) => clientFields(raw, { status, ...answer, ownCookies: options.ownCookies }),
        onComplete: status => resolve({ status, end: 'complete' }),
        onClientGone: () => resolve({ status: res.headersSent ? res.statusCode : 499, end: 'client_gone' }),
        onFailure(error, begun) {
          if (mayRetry && !begun && pools.diedInPool(error)) {
            mayRetry = false
            pools.dispatchAnew(upstream, dispatch, handler)
            return
          }
          const failure = toUpstreamError(error)
          if (res.headersSent) resolve({ status: res.statusCode, end: 'upstream_cut', error: failure })
          else reject(failure)
        },
      })
      pools.dispatch(upstream, dispatch, handler)
    })
  }

  return {
    async forward(req, res, request, decision) {
      const { upstream } = decision.rule
      if (upstream === undefined) throw new GatewayError('not_found', { detail: `rule ${decision.rule.id} has no upstream` })
      if (!upstream.bodyOnSafeMethods) refuseBodyOnSafeMethod(req)

      const maxBytes = upstream.maxBodyBytes ?? options.maxBodyBytes
      const length = req.headers['content-length']
      if (maxBytes > 0 && Number(length ?? 0) > maxBytes) throw new GatewayError('payload_too_large')

      const change = changeOf(decision)
      // Whoever left while the decision was made will never say so again, and would hold an upstream connection for ever.
      if (res.destroyed || req.socket.destroyed) return { status: 499, end: 'client_gone' }

      const headers = upstreamFields(request, decision, options.ownCookies)
      const dispatch: Dispatcher.DispatchOptions & { servername?: string } = {
        method: request.method as Dispatcher.HttpMethod,
        path: upstreamPath(upstream, request.path) + request.query,
        headers,
        headersTimeout: upstream.timeout?.response ?? options.timeout.response,
        bodyTimeout: options.timeout.body,
      }
      // Else undici takes it from Host, and opens a new connection whenever that differs.
      if (upstream.origin.startsWith('https:')) dispatch.servername = upstream.origin
      const taken = request.body?.taken
      if (taken !== undefined && hasBody(req)) {
        if (maxBytes > 0 && taken.length > maxBytes) throw new GatewayError('payload_too_large')
        headers.push('content-length', String(taken.length))
        dispatch.body = taken
      } else if (hasBody(req)) {
        if (length !== undefined) headers.push('content-length', length)
        dispatch.body = createUpload(req, res, maxBytes)
      }
      return exchange(req, res, dispatch, upstream, { personal: decision.session.subject !== '', change })
    },
    close: () => pools.close(),
  }
}

/** RFC 9110 9.2.2, but only where nothing is changed: what was done once and answered with a reset may be visible. */
function isRepeatable(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}
