/** Sends an allowed request to its upstream and the answer back: bytes as they come, in both directions, each at the other's pace. */
import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Decision, Upstream } from '../access/pipeline.js'
import { GatewayError } from '../errors.js'
import type { AccessRequest } from '../http/access-request.js'
import { hasBody, refuseBodyOnSafeMethod } from '../http/framing.js'
import { createAnswer, type Question } from './answer.js'
import { createClient } from './client/client.js'
import { requestHead } from './client/request-head.js'
import { upstreamFields } from './headers.js'
import type { RefusePeer } from './own-listeners.js'
import { changeOf, clientFields } from './response-headers.js'
import { toUpstreamError } from './transport-error.js'
import { createUpload } from './upload.js'
import { upstreamPath } from './upstream-path.js'

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
  readonly refusePeer: RefusePeer
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
  const { connections, keepAlive: keepAliveMs, timeout: { connect: connectMs }, refusePeer } = options
  const client = createClient({ connections, keepAliveMs, connectMs, refusePeer })

  /** The request as it goes out, and what is to be done with the answer. Throws what keeps it from going out. */
  function prepare(req: IncomingMessage, res: ServerResponse, request: AccessRequest, decision: Decision, upstream: Upstream): Question {
    if (!upstream.bodyOnSafeMethods) refuseBodyOnSafeMethod(req)

    const maxBytes = upstream.maxBodyBytes ?? options.maxBodyBytes
    const announced = req.headers['content-length']
    if (maxBytes > 0 && Number(announced ?? 0) > maxBytes) throw new GatewayError('payload_too_large')

    const change = changeOf(decision)
    const fields = upstreamFields(request, decision, options.ownCookies)
    const { method } = request
    const path = upstreamPath(upstream, request.path) + request.query
    const body = hasBody(req) ? request.body?.taken : undefined
    if (body !== undefined && maxBytes > 0 && body.length > maxBytes) throw new GatewayError('payload_too_large')
    const length = announced === undefined ? undefined : Number(announced)
    const upload = body === undefined && hasBody(req) ? createUpload(req, res, length, maxBytes) : undefined
    const personal = decision.session.subject !== ''
    return {
      res, method, body, upload,
      head: requestHead(method, path, fields, client.keepsAlive(upstream), body?.length ?? (upload === undefined ? undefined : length ?? 'chunked')),
      responseMs: upstream.timeout?.response ?? options.timeout.response,
      bodyMs: options.timeout.body,
      fieldsFor: head => clientFields(head.fields, { status: head.status, personal, change, ownCookies: options.ownCookies }),
    }
  }

  return {
    // What is thrown in here rejects.
    forward: (req, res, request, decision) => new Promise((resolve, reject) => {
      const { upstream } = decision.rule
      if (upstream === undefined) throw new GatewayError('not_found', { detail: `rule ${decision.rule.id} has no upstream` })
      const question = prepare(req, res, request, decision, upstream)
      // Whoever left while the decision was made will never say so again, and would hold an upstream connection for ever.
      if (res.destroyed || req.socket.destroyed) {
        resolve({ status: 499, end: 'client_gone' })
        return
      }

      let mayRepeat = isRepeatable(question.method) && question.body === undefined && question.upload === undefined
      const exchange = createAnswer(question, {
        onComplete: status => resolve({ status, end: 'complete' }),
        onClientGone: () => resolve({ status: res.headersSent ? res.statusCode : 499, end: 'client_gone' }),
        onFailure(error, { begun, tooOld }) {
          if (mayRepeat && tooOld && !begun) {
            mayRepeat = false
            try {
              client.sendAnew(upstream, exchange)
            } catch (thrown) {
              reject(toUpstreamError(thrown))
            }
            return
          }
          const failure = toUpstreamError(error)
          if (res.headersSent) resolve({ status: res.statusCode, end: 'upstream_cut', error: failure })
          else reject(failure)
        },
      })
      client.send(upstream, exchange)
    }),
    close: () => client.close(),
  }
}

/** RFC 9110 9.2.2, but only where nothing is changed: what was done once and answered with a reset may be visible. */
function isRepeatable(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}
