/** The one place where a failure becomes a response. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Middleware } from 'koa'

import { toGatewayError, type Answer, type GatewayError } from '../errors.js'
import { errorBody } from './error-body.js'
import { asksForPage, pageAnswer } from './error-page.js'
import { stateOf, type ExchangeState } from './exchange.js'

/** Answers whatever is thrown below. The first middleware of a Koa app, after the log. */
export function answerErrors(): Middleware {
  return async (ctx, next) => {
    try {
      await next()
    } catch (thrown) {
      ctx.respond = false
      answerError(thrown, ctx.req, ctx.res, stateOf(ctx))
    }
  }
}

/**
 * Answers a failure: by the matched rule's error handlers when the error carries their answer, else as a page or with the
 * JSON envelope. A response that has begun can only be cut, so that nobody takes it for complete.
 */
export function answerError(thrown: unknown, req: IncomingMessage, res: ServerResponse, exchange: ExchangeState): void {
  const error = toGatewayError(thrown)
  exchange.failure = error
  if (res.headersSent) {
    res.destroy()
    return
  }
  const { requestId } = exchange
  try {
    writeAnswer(res, error.answer?.() ?? ownAnswer(req, error, requestId))
  } catch (cause) { // what a rule wants to say is no header field; that is nothing to die of
    exchange.failure = toGatewayError(cause)
    for (const name of res.getHeaderNames()) res.removeHeader(name)
    writeAnswer(res, plainAnswer(exchange.failure, requestId))
  }
}

/** A browser gets a page, a script JSON; a refused form gets JSON in any case (contract 1.1). */
function ownAnswer(req: IncomingMessage, error: GatewayError, requestId: string): Answer {
  const asPage = error.code !== 'csrf_invalid' && asksForPage(req.headers.accept)
  return asPage ? pageAnswer(error, requestId) : plainAnswer(error, requestId)
}

/** The JSON envelope as an answer, with the error's own header fields. */
export function plainAnswer(error: GatewayError, requestId: string): Answer {
  return {
    status: error.status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...error.headers },
    body: JSON.stringify({ error: errorBody(error, requestId) }),
  }
}

/** Beside the fields that were set before, such as those of CORS. */
function writeAnswer(res: ServerResponse, { status, headers, body }: Answer): void {
  res.removeHeader('Content-Type')
  res.setHeader('Cache-Control', 'no-store')
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  res.setHeader('Content-Length', Buffer.byteLength(body))
  res.writeHead(status).end(body)
}
