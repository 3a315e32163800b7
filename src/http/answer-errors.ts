/** The first middleware: the one place where a failure becomes a response. */
import type { Context, Middleware } from 'koa'

import { toGatewayError, type Answer, type GatewayError } from '../errors.js'
import { errorBody } from './error-body.js'
import { asksForPage, pageAnswer } from './error-page.js'
import { stateOf } from './exchange.js'

/**
 * Answers whatever is thrown below: by the matched rule's error handlers when the error carries their answer, else as a
 * page or with the JSON envelope. A response that has begun can only be cut, so that nobody takes it for complete.
 */
export function answerErrors(): Middleware {
  return async (ctx, next) => {
    try {
      await next()
    } catch (thrown) {
      const error = toGatewayError(thrown)
      stateOf(ctx).failure = error
      if (ctx.res.headersSent) {
        ctx.res.destroy()
        return
      }
      writeAnswer(ctx, error.answer?.() ?? ownAnswer(ctx, error))
    }
  }
}

/** A browser gets a page, a script JSON; a refused form gets JSON in any case (contract 1.1). */
function ownAnswer(ctx: Context, error: GatewayError): Answer {
  const requestId = stateOf(ctx).request?.requestId
  const asPage = error.code !== 'csrf_invalid' && asksForPage(ctx.req.headers.accept)
  return asPage ? pageAnswer(error, requestId) : plainAnswer(error, requestId)
}

/** The JSON envelope as an answer, with the error's own header fields. */
export function plainAnswer(error: GatewayError, requestId?: string): Answer {
  return {
    status: error.status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...error.headers },
    body: JSON.stringify({ error: errorBody(error, requestId) }),
  }
}

function writeAnswer(ctx: Context, answer: Answer): void {
  ctx.respond = true
  ctx.status = answer.status
  ctx.body = answer.body
  ctx.remove('Content-Type')
  ctx.set('Cache-Control', 'no-store')
  ctx.set({ ...answer.headers })
}
