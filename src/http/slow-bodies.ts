/** Bodies that come a byte at a time: cut, since each may hold an upstream connection for as long as it lasts (security D2). */
import type { IncomingMessage, ServerResponse } from 'node:http'

import { GatewayError } from '../errors.js'
import type { ExchangeState } from './exchange.js'
import { createLiveSet } from './live-set.js'
import { answerExchange } from './raw-answer.js'

export interface SlowBodyLimit {
  /** Bytes that a body has to bring for each second that it is waited for; 0: any number will do. */
  readonly bytesPerSecond: number
  /** Milliseconds of waiting that it may be behind, at its beginning and after any pause. */
  readonly graceMs: number
}

export interface SlowBodies {
  /** To be called with each request that has a body, before anybody reads it; what it returns, when the answer has gone out. */
  watch(req: IncomingMessage, res: ServerResponse, exchange: ExchangeState): () => void
}

interface WatchedBody {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly exchange: ExchangeState
  /** How much longer it may bring nothing. */
  allowanceMs: number
  bytesRead: number
  wasAwaited: boolean
}

/**
 * Each body begins with the grace as its allowance; waiting uses it up, and bytes earn it back, up to the grace again: so a
 * phone may be slow, and may be in a tunnel for a while, but nobody is both for ever. Time in which the body is not being read,
 * because the upstream does not take it, counts for nothing; nor does time in which this process was too busy to read.
 */
export function watchSlowBodies({ bytesPerSecond, graceMs }: SlowBodyLimit): SlowBodies {
  if (bytesPerSecond === 0) return { watch: () => () => undefined }

  const bodies = createLiveSet<WatchedBody>()
  const intervalMs = Math.min(1000, graceMs / 4)
  let timer: NodeJS.Timeout | undefined

  function check(): void {
    for (const body of bodies) {
      const { req, res, exchange } = body
      if (req.complete || req.destroyed) bodies.delete(body)
      else if (isBehind(body)) {
        bodies.delete(body)
        cutBody(req, res, exchange)
      }
    }
    if (bodies.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  function isBehind(body: WatchedBody): boolean {
    const { req } = body
    const { bytesRead } = req.socket
    const isAwaited = isBodyAwaited(req)
    const earnedMs = (bytesRead - body.bytesRead) / bytesPerSecond * 1000
    const waitedMs = isAwaited && body.wasAwaited ? intervalMs : 0
    body.allowanceMs = Math.min(graceMs, body.allowanceMs + earnedMs - waitedMs)
    body.bytesRead = bytesRead
    body.wasAwaited = isAwaited
    return body.allowanceMs <= 0
  }

  return {
    watch(req, res, exchange) {
      const body = { req, res, exchange, allowanceMs: graceMs, bytesRead: req.socket.bytesRead, wasAwaited: false }
      bodies.add(body)
      timer ??= setInterval(check, intervalMs).unref()
      return () => { bodies.delete(body) }
    },
  }
}

/** Whether the next byte of a body would be taken at once: whoever reads it has nothing left to read. */
export function isBodyAwaited(req: IncomingMessage): boolean {
  if (req.complete) return false
  return req.readableFlowing === true || (req.listenerCount('readable') > 0 && req.readableLength === 0)
}

/** Ends a request whose body does not come, with 408 where an answer can still be told from the upstream's. */
export function cutBody(req: IncomingMessage, res: ServerResponse, exchange: ExchangeState): void {
  if (!res.headersSent) answerExchange(req.socket, new GatewayError('request_timeout'), exchange)
  req.destroy()
}
