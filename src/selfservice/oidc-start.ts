/** Off to a provider: the first half of signing in with one, for registration and login alike (contract 5.2). */
import { GatewayError } from '../errors.js'
import { redirectTo, type Reply } from '../http/reply.js'
import { submittedText, type Submission } from '../http/submission.js'
import type { IdentitySchema } from '../identity/identity-schema.js'
import type { Flow, JsonObject, Problem } from '../store/records.js'
import { refuse, takeUp } from './flow.js'
import { register } from './oidc-callback.js'
import type { SelfService } from './service.js'
import type { OidcStrategy } from './strategies/strategy.js'
import { submittedTraits } from './strategies/submitted-traits.js'
import { isUuid, type Visit } from './visit.js'

/**
 * Sends the browser to the provider that the submit (or the query) names. A registration that the provider has proved
 * already, and that only lacks traits, is completed instead.
 */
export async function startOidc(flowId: string, visit: Visit, submission: Submission | undefined, service: SelfService): Promise<Reply> {
  const { oidc } = service
  if (oidc === undefined) throw new GatewayError('unknown_resource')
  const provider = visit.query.get('provider') ?? (submission === undefined ? undefined : submittedText(submission, 'provider'))

  const takenUp = await takeUp(() => {
    if (provider) oidc.requireProvider(provider)
    return requireUuid(flowId)
  }, ['registration', 'login'], visit, service)
  if ('reply' in takenUp) return takenUp.reply
  const { flow } = takenUp
  if (submission?.kind === 'unreadable') return refuse(flow, 'oidc', [submission.problem], {}, visit, service)
  if (!provider) return refuse(flow, 'oidc', [{ code: 'provider_missing' }], {}, visit, service)

  const { traits, problems } = submission === undefined ? nothingTyped : submittedTraits(submission, service.schemas.get('default') as IdentitySchema)
  if (problems.length > 0) return refuse(flow, 'oidc', problems, {}, visit, service)
  if (flow.proof?.provider === provider && submission !== undefined) return register(flow, flow.proof, traits, visit, service)
  return depart(flow, provider, traits, oidc, visit, service)
}

/** Bytes of what was typed that are kept while somebody is away at a provider, as JSON (security D11). */
const typedBytes = 4096

const nothingTyped = { traits: {}, problems: [] }

async function depart(flow: Flow, provider: string, traits: JsonObject, oidc: OidcStrategy, visit: Visit, service: SelfService): Promise<Reply> {
  const unwelcome = problemsOnDeparture(traits, service.schemas.get('default') as IdentitySchema)
  if (unwelcome.length > 0) return refuse(flow, 'oidc', unwelcome, {}, visit, service)
  // A departure takes as much room in the store as a flow.
  await service.limits.beginFlow(visit.request.clientAddress)
  const outcome = await oidc.depart(provider, flow.id, visit.csrfCookie as string, traits)
  if ('problems' in outcome) return refuse(flow, 'oidc', outcome.problems, outcome.values, visit, service)
  await service.store.saveAttempt(outcome.attempt)
  return redirectTo(outcome.redirect)
}

/** What no provider can mend. All else is held against the schema once the provider has said what it knows. */
function problemsOnDeparture(traits: JsonObject, schema: IdentitySchema): Problem[] {
  if (Buffer.byteLength(JSON.stringify(traits)) > typedBytes) return [{ code: 'traits_too_long', params: { max: typedBytes } }]
  return schema.validate(traits).filter(({ code }) => code === 'additional_property')
}

function requireUuid(id: string): string {
  if (isUuid(id)) return id.toLowerCase()
  throw new GatewayError('bad_request', {
    reason: 'The session cookie contains invalid values and the request could not be executed. Please try again.',
  })
}
