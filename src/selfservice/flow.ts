/** What registration and login have in common: a flow begins, is read by the page that shows it, and is taken up by a submit. */
import { randomUUID } from 'node:crypto'

import { GatewayError } from '../errors.js'
import { csrfBinding, csrfToken, isBoundTo, newCsrfCookie } from '../http/csrf.js'
import { checkReturnTo } from '../http/return-to.js'
import type { Flow, Method, Problem } from '../store/records.js'
import { withForm, withProblemEverywhere } from './flow-form.js'
import { runJobs } from './jobs/run.js'
import { renderFlow } from './render-flow.js'
import { jsonReply, redirectTo, withParameter, type Reply } from '../http/reply.js'
import type { FlowKind, SelfService } from './service.js'
import { isUuid, requiredId, visitorSession, type Visit } from './visit.js'

/** A flow that a submit may go on with, or the answer that ends the submit. */
export type TakenUp = { readonly flow: Flow } | { readonly reply: Reply }

/** Clocks of several gateways may differ by this much (security X15, L19). */
const clockToleranceMs = 120_000

/**
 * Begins a flow and sends the browser to the page that shows it (contract 1.5). Whoever is logged in goes to
 * `urls.default_return_to` instead. Rejects when a before-job fails; nothing is stored then.
 */
export async function beginFlow(kind: FlowKind, visit: Visit, service: SelfService): Promise<Reply> {
  const session = await visitorSession(visit, service.sessions)
  if (session !== undefined) return redirectTo(service.urls.defaultReturnTo)

  const wish = visit.query.get('return_to')
  const returnTo = wish === null ? undefined : checkReturnTo(wish, service.urls.returnTo)
  const requestUrl = externalUrl(visit, service)
  const begun = await startFlow(kind, visit, service, { requestUrl, ...(returnTo === undefined ? {} : { returnTo }) })

  // A cookie that names no session any more is of no use to the browser.
  const stale = visit.sessionToken === undefined ? [] : [service.cookies.endSession()]
  return { ...begun.reply, cookies: [...stale, ...begun.reply.cookies ?? []] }
}

/** The document for a page in the browser: only for the browser that began the flow (contract 1.6, security C7). */
export async function readFlowInBrowser(kind: FlowKind, visit: Visit, service: SelfService): Promise<Reply> {
  const id = visit.query.get('request') ?? ''
  const found = isUuid(id) ? await service.store.findFlow(id.toLowerCase()) : undefined
  // Unknown and foreign flows look alike, so that ids can't be scanned.
  if (found?.flow.kind !== kind || !isBoundTo(found.flow.csrfBinding, visit.csrfCookie)) throw new GatewayError('csrf_unbound', {
    reason: 'A request failed due to a missing or invalid csrf_token value.',
  })
  return jsonReply(200, renderFlow(found.flow, service.model))
}

/** The document for the app's own server, on the admin listener: no cookie, 404 for what is unknown. */
export async function readFlowAsAdmin(kind: FlowKind, id: string, service: SelfService): Promise<Reply> {
  const found = isUuid(id) ? await service.store.findFlow(id.toLowerCase()) : undefined
  if (found?.flow.kind !== kind) throw new GatewayError('unknown_resource')
  return jsonReply(200, renderFlow(found.flow, service.model))
}

/**
 * Takes up the flow that a submit names. A browser that is logged in, a flow whose time is over and one that was
 * already used get their answer here; an unknown or foreign one rejects.
 */
export async function takeUpFlow(kind: FlowKind, visit: Visit, service: SelfService): Promise<TakenUp> {
  return takeUp(() => requiredId(visit, 'request', idMissing[kind]), [kind], visit, service)
}

/** The same for what serves both kinds of flow. `readId` is asked once nobody is logged in; it throws when there is no id. */
export async function takeUp(readId: () => string, kinds: readonly FlowKind[], visit: Visit, service: SelfService): Promise<TakenUp> {
  const session = await visitorSession(visit, service.sessions)
  if (session !== undefined) return { reply: redirectTo(service.urls.defaultReturnTo) }

  const found = await service.store.findFlow(readId())
  if (found === undefined || !kinds.includes(found.flow.kind)) throw new GatewayError('unknown_resource')
  const { flow } = found
  if (!isBoundTo(flow.csrfBinding, visit.csrfCookie)) throw csrfInvalid()

  if (found.consumed) return { reply: await startAgain(flow, { code: 'flow_used' }, visit, service) }
  if (found.expired) return { reply: await startAgain(flow, { code: 'flow_expired' }, visit, service) }
  if (flow.issuedAt > Date.now() + clockToleranceMs) {
    const method = service.model.methods[0] as Method
    return { reply: await refuse(flow, method, [{ code: 'flow_issued_in_future', params: { kind: flow.kind } }], {}, visit, service) }
  }
  return { flow }
}

