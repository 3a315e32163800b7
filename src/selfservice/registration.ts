/** A submit of the registration form, from the browser's POST to the redirect (contract 1.7). */
import { GatewayError, toGatewayError } from '../errors.js'
import type { Submission } from '../http/submission.js'
import type { Flow, IdentifierClaim, Identity, Method } from '../store/records.js'
import { atEvenPace } from './even-pace.js'
import { refuse, startAgain, takeUpFlow } from './flow.js'
import type { JobContext } from './jobs/job.js'
import { runJobs } from './jobs/run.js'
import { redirectTo, type Reply } from '../http/reply.js'
import type { SelfService } from './service.js'
import type { Registrable } from './strategies/strategy.js'
import type { Visit } from './visit.js'

/** Well above what hashing, storing and the jobs take: a taken identifier spares the store a write. */
const hidingStepMs = 250

/** Cheap to dear: the flow, the traits, the password's policy, with the limit before others are asked; then the flow is spent, and only then is anything hashed. */
export async function submitRegistration(visit: Visit, submission: Submission, service: SelfService): Promise<Reply> {
  const takenUp = await takeUpFlow('registration', visit, service)
  if ('reply' in takenUp) return takenUp.reply

  const { flow } = takenUp
  if (service.password === undefined) throw new GatewayError('unknown_resource')
  const outcome = await service.password.register(submission, () => service.limits.register(visit.request.clientAddress))
  if ('problems' in outcome) return refuse(flow, 'password', outcome.problems, outcome.values, visit, service)

  const complete = (): Promise<Reply> => completeRegistration(flow, 'password', outcome, visit, service)
  return service.hidesAccounts ? atEvenPace(hidingStepMs, complete) : complete()
}

/**
 * Makes the identity, once, and runs the after-jobs. Whatever fails before it is stored gives the flow its submit back;
 * `onTaken` answers when another identity has one of the identifiers and that may be said.
 */
export async function completeRegistration(
  flow: Flow, method: Method, registrable: Registrable, visit: Visit, service: SelfService,
  onTaken: (taken: IdentifierClaim) => Promise<Reply> = () => refuse(flow, method, [{ code: 'identifier_taken' }], registrable.values, visit, service),
): Promise<Reply> {
  if (!await service.store.consumeFlow(flow.id)) return startAgain(flow, { code: 'flow_used' }, visit, service)

  const created = await createIdentity(registrable, service).catch(async (error: unknown) => {
    await service.store.releaseFlow(flow.id)
    throw error
  })
  if ('identity' in created) return afterRegistration({ flow, method, identity: created.identity }, visit, service)

  const owner = service.hidesAccounts && method === 'password' ? await service.store.findIdentityByIdentifier(created.taken) : undefined
  if (owner !== undefined) return afterRegistration({ flow, method, identity: owner, taken: true }, visit, service)
  await service.store.releaseFlow(flow.id)
  return onTaken(created.taken)
}

async function createIdentity(
  registrable: Registrable, { store }: SelfService,
): Promise<{ readonly identity: Identity } | { readonly taken: IdentifierClaim }> {
  const identity = await registrable.identity()
  const taken = await store.createIdentity(identity)
  return taken === undefined ? { identity } : { taken }
}

/**
 * Runs the after-jobs. Where accounts are hidden, somebody who signs up with a taken identifier gets the very same answer;
 * the jobs are told (`taken`), so that a `web_hook` can write to the owner (security A1).
 */
async function afterRegistration(registered: Omit<JobContext, 'request'>, visit: Visit, service: SelfService): Promise<Reply> {
  const jobs = service.flows.registration.jobs.after[registered.method as Method]
  try {
    const { cookies, redirect } = await runJobs(jobs, { ...registered, request: visit.request }, service.sessions)
    if (registered.taken === undefined) service.observer.flowCompleted('registration', registered.method as Method)
    else service.observer.flowFailed('registration', registered.method, 'identifier_taken')
    return redirect === undefined ? { status: 200, cookies } : redirectTo(redirect, cookies)
  } catch (thrown) {
    throw afterCreation(toGatewayError(thrown))
  }
}

/** The identity exists by now, so the person has to know that trying again is not the way on (contract 6.4). */
function afterCreation(error: GatewayError): GatewayError {
  const because = error.reason === undefined ? '' : `: ${error.reason}`
  return new GatewayError(error.code, {
    reason: `Your account was created, but a step after it failed${because}${because.endsWith('.') ? '' : '.'} You can log in.`,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    cause: error,
  })
}
