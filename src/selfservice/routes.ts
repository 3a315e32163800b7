/** Every self-service endpoint: its paths, how it is defended, what answers it. */
import Router from '@koa/router'
import type { Context, Middleware } from 'koa'

import { toGatewayError, type GatewayError, withAnswer } from '../errors.js'
import type { AccessRequest } from '../http/access-request.js'
import { plainAnswer } from '../http/answer-errors.js'
import { isCsrfToken, isTrustedOrigin } from '../http/csrf.js'
import { stateOf } from '../http/exchange.js'
import { readBody, readSubmission, submittedText, type Submission } from '../http/submission.js'
import { jsonReply, writeReply, type Reply } from '../http/reply.js'
import { unrouted } from '../http/unrouted.js'
import type { Method } from '../store/records.js'
import { readErrorInBrowser, readErrors, showError } from './error-ui.js'
import { beginFlow, csrfInvalid, readFlowInBrowser } from './flow.js'
import { submitLogin } from './login.js'
import { logOut } from './logout.js'
import { bounceOidc, finishOidc } from './oidc-callback.js'
import { startOidc } from './oidc-start.js'
import { submitRegistration } from './registration.js'
import { readSchema } from './schemas.js'
import type { FlowKind, SelfService } from './service.js'
import { isUuid, readVisit, type Visit } from './visit.js'
import { whoAmI } from './whoami.js'

/**
 * What keeps other people and other sites from using an endpoint:
 * `csrf_token`, the browser's CSRF cookie together with the token of the flow, from a trusted page;
 * `trusted_page`, only links and forms of a trusted page; `flow_page`, the same, and only the browser that began the flow;
 * `journey`, only the browser that left for the provider, once;
 * `flow_cookie`, only the browser that began the flow; `session_cookie`, only one that is logged in;
 * `unguessable_id`, whoever knows the id; `open`, nothing.
 */
type Protection = 'csrf_token' | 'trusted_page' | 'flow_page' | 'journey' | 'flow_cookie' | 'session_cookie' | 'unguessable_id' | 'open'

interface Route {
  readonly method: 'get' | 'post'
  /** The seed's spelling first, then that of v0.1. */
  readonly paths: readonly string[]
  readonly protection: Protection
  /** Whether people meet its errors on `urls.error_ui`; scripts always get JSON. */
  readonly errors: 'page' | 'json'
  /** What its errors are told of as: a flow that does not begin, a submit that fails. Absent for what is neither. */
  readonly flow?: { readonly kind?: FlowKind, readonly method?: Method }
  readonly answer: (visit: Visit, service: SelfService, submission: Submission, params: Readonly<Record<string, string>>) => Promise<Reply> | Reply
}

const ok = jsonReply(200, { status: 'ok' })

/** All of them; docs/openapi/public.yaml describes each. */
export const routes: readonly Route[] = [
  {
    method: 'get', paths: ['/auth/browser/registration', '/self-service/browser/flows/registration'],
    protection: 'open', errors: 'page', flow: { kind: 'registration' },
    answer: (visit, service) => beginFlow('registration', visit, service),
  },
  {
    method: 'get', paths: ['/auth/browser/requests/registration', '/self-service/browser/flows/requests/registration'],
    protection: 'flow_cookie', errors: 'json',
    answer: (visit, service) => readFlowInBrowser('registration', visit, service),
  },
  {
    method: 'post',
    paths: ['/auth/browser/methods/password/registration', '/self-service/browser/flows/registration/strategies/password'],
    protection: 'csrf_token', errors: 'page', flow: { kind: 'registration', method: 'password' },
    answer: (visit, service, submission) => submitRegistration(visit, submission, service),
  },
  {
    method: 'get', paths: ['/auth/browser/login', '/self-service/browser/flows/login'],
    protection: 'open', errors: 'page', flow: { kind: 'login' },
    answer: (visit, service) => beginFlow('login', visit, service),
  },
  {
    method: 'get', paths: ['/auth/browser/requests/login', '/self-service/browser/flows/requests/login'],
    protection: 'flow_cookie', errors: 'json',
    answer: (visit, service) => readFlowInBrowser('login', visit, service),
  },
  {
    method: 'post', paths: ['/auth/browser/methods/password/login', '/self-service/browser/flows/login/strategies/password'],
    protection: 'csrf_token', errors: 'page', flow: { kind: 'login', method: 'password' },
    answer: (visit, service, submission) => submitLogin(visit, submission, service),
  },
  {
    method: 'post', paths: ['/auth/browser/methods/oidc/auth/:request', '/self-service/browser/flows/registration/strategies/oidc/auth/:request'],
    protection: 'csrf_token', errors: 'page', flow: { method: 'oidc' },
    answer: (visit, service, submission, { request = '' }) => startOidc(request, visit, submission, service),
  },
  {
    method: 'get', paths: ['/auth/browser/methods/oidc/auth/:request', '/self-service/browser/flows/registration/strategies/oidc/auth/:request'],
    protection: 'flow_page', errors: 'page', flow: { method: 'oidc' },
    answer: (visit, service, _submission, { request = '' }) => startOidc(request, visit, undefined, service),
  },
  {
    method: 'get',
    paths: ['/auth/browser/methods/oidc/callback/:provider', '/self-service/browser/flows/registration/strategies/oidc/callback/:provider'],
    protection: 'journey', errors: 'page', flow: { method: 'oidc' },
    answer: (visit, service, _submission, { provider = '' }) => finishOidc(provider, visit, service),
  },
  {
    method: 'post',
    paths: ['/auth/browser/methods/oidc/callback/:provider', '/self-service/browser/flows/registration/strategies/oidc/callback/:provider'],
    protection: 'journey', errors: 'page',
    answer: (_visit, service, submission, { provider = '' }) => bounceOidc(provider, submission, service),
  },
  {
    method: 'get', paths: ['/auth/browser/logout', '/self-service/browser/flows/logout'],
    protection: 'trusted_page', errors: 'page', answer: logOut,
  },
  {
    method: 'post', paths: ['/auth/browser/logout', '/self-service/browser/flows/logout'],
    protection: 'trusted_page', errors: 'page', answer: logOut,
  },
  {
    method: 'get', paths: ['/sessions/whoami', '/sessions/me'],
    protection: 'session_cookie', errors: 'json', answer: whoAmI,
  },
  {
    method: 'get', paths: ['/errors'],
    protection: 'unguessable_id', errors: 'json',
    answer: (visit, service) => readErrors(visit.query.get('error') ?? '', service),
  },
  {
    method: 'get', paths: ['/self-service/errors'],
    protection: 'flow_cookie', errors: 'json',
    answer: (visit, service) => readErrorInBrowser(visit.query.get('error') ?? '', visit, service),
  },
  {
    method: 'get', paths: ['/schemas/:id'],
    protection: 'open', errors: 'json',
    answer: (_visit, service, _submission, { id = '' }) => readSchema(id, service),
  },
  { method: 'get', paths: ['/health/alive'], protection: 'open', errors: 'json', answer: () => ok },
  {
    method: 'get', paths: ['/health/ready'], protection: 'open', errors: 'json',
    answer: async (_visit, { store }) => {
      await store.ping()
      return ok
    },
  },
]