/** Writes problems into the flow's form and shows it again: a redirect to the page, or the document itself as JSON with 400. */
export async function refuse(
  flow: Flow, method: Method, problems: readonly Problem[], values: Parameters<typeof withForm>[3], visit: Visit, service: SelfService,
): Promise<Reply> {
  service.observer.flowFailed(flow.kind, method, problems[0]?.code ?? 'invalid')
  const changed = withForm(flow, method, problems, values)
  await service.store.saveFlow(changed)
  if (visit.wantsJson) return jsonReply(400, renderFlow(changed, service.model))
  return showFlow(changed, service)
}

/**
 * A new flow in place of one that can't be used any more, with a problem that says so (contract 1.7 row 4, security
 * A10). A script is told where to go on.
 */
export async function startAgain(old: Flow, problem: Problem, visit: Visit, service: SelfService): Promise<Reply> {
  service.observer.flowFailed(old.kind, undefined, problem.code)
  const begun = await startFlow(old.kind, visit, service, originOf(old), problem)
  if (!visit.wantsJson || begun.flow === undefined) return begun.reply
  throw new GatewayError('gone', {
    reason: problem.code === 'flow_used' ? 'This request was already completed.' : 'This request has expired.',
    details: { use_flow_id: begun.flow.id, redirect_browser_to: begun.reply.location },
  })
}

/** What a flow that takes over from another one inherits: where the person came from and wants to go. */
export function originOf({ requestUrl, returnTo }: Flow): Origin {
  return { requestUrl, ...(returnTo === undefined ? {} : { returnTo }) }
}

/** What a submit without a valid CSRF token gets, whatever else is wrong with it (contract 1.1). */
export function csrfInvalid(): GatewayError {
  return new GatewayError('csrf_invalid', { reason: 'CSRF token is missing or invalid.' })
}

const idMissing: { readonly [kind in FlowKind]: string } = {
  registration: 'The request Code is missing.',
  login: 'The request query parameter is missing or invalid.',
}

/** What a flow begins with. */
type Origin = Pick<Flow, 'requestUrl'> & Partial<Pick<Flow, 'returnTo' | 'forms' | 'link'>>

/** A flow that has begun, or where a before-job sends the browser instead. */
export type Opened =
  | { readonly flow: Flow, readonly cookies: readonly string[] }
  | { readonly reply: Reply }

/** The flow is absent when a before-job sent the browser elsewhere. */
async function startFlow(
  kind: FlowKind, visit: Visit, service: SelfService, origin: Origin, problem?: Problem,
): Promise<{ readonly reply: Reply, readonly flow?: Flow }> {
  const opened = await openFlow(kind, visit, service, origin, problem)
  if ('reply' in opened) return opened
  const { flow, cookies } = opened
  return { reply: showFlow(flow, service, cookies), flow }
}

/** To the page that shows the flow. */
export function showFlow(flow: Flow, { flows }: SelfService, cookies: readonly string[] = []): Reply {
  return redirectTo(withParameter(flows[flow.kind].uiUrl, 'request', flow.id), cookies)
}

/** A new flow of this browser, stored once the before-jobs let it. Rejects with the error of a job that does not. */
export async function openFlow(kind: FlowKind, visit: Visit, service: SelfService, origin: Origin, problem?: Problem): Promise<Opened> {
  await service.limits.beginFlow(visit.request.clientAddress)
  const { lifespanMs, jobs } = service.flows[kind]
  const cookie = visit.csrfCookie ?? newCsrfCookie()
  const id = randomUUID()
  const issuedAt = Date.now()
  const fresh: Flow = {
    id, kind, type: 'browser', issuedAt, expiresAt: issuedAt + lifespanMs,
    csrfBinding: csrfBinding(cookie), csrfToken: csrfToken(cookie, id), forms: {}, ...origin,
  }
  const flow = problem === undefined ? fresh : withProblemEverywhere(fresh, service.model.methods, problem)

  const { cookies, redirect } = await runJobs(jobs.before, { flow, request: visit.request }, service.sessions)
  if (redirect !== undefined) return { reply: redirectTo(redirect, cookies) }

  await service.store.saveFlow(flow)
  service.observer.flowStarted(kind)
  const csrf = visit.csrfCookie === undefined ? [service.cookies.csrf(cookie)] : []
  return { flow, cookies: [...csrf, ...cookies] }
}

/** As the browser knows it: the gateway's public origin, whatever stands between (contract D13). */
function externalUrl({ request }: Visit, { urls }: SelfService): string {
  return `${new URL(urls.public).origin}${request.path}${request.query}`
}
