/** The gateway: two Koa apps in one process, and the order of everything that happens to a request. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'

import type { AccessRequest } from './http/access-request.js'
import type { RuleSet } from './access/rules.js'
import { decide } from './access/decide.js'
import { adminGuard } from './admin/guard.js'
import { adminRoutes, type AdminService } from './admin/routes.js'
import { answerErrors } from './http/answer-errors.js'
import { stateOf } from './http/exchange.js'
import type { Log } from './log.js'
import type { Forwarder } from './proxy/forward.js'
import { logRequests } from './request-log.js'
import { selfServiceRoutes } from './selfservice/routes.js'
import type { SelfService } from './selfservice/service.js'

/** What the public listener is made of. */
export interface PublicParts {
  readonly readRequest: (req: Koa.Context['req']) => AccessRequest
  readonly selfService: SelfService
  readonly rules: () => RuleSet
  readonly forwarder: Forwarder
  readonly log: Log
}

/** Everything that happens to a request on the public listener, in order. */
export function publicApp({ readRequest, selfService, rules, forwarder, log }: PublicParts): Koa {
  const app = new Koa()

  app.use(logRequests(log))
  app.use(answerErrors())
  app.use((ctx, next) => {
    stateOf(ctx).request = readRequest(ctx.req)
    return next()
  })
  app.use(selfServiceRoutes(selfService))
  app.use(async ctx => {
    const state = stateOf(ctx)
    const request = state.request as AccessRequest
    const decision = await decide(request, rules())
    state.ruleId = decision.rule.id
    state.subject = decision.session.subject
    ctx.respond = false
    await forwarder.forward(ctx.req, ctx.res, request, decision)
  })

  return app
}

/** Everything that happens to a request on the admin listener, in order. */
export function adminApp(service: AdminService, options: { readonly token: string | undefined, readonly adminUrl: string, readonly log: Log }): Koa {
  const app = new Koa()

  app.use(logRequests(options.log))
  app.use(answerErrors())
  app.use(adminGuard(options.token, options.adminUrl))
  app.use(adminRoutes(service))

  return app
}

/** Listens; rejects with a sentence when the address can't be had. Answers the port, which matters when 0 was asked for. */
export async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'something else is listening there already' : cause.message
      reject(new Error(`can not listen on ${host}:${port}: ${why}`, { cause }))
    })
    server.listen(port, host, resolve)
  })
  return (server.address() as AddressInfo).port
}
