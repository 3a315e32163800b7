/** The gateway: the order of everything that happens to a request, on either listener. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import Koa, { type Middleware } from 'koa'

import { decide } from './access/decide.js'
import type { RuleSet } from './access/rules.js'
import { answerDecisions } from './admin/decisions.js'
import { adminGuard } from './admin/guard.js'
import { adminRoutes, type AdminService } from './admin/routes.js'
import type { Config } from './config/schema.js'
import { toGatewayError } from './errors.js'
import type { AccessRequest } from './http/access-request.js'
import { answerError, answerErrors, plainAnswer } from './http/answer-errors.js'
import { createCors } from './http/cors.js'
import type { ExchangeState } from './http/exchange.js'
import { hasBody } from './http/framing.js'
import type { createHttpsRedirect } from './http/https-redirect.js'
import type { InFlight } from './http/in-flight.js'
import { createRequestBody } from './http/request-body.js'
import { createUpgradeResponse } from './http/upgrade-request.js'
import type { Log } from './log.js'
import type { RequestMetrics } from './metrics/requests.js'
import type { Forwarder } from './proxy/forward.js'
import type { Upgrader } from './proxy/upgrade.js'
import { logExchange, logUpgrade, type OnEnd } from './request-log.js'
import { createSelfServiceScope, selfServiceRoutes } from './selfservice/routes.js'
import type { SelfService } from './selfservice/service.js'

/** Answers a request, whatever becomes of it. Never throws. */
export type Handle = (req: IncomingMessage, res: ServerResponse, exchange: ExchangeState) => void

/** The same for a request that asks for another protocol, which Node hands over without a response. */
export type HandleUpgrade = (req: IncomingMessage, socket: Socket, head: Buffer, exchange: ExchangeState) => void

/** What requests on the public listener meet. */
export interface PublicParts {
  readonly readRequest: (req: IncomingMessage, requestId: string) => AccessRequest
  readonly cors: Config['serve']['public']['cors']
  readonly inFlight: InFlight
  readonly selfService: SelfService
  /** The rules in force at this moment. */
  readonly rules: () => RuleSet
  readonly forwarder: Forwarder
  readonly upgrader: Upgrader
  readonly metrics: RequestMetrics
  readonly log: Log
  /** `Strict-Transport-Security` of answers over TLS; absent: upstreams say theirs. */
  readonly hsts?: string
}

/** What plain HTTP requests meet where the public listener speaks TLS. */
export interface RedirectParts {
  readonly readRequest: PublicParts['readRequest']
  readonly redirect: ReturnType<typeof createHttpsRedirect>
  /** Answers what a certificate authority asks; false for everything else. */
  readonly answerChallenge?: (request: AccessRequest, res: ServerResponse) => Promise<boolean>
  readonly log: Log
}

/** What requests on the admin listener meet. */
export interface AdminParts {
  readonly service: AdminService
  readonly rules: () => RuleSet
  /** `serve.admin.token`. */
  readonly token: string | undefined
  readonly adminUrl: string
  /** `serve.public.limits.path_bytes`, for the paths that decisions are asked about. */
  readonly pathBytes: number
  readonly metrics: RequestMetrics
  readonly log: Log
}

/**
 * Everything that happens to a request on the public listener, in order. What is not ours never meets Koa: that would be a
 * fifth of the time that a proxied request takes (bench/README.md).
 */
export function publicHandler({ readRequest, cors, inFlight, selfService, rules, forwarder, metrics, log, hsts }: PublicParts): Handle {
  const answersPreflight = createCors(cors)
  const isOurs = createSelfServiceScope(selfService)
  const answerOurs = selfServiceHandler(selfService)
  const onEnd: OnEnd = (exchange, status, ms) => {
    inFlight.end(exchange)
    metrics.ended('proxy', exchange, status, ms)
  }

  async function answer(req: IncomingMessage, res: ServerResponse, exchange: ExchangeState): Promise<void> {
    let forwardedAt: number | undefined
    try {
      const read = readRequest(req, exchange.requestId)
      const request = hasBody(req) ? { ...read, body: createRequestBody(req, res) } : read
      exchange.request = request
      if (answersPreflight(req, res)) return
      if (isOurs(request)) {
        exchange.selfService = true
        await answerOurs(req, res, exchange)
        return
      }

      const decision = await decide(request, rules(), exchange)
      forwardedAt = performance.now()
      const { status, error } = await forwarder.forward(req, res, request, decision)
      const ms = performance.now() - forwardedAt
      exchange.upstream = res.headersSent ? { ms, status } : { ms }
      if (error !== undefined) exchange.failure = error
    } catch (thrown) {
      const ms = forwardedAt === undefined ? undefined : performance.now() - forwardedAt
      if (ms !== undefined && toGatewayError(thrown).code.startsWith('upstream_')) exchange.upstream = { ms }
      answerError(thrown, req, res, exchange)
    }
  }

  return (req, res, exchange) => {
    logExchange(log, req, res, exchange, onEnd)
    if (hsts !== undefined && 'encrypted' in req.socket) res.setHeader('strict-transport-security', hsts)
    const refusal = inFlight.begin(exchange)
    if (refusal === undefined) void answer(req, res, exchange)
    else answerError(refusal, req, res, exchange)
  }
}

