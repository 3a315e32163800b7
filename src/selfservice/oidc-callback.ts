/** Back from a provider: the second half of signing in with one. Who is new registers, who is known logs in (contract 5.3 to 5.5). */
import { GatewayError } from '../errors.js'
import { redirectTo, type Reply } from '../http/reply.js'
import { submittedText, type Submission } from '../http/submission.js'
import type { Flow, JsonObject, ProviderProof } from '../store/records.js'
import { openFlow, originOf, refuse, takeUp, type Opened } from './flow.js'
import { askForAccount } from './linking.js'
import { completeLogin } from './login.js'
import { completeRegistration } from './registration.js'
import type { SelfService } from './service.js'
import { oidcIdentifier } from './strategies/oidc/oidc.js'
import type { Arrived, OidcStrategy } from './strategies/strategy.js'
import { visitorSession, type Visit } from './visit.js'

/** What providers add to the redirect URI. */
const answerNames = ['code', 'state', 'iss', 'error', 'error_description'] as const

/** Takes the browser up where its journey began. Each journey comes back once, in its own browser, from its own provider. */
export async function finishOidc(provider: string, visit: Visit, service: SelfService): Promise<Reply> {
  const { oidc, store } = service
  if (oidc === undefined) throw new GatewayError('unknown_resource')
  if (await visitorSession(visit, service.sessions) !== undefined) return redirectTo(service.urls.defaultReturnTo)

  oidc.requireProvider(provider)
  const answer = readAnswer(visit)
  const state = answer.get('state')
  if (!state) throw incomplete('the OpenID Provider did not return the state query parameter.')

  const attempt = visit.csrfCookie === undefined ? undefined : await store.takeAttempt(oidc.attemptKey(state, visit.csrfCookie))
  if (attempt?.provider !== provider) {
    throw incomplete('the query state parameter does not match the state parameter from the session cookie.')
  }
  const takenUp = await takeUp(() => attempt.flowId, ['registration', 'login'], visit, service)
  if ('reply' in takenUp) return takenUp.reply

  const { flow } = takenUp
  const outcome = await oidc.arrive(attempt, answer)
  if ('problems' in outcome) return refuse(flow, 'oidc', outcome.problems, outcome.values, visit, service)
  return arrive(flow, outcome, attempt.traits, visit, service)
}

/**
 * A provider that answers with a form (Apple) makes the browser post it from another site, without the cookie that proves
 * which browser it is. It is sent around once more, as a plain visit, on which it has its cookie (security O16).
 */
export function bounceOidc(provider: string, submission: Submission, service: SelfService): Reply {
  if (service.oidc === undefined) throw new GatewayError('unknown_resource')
  service.oidc.requireProvider(provider)
  const answer = new URLSearchParams()
  for (const name of answerNames) {
    const value = submittedText(submission, name)
    if (value !== undefined) answer.set(name, value)
  }
  return { status: 303, location: `${service.urls.oidcCallback(provider)}?${answer}` }
}

/** Completes a registration of somebody whom a provider has proved, or shows the form for what is missing. */
export async function register(flow: Flow, proof: ProviderProof, typed: JsonObject, visit: Visit, service: SelfService): Promise<Reply> {
  const outcome = (service.oidc as OidcStrategy).register(proof, typed)
  if ('problems' in outcome) return refuse({ ...flow, proof }, 'oidc', outcome.problems, outcome.values, visit, service)

  return completeRegistration(flow, 'oidc', outcome, visit, service, async taken => {
    // The same person may have been a moment faster in another tab.
    return await logIn(flow, proof, visit, service) ?? askForAccount(flow, proof, taken, visit, service)
  })
}

async function arrive(flow: Flow, arrived: Arrived, typed: JsonObject, visit: Visit, service: SelfService): Promise<Reply> {
  const known = await logIn(flow, arrived, visit, service)
  if (known !== undefined) return known

  const outcome = await arrived.proof()
  if ('problems' in outcome) return refuse(flow, 'oidc', outcome.problems, outcome.values, visit, service)
  const own = await continueAs('registration', flow, visit, service)
  return 'reply' in own ? own.reply : withCookies(await register(own.flow, outcome.proof, typed, visit, service), own.cookies)
}

/** `undefined` when nobody is known by that name. */
async function logIn(
  flow: Flow, { provider, subject }: Pick<Arrived, 'provider' | 'subject'>, visit: Visit, service: SelfService,
): Promise<Reply | undefined> {
  const identity = await service.store.findIdentityByIdentifier({ method: 'oidc', identifier: oidcIdentifier(provider, subject) })
  if (identity === undefined) return undefined
  const own = await continueAs('login', flow, visit, service)
  return 'reply' in own ? own.reply : withCookies(await completeLogin(own.flow, 'oidc', identity, visit, service), own.cookies)
}

/** The flow itself, or one of the other kind in its place, if that one's before-jobs let it begin. */
async function continueAs(
  kind: Flow['kind'], flow: Flow, visit: Visit, service: SelfService,
): Promise<Opened> {
  if (flow.kind === kind) return { flow, cookies: [] }
  return openFlow(kind, visit, service, originOf(flow))
}

function withCookies(reply: Reply, cookies: readonly string[]): Reply {
  return { ...reply, cookies: [...cookies, ...reply.cookies ?? []] }
}

function readAnswer({ query }: Visit): URLSearchParams {
  return new URLSearchParams(answerNames.flatMap(name => query.getAll(name).map<[string, string]>(value => [name, value])))
}

function incomplete(because: string): GatewayError {
  return new GatewayError('bad_request', { reason: `Unable to complete OpenID Connect flow because ${because}` })
}
