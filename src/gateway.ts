/** The gateway: the order of everything that happens to a request, on either listener. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import Koa from 'koa'

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
import { createRequestBody } from './http/request-body.js'
import { createUpgradeResponse } from './http/upgrade-request.js'
import type { Log } from './log.js'
import type { Forwarder } from './proxy/forward.js'
import type { Upgrader } from './proxy/upgrade.js'
import { logExchange, logRequests } from './request-log.js'
import { createSelfServiceScope, selfServiceRoutes } from './selfservice/routes.js'
import type { SelfService } from './selfservice/service.js'

/** What requests on the public listener meet. */
export interface PublicParts {
  readonly readRequest: (req: IncomingMessage) => AccessRequest
  readonly cors: Config['serve']['public']['cors']
  readonly selfService: SelfService
  /** The rules in force at this moment. */
  readonly rules: () => RuleSet
  readonly forwarder: Forwarder
  readonly upgrader: Upgrader
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
  readonly log: Log
}

/**
 * Everything that happens to a request on the public listener, in order. What is not ours never meets Koa: that would be a
 * fifth of the time that a proxied request takes (bench/README.md).
 */
export function publicHandler({ readRequest, cors, selfService, rules, forwarder, log }: PublicParts): (req: IncomingMessage, res: ServerResponse) => void {
  const answersPreflight = createCors(cors)
  const isOurs = createSelfServiceScope(selfService)
  const answerOurs = selfServiceHandler(selfService)

  async function answer(req: IncomingMessage, res: ServerResponse, exchange: ExchangeState): Promise<void> {
    const read = readRequest(req)
    const request = hasBody(req) ? { ...read, body: createRequestBody(req, res) } : read
    exchange.request = request
    if (answersPreflight(req, res)) return
    if (isOurs(request)) return answerOurs(req, res, exchange)

    const decision = await decide(request, rules())
    exchange.ruleId = decision.rule.id
    exchange.subject = decision.session.subject
    const { error } = await forwarder.forward(req, res, request, decision)
    if (error !== undefined) exchange.failure = error
  }

  return (req, res) => {
    const exchange: ExchangeState = {}
    logExchange(log, req, res, exchange)
    answer(req, res, exchange).catch((thrown: unknown) => answerError(thrown, req, res, exchange))
  }
}

/** Koa serves what is ours. */
function selfServiceHandler(selfService: SelfService): (req: IncomingMessage, res: ServerResponse, exchange: ExchangeState) => Promise<void> {
  const exchanges = new WeakMap<IncomingMessage, ExchangeState>()
  const app = new Koa()

  app.use((ctx, next) => {
    ctx.state = exchanges.get(ctx.req) ?? {}
    return next()
  })
  app.use(answerErrors())
  app.use(selfServiceRoutes(selfService))

  const handle = app.callback()
  return (req, res, exchange) => {
    exchanges.set(req, exchange)
    return handle(req, res)
  }
}

/** The same for a WebSocket handshake, which Node hands over without a response: read, decide, tunnel. */
export function upgradeHandler({ readRequest, rules, upgrader, log }: PublicParts): (req: IncomingMessage, socket: Socket, head: Buffer) => void {
  async function upgrade(req: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    let request: AccessRequest | undefined
    try {
      request = readRequest(req)
      const decision = await decide(request, rules())
      await upgrader.upgrade(req, socket, head, request, decision)
      const { requestId, host, path, clientAddress } = request
      log.info({ request_id: requestId, host, path, client: clientAddress, rule_id: decision.rule.id, subject: decision.session.subject }, 'upgraded')
    } catch (thrown) {
      const error = toGatewayError(thrown)
      log.info({ request_id: request?.requestId, host: request?.host, path: request?.path, error: error.code, detail: error.detail }, 'upgrade refused')
      if (socket.destroyed) return
      const { status, headers, body } = error.answer?.() ?? plainAnswer(error, request?.requestId)
      createUpgradeResponse(req, socket).writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
    }
  }
  return (req, socket, head) => { void upgrade(req, socket, head) }
}

/** Everything that happens to a request on the admin listener, in order. */
export function adminApp({ service, rules, token, adminUrl, pathBytes, log }: AdminParts): Koa {
  const app = new Koa()

  app.use(logRequests(log))
  app.use(answerErrors())
  app.use(adminGuard(token, adminUrl))
  app.use(answerDecisions(rules, pathBytes))
  app.use(adminRoutes(service))

  return app
}