/** Koa serves what is ours. */
function selfServiceHandler(selfService: SelfService): (...exchange: Parameters<Handle>) => Promise<void> {
  return koaHandler(answerErrors(), selfServiceRoutes(selfService))
}

/** Koa's middleware as a handler; their `ctx.state` is the exchange. */
function koaHandler(...middleware: readonly Middleware[]): (...exchange: Parameters<Handle>) => Promise<void> {
  const exchanges = new WeakMap<IncomingMessage, ExchangeState>()
  const app = new Koa()

  app.use((ctx, next) => {
    ctx.state = exchanges.get(ctx.req) as ExchangeState
    return next()
  })
  for (const each of middleware) app.use(each)

  const handle = app.callback()
  return (req, res, exchange) => {
    exchanges.set(req, exchange)
    return handle(req, res)
  }
}

/** The same for a WebSocket handshake: read, decide, tunnel. */
export function upgradeHandler({ readRequest, inFlight, rules, upgrader, metrics, log }: PublicParts): HandleUpgrade {
  const onEnd: OnEnd = (exchange, status, ms) => {
    inFlight.end(exchange)
    metrics.ended('upgrade', exchange, status, ms)
  }

  async function upgrade(...[req, socket, head, exchange]: Parameters<HandleUpgrade>): Promise<void> {
    const logWith = logUpgrade(log, req, exchange, onEnd)
    const refusal = inFlight.begin(exchange)
    try {
      if (refusal !== undefined) throw refusal
      const request = exchange.request = readRequest(req, exchange.requestId)
      const decision = await decide(request, rules(), exchange)
      const startedAt = performance.now()
      const status = await upgrader.upgrade(req, socket, head, request, decision)
      exchange.upstream = { status, ms: performance.now() - startedAt }
      logWith(status)
    } catch (thrown) {
      const error = exchange.failure = toGatewayError(thrown)
      const { status, headers, body } = error.answer?.() ?? plainAnswer(error, exchange.requestId)
      logWith(socket.destroyed ? undefined : status)
      if (socket.destroyed) return
      const res = createUpgradeResponse(req, socket)
      try {
        res.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
      } catch { // what a rule wants to say is no header field; there is nobody above who could answer
        socket.destroy()
      }
    }
  }
  return (req, socket, head, exchange) => { void upgrade(req, socket, head, exchange) }
}

/** Everything that happens to a plain HTTP request where the public listener speaks TLS, in order. */
export function redirectHandler({ readRequest, answerChallenge, redirect, log }: RedirectParts): Handle {
  async function answer(req: IncomingMessage, res: ServerResponse, exchange: ExchangeState): Promise<void> {
    const request = exchange.request = readRequest(req, exchange.requestId)
    if (await answerChallenge?.(request, res) === true) return
    redirect(request, req, res)
  }

  return (req, res, exchange) => {
    logExchange(log, req, res, exchange)
    answer(req, res, exchange).catch((thrown: unknown) => answerError(thrown, req, res, exchange))
  }
}

/** Everything that happens to a request on the admin listener, in order. */
export function adminHandler({ service, rules, token, adminUrl, pathBytes, metrics, log }: AdminParts): Handle {
  const answer = koaHandler(answerErrors(), adminGuard(token, adminUrl), answerDecisions(rules, pathBytes, metrics.decided), adminRoutes(service))

  return (req, res, exchange) => {
    logExchange(log, req, res, exchange)
    void answer(req, res, exchange)
  }
}
