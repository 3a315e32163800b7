/** One line per request: who asked what, which rule it met, what came of it. Never a query value, a cookie or a body (security K4). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Middleware } from 'koa'

import type { GatewayError } from './errors.js'
import { stateOf, type ExchangeState } from './http/exchange.js'
import type { Log } from './log.js'

/** Logs every request of a Koa app. */
export function logRequests(log: Log): Middleware {
  return (ctx, next) => {
    logExchange(log, ctx.req, ctx.res, stateOf(ctx))
    return next()
  }
}

/** Writes the line when the response is done or broken off; server-side failures are written as errors, with their cause. */
export function logExchange(log: Log, req: IncomingMessage, res: ServerResponse, exchange: ExchangeState): void {
  const startedAt = performance.now()
  res.once('close', () => {
    const { request, failure, ruleId, subject } = exchange
    const level = failure !== undefined && failure.status >= 500 ? 'error' : 'info'
    if (!log.isLevelEnabled(level)) return

    log[level]({
      request_id: request?.requestId,
      method: req.method,
      host: request?.host ?? req.headers.host,
      // Of a request that was refused before it was read, and on the admin listener: as it was sent, without the query.
      path: request?.path ?? req.url?.split('?', 1)[0],
      client: request?.clientAddress ?? req.socket.remoteAddress,
      rule_id: ruleId,
      subject: subject === '' ? undefined : subject,
      status: statusOf(res, failure),
      duration_ms: Math.round((performance.now() - startedAt) * 10) / 10,
      ...failureFields(failure),
    }, level === 'error' ? 'request failed' : 'request')
  })
}

/** 499: the client went away before its answer was complete. An answer that the upstream broke off keeps its status. */
function statusOf(res: ServerResponse, failure: GatewayError | undefined): number {
  return res.writableFinished || (failure !== undefined && res.headersSent) ? res.statusCode : 499
}

function failureFields(failure: GatewayError | undefined): object {
  if (failure === undefined) return {}
  const { code, reason, detail, cause } = failure
  return { error: code, reason, detail, ...(cause instanceof Error ? { err: cause } : {}) }
}