/** Tells whether a request is for self-service: below the path of `urls.self.public`, on the host of that URL. */
export function createSelfServiceScope({ urls }: Pick<SelfService, 'urls'>): (request: AccessRequest) => boolean {
  const { host, pathname } = new URL(urls.public)
  const folder = pathname === '/' ? '/' : `${pathname}/`
  return ({ host: requestHost, path }) => requestHost === host && (path.startsWith(folder) || path === pathname)
}

/** Middleware for the requests that are for self-service. Expects `ctx.state.request`. */
export function selfServiceRoutes(service: SelfService): Middleware {
  const { pathname } = new URL(service.urls.public)
  const router = new Router({ prefix: pathname === '/' ? '' : pathname })
  for (const route of routes) {
    router[route.method]([...route.paths], ...(route.errors === 'page' ? [refuseHead] : []), answerRoute(route, service))
  }
  const dispatch = router.routes()

  return async ctx => {
    // What is routed is the path that was checked, not the one that was sent.
    ctx.path = (stateOf(ctx).request as AccessRequest).path
    setOwnHeaders(ctx)
    await dispatch(ctx as never, async () => { throw unrouted(ctx) })
  }
}

/** The router answers HEAD by doing what GET does, and what people visit begins flows and ends sessions (contract 1.0). */
const refuseHead: Middleware = (ctx, next) => {
  if (ctx.method === 'HEAD') throw unrouted(ctx)
  return next()
}

function answerRoute(route: Route, service: SelfService): (ctx: Context & { params: Record<string, string> }) => Promise<void> {
  return async ctx => {
    stateOf(ctx).route = route.paths[0] as string
    const visit = readVisit(stateOf(ctx).request as AccessRequest, service.cookies)
    try {
      const submission = route.method === 'post' ? await receive(ctx) : nothing
      protect(route.protection, visit, submission, ctx.params['request'] ?? visit.query.get('request'), service)
      writeReply(ctx, await route.answer(visit, service, submission, ctx.params))
    } catch (thrown) {
      const error = toGatewayError(thrown)
      if (route.flow !== undefined) service.observer.flowFailed(route.flow.kind, route.flow.method, error.code)
      // A data endpoint answers data, whoever asks (contract 1.6, 8).
      if (route.errors === 'json') throw withAnswer(error, failure => plainAnswer(failure, visit.request.requestId))
      if (!goesToErrorPage(error, visit)) throw error
      stateOf(ctx).failure = error
      writeReply(ctx, await showError(error, visit, service))
    }
  }
}

const read = readBody()

async function receive(ctx: Context): Promise<Submission> {
  await read(ctx, async () => undefined)
  return readSubmission(ctx)
}

const nothing: Submission = { kind: 'unreadable', problem: { code: 'body_empty' } }

/**
 * The checks that need no look-up. What needs one (`flow_cookie`, `flow_page`'s browser, `journey`, `session_cookie`) is the
 * answering function's.
 */
function protect(protection: Protection, visit: Visit, submission: Submission, flowId: string | null, { urls }: SelfService): void {
  if (protection !== 'csrf_token' && protection !== 'flow_page') return

  if (!isTrustedOrigin(visit.request.headers, urls.trustedOrigins)) throw csrfInvalid()
  if (protection === 'flow_page') return
  // Without a flow there is nothing to protect, and the answer is about the missing id.
  if (flowId === null || !isUuid(flowId)) return
  const header = visit.request.headers['x-csrf-token']
  const presented = typeof header === 'string' ? header : submittedText(submission, 'csrf_token')
  if (!isCsrfToken(presented, visit.csrfCookie, flowId.toLowerCase())) throw csrfInvalid()
}

/** What another try can mend at once (429, 503) and what another site may have caused says its status itself. */
function goesToErrorPage(error: GatewayError, visit: Visit): boolean {
  return !visit.wantsJson && error.code !== 'csrf_invalid' && error.status !== 429 && error.status !== 503
}

/** On everything that the gateway itself says to a browser (security C8). */
function setOwnHeaders(ctx: Context): void {
  ctx.vary('Cookie')
  ctx.set({
    'Cache-Control': 'no-store',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
  })
}
