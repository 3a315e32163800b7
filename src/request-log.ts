/** One line per request: who asked what, which rule it met, what came of it. Never a query value, a cookie or a body (security K4). */
import type { Middleware } from 'koa'

import type { GatewayError } from './errors.js'
import { stateOf } from './http/exchange.js'
import type { Log } from './log.js'

/** Writes the line when the response is done or broken off; server-side failures are written as errors, with their cause. */
export function logRequests(log: Log): Middleware {
  return (ctx, next) => {
    const startedAt = performance.now()
    ctx.res.once('close', () => {
      const { request, failure, ruleId, subject } = stateOf(ctx)
      const { res } = ctx
      const line = {
        request_id: request?.requestId,
        method: ctx.method,
        host: request?.host,
        path: request?.path,
        client: request?.clientAddress ?? ctx.req.socket.remoteAddress,
        rule_id: ruleId,
        subject: subject === '' ? undefined : subject,
        // 499: the client went away before its answer was complete.
        status: res.writableFinished ? res.statusCode : 499,
        duration_ms: Math.round((performance.now() - startedAt) * 10) / 10,
        ...failureFields(failure),
      }
      if (failure !== undefined && failure.status >= 500) log.error(line, 'request failed')
      else log.info(line, 'request')
    })
    return next()
  }
}

function failureFields(failure: GatewayError | undefined): object {
  if (failure === undefined) return {}
  const { code, reason, detail, cause } = failure
  return { error: code, reason, detail, ...(cause instanceof Error ? { err: cause } : {}) }
}
