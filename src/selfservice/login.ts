/** A submit of the login form, from the browser's POST to the redirect (contract 1.8). */
import { GatewayError } from '../errors.js'
import { submittedText, type Submission } from '../http/submission.js'
import { canonicalIdentifier } from '../identity/identifiers.js'
import type { Flow, Identity, Method } from '../store/records.js'
import { refuse, startAgain, takeUpFlow } from './flow.js'
import { runJobs } from './jobs/run.js'
import { addProvider } from './linking.js'
import { redirectTo, type Reply } from '../http/reply.js'
import type { SelfService } from './service.js'
import type { Visit } from './visit.js'

/**
 * A wrong password leaves the flow open for another try; a right one spends it. Tries are counted before any password is
 * looked at (security A3, D8).
 */
export async function submitLogin(visit: Visit, submission: Submission, service: SelfService): Promise<Reply> {
  const takenUp = await takeUpFlow('login', visit, service)
  if ('reply' in takenUp) return takenUp.reply

  const { flow } = takenUp
  if (service.password === undefined) throw new GatewayError('unknown_resource')
  const identifier = submittedIdentifier(submission)
  if (identifier !== '') {
    await service.limits.logIn(visit.request.clientAddress, identifier, service.devices.recognise(visit.deviceCookie, identifier))
  }
  const outcome = await service.password.login(submission)
  if ('problems' in outcome) return refuse(flow, 'password', outcome.problems, outcome.values, visit, service)

  const reply = await completeLogin(flow, 'password', outcome.identity, visit, service)
  return { ...reply, cookies: [...reply.cookies ?? [], service.cookies.device(service.devices.remember(identifier))] }
}

/**
 * Spends the flow, adds the provider that the flow may be about, and runs the after-jobs; one that fails leaves nobody
 * logged in.
 */
export async function completeLogin(flow: Flow, method: Method, recognised: Identity, visit: Visit, service: SelfService): Promise<Reply> {
  if (flow.link !== undefined && flow.link.identityId !== recognised.id) {
    return refuse(flow, method, [{ code: 'link_other_account', params: { provider: flow.link.provider } }], {}, visit, service)
  }
  if (!await service.store.consumeFlow(flow.id)) return startAgain(flow, { code: 'flow_used' }, visit, service)

  const identity = flow.link === undefined ? recognised : await addProvider(recognised, flow.link, service.store).catch(async (error: unknown) => {
    await service.store.releaseFlow(flow.id)
    throw error
  })
  const jobs = service.flows.login.jobs.after[method]
  const { cookies, redirect } = await runJobs(jobs, { flow, method, identity, request: visit.request }, service.sessions)
  service.observer.flowCompleted('login', method)
  return redirect === undefined ? { status: 200, cookies } : redirectTo(redirect, cookies)
}

/** As it is stored, so that no other spelling is counted apart; what can't be one is counted as it was typed. */
function submittedIdentifier(submission: Submission): string {
  const typed = submittedText(submission, 'identifier') ?? ''
  const canonical = canonicalIdentifier(typed, 'identifier')
  return typeof canonical === 'string' ? canonical : typed
}
