/** Every endpoint of the admin listener. */
import Router from '@koa/router'
import type { Context, Middleware } from 'koa'

import { GatewayError } from '../errors.js'
import { jsonReply, writeReply, type Reply } from '../http/reply.js'
import { readBody } from '../http/submission.js'
import { unrouted } from '../http/unrouted.js'
import { readErrorAsAdmin, readErrors } from '../selfservice/error-ui.js'
import { readFlowAsAdmin } from '../selfservice/flow.js'
import { readSchema } from '../selfservice/schemas.js'
import type { SelfService } from '../selfservice/service.js'
import type { Store } from '../store/store.js'
import { createIdentity, deleteIdentity, listIdentities, readIdentity, replaceIdentity, type IdentityService } from './identities.js'
import { batchBodyLimit, createIdentities } from './identity-batch.js'
import { readRule, readRules, type RuleList } from './rules.js'
import { listSessions, readSession, readSessionsOf, revokeSession, revokeSessionsOf, type SessionService } from './sessions.js'
import { readStatusPage, statusPath } from './status-page.js'
import type { StatusSources } from './status.js'

/** What the admin listener answers from. */
export interface AdminService {
  readonly selfService: SelfService
  readonly identities: IdentityService
  readonly sessions: SessionService
  readonly store: Store
  readonly rules: RuleList
  readonly metrics: Exposition
  /** What the status page says, besides what is here. */
  readonly status: Omit<StatusSources, 'version' | 'accepting' | 'store' | 'rules'>
  /** The public halves of the keys that the mutator `id_token` signs with. */
  readonly publicJwks: () => Promise<{ readonly keys: readonly object[] }>
  readonly version: string
  /** False once the process has been told to stop, so that a load balancer looks elsewhere. */
  readonly accepting: () => boolean
}

/** Metrics as Prometheus reads them. */
export interface Exposition {
  readonly contentType: string
  text(): Promise<string>
}

interface AdminRequest {
  readonly query: URLSearchParams
  readonly params: Readonly<Record<string, string>>
  readonly body: unknown
}

type Answer = (request: AdminRequest) => Promise<Reply> | Reply

/** Routes, and 404 and 405 for everything else. */
export function adminRoutes(service: AdminService): Middleware {
  const dispatch = adminRouter(service).routes()
  return async ctx => {
    await dispatch(ctx as never, async () => { throw unrouted(ctx) })
  }
}

/** The routes alone; docs/openapi/admin.yaml describes each. */
export function adminRouter(service: AdminService): Router {
  const { selfService, identities, sessions, store, rules, metrics, status, publicJwks, version, accepting } = service
  const router = new Router()
  const get = (paths: string[], answer: Answer): unknown => router.get(paths, answerWith(answer))

  for (const kind of ['registration', 'login'] as const) {
    get([`/auth/browser/requests/${kind}`, `/self-service/browser/flows/requests/${kind}`],
      ({ query }) => readFlowAsAdmin(kind, query.get('request') ?? '', selfService))
  }
  get(['/errors'], ({ query }) => readErrors(query.get('error') ?? '', selfService))
  get(['/self-service/errors'], ({ query }) => readErrorAsAdmin(query.get('error') ?? '', selfService))
  get(['/schemas/:id'], ({ params }) => readSchema(params['id'] ?? '', selfService))

  get(['/identities'], ({ query }) => listIdentities(query, identities))
  get(['/identities/:id'], ({ params }) => readIdentity(params['id'] ?? '', identities))
  router.post('/identities', jsonOnly, readBody(), answerWith(({ body }) => createIdentity(body, identities)))
  router.patch('/identities', jsonOnly, readBody(batchBodyLimit),
    answerWith(({ query, body }) => createIdentities(body, query, identities)))
  router.put('/identities/:id', jsonOnly, readBody(),
    answerWith(({ params, body }) => replaceIdentity(params['id'] ?? '', body, identities)))
  router.delete('/identities/:id', answerWith(({ params }) => deleteIdentity(params['id'] ?? '', identities)))

  get(['/sessions'], ({ query }) => listSessions(query, sessions))
  get(['/sessions/:id'], ({ params }) => readSession(params['id'] ?? '', sessions))
  router.delete('/sessions/:id', answerWith(({ params }) => revokeSession(params['id'] ?? '', sessions)))
  get(['/identities/:id/sessions'], ({ params }) => readSessionsOf(params['id'] ?? '', sessions))
  router.delete('/identities/:id/sessions', answerWith(({ params }) => revokeSessionsOf(params['id'] ?? '', sessions)))

  get(['/rules'], ({ query }) => readRules(query, rules))
  get(['/rules/:id'], ({ params }) => readRule(params['id'] ?? '', rules))

  get(['/.well-known/jwks.json'], async () => jsonReply(200, await publicJwks()))

  get(['/health/alive'], () => jsonReply(200, { status: 'ok' }))
  get(['/health/ready'], () => readiness(store, rules, accepting()))
  get(['/metrics'], async () => ({ status: 200, body: { type: metrics.contentType, content: await metrics.text() } }))
  get([statusPath], ({ query }) => readStatusPage(query, { ...status, version, accepting, store, rules }))
  get(['/version'], () => jsonReply(200, { version }))
  return router
}

/** A cross-site form can not send this type, so a page in the operator's browser can't write here. */
const jsonOnly: Middleware = (ctx, next) => {
  if (!/^application\/json\s*(;|$)/i.test(ctx.get('content-type'))) {
    throw new GatewayError('unsupported_media_type', { reason: 'Send the body as application/json.' })
  }
  return next()
}

function answerWith(answer: Answer): (ctx: Context & { params: Record<string, string> }) => Promise<void> {
  return async ctx => {
    const query = new URLSearchParams(ctx.querystring)
    writeReply(ctx, await answer({ query, params: ctx.params, body: ctx.request.body }))
  }
}

/**
 * 503 names what is not ready. Rules that failed to reload, and a store that may lose accounts, are told of but do not end readiness:
 * the last good rules serve, and so does what is stored.
 */
async function readiness(store: Store, rules: RuleList, accepting: boolean): Promise<Reply> {
  const errors: Record<string, string> = {}
  if (!accepting) errors['process'] = 'stopping'
  const { error } = rules.status()
  const notes: Record<string, string> = error === undefined ? {} : { access_rules: error }
  try {
    const wrong = await store.ping()
    if (wrong !== undefined) notes['store'] = wrong
  } catch (failure) {
    errors['store'] = failure instanceof GatewayError && failure.reason !== undefined ? failure.reason : 'the store does not answer'
  }
  const noted = Object.keys(notes).length === 0 ? {} : { notes }
  if (Object.keys(errors).length === 0) return jsonReply(200, { status: 'ok', ...noted })
  return jsonReply(503, { errors, ...noted })
}
