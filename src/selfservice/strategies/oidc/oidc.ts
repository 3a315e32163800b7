/** The `oidc` method: a provider says who somebody is; that, and traits, make an identity or find one (contract 5). */
import { createHash, randomUUID } from 'node:crypto'
import { calculatePKCECodeChallenge, randomNonce, randomPKCECodeVerifier, randomState } from 'openid-client'

import { GatewayError } from '../../../errors.js'
import type { IdentitySchema } from '../../../identity/identity-schema.js'
import { flattenTraits } from '../../../identity/traits.js'
import type { Identity, JsonObject, JsonValue, ProviderProof, SignInAttempt } from '../../../store/records.js'
import type { OidcStrategy, Refused } from '../strategy.js'
import { ProviderFailure } from './failures.js'
import { createGithubProvider } from './github-provider.js'
import { createOpenidProvider } from './openid-provider.js'
import type { Provider } from './provider.js'
import type { ProviderSettings } from './settings.js'
import { mergeTraits, mergeTyped, withoutTrait } from './trait-values.js'

export interface OidcStrategyOptions {
  readonly providers: readonly ProviderSettings[]
  /** The default schema; it alone drives registration. */
  readonly schema: IdentitySchema
  /** Where providers send browsers back to: the whole URL, by provider id. */
  readonly redirectUri: (provider: string) => string
  /** Whether whoever signs up may log in only with what the provider vouches for: to be told that a typed address is taken says that it has an account (security A1). */
  readonly onlyProvenIdentifiers: boolean
  /** Learns what went wrong with a provider; nothing secret. */
  readonly onFailure: (provider: string, detail: string) => void
}

/** How long a journey to a provider may take. */
const attemptLifespanMs = 600_000

/** Asks no provider before somebody wants to sign in with it. */
export function createOidcStrategy({ providers: settings, schema, redirectUri, onlyProvenIdentifiers, onFailure }: OidcStrategyOptions): OidcStrategy {
  const providers = new Map<string, Provider>(settings.map(entry => {
    return [entry.id, entry.protocol === 'github' ? createGithubProvider(entry) : createOpenidProvider(entry, detail => { onFailure(entry.id, detail) })]
  }))

  return {
    requireProvider: id => { findProvider(id) },

    async depart(providerId, flowId, csrfCookie, traits) {
      const provider = findProvider(providerId)
      const [state, nonce, codeVerifier] = [randomState(), randomNonce(), randomPKCECodeVerifier()]
      const codeChallenge = await calculatePKCECodeChallenge(codeVerifier)
      return told(provider.id, async () => {
        const redirect = await provider.authorizationUrl({ state, nonce, codeChallenge, redirectUri: redirectUri(provider.id) })
        const attempt: SignInAttempt = {
          key: attemptKey(state, csrfCookie), provider: provider.id, flowId, nonce, codeVerifier, traits, expiresAt: Date.now() + attemptLifespanMs,
        }
        return { redirect: redirect.href, attempt }
      })
    },

    attemptKey,

    async arrive(attempt, answer) {
      const provider = findProvider(attempt.provider)
      if (answer.get('error') === null && !answer.get('code')) return { problems: [{ code: 'provider_no_code' }], values: {} }

      const url = new URL(`${redirectUri(provider.id)}?${answer}`)
      return told(provider.id, async () => {
        const proven = await provider.prove({ url, state: answer.get('state') ?? '', nonce: attempt.nonce, codeVerifier: attempt.codeVerifier })
        return {
          provider: provider.id,
          subject: proven.subject,
          proof: () => told(provider.id, async () => {
            return { proof: usable({ provider: provider.id, subject: proven.subject, ...provider.mapping.toTraits(await proven.claims()) }) }
          }),
        }
      })
    },

    register(proof, typed) {
      // What the provider vouches for nobody can type over.
      const traits = mergeTraits(mergeTyped(proof.suggested, typed), proof.asserted)
      const open = withoutAsserted(traits, proof.asserted)
      const problems = schema.validate(traits)
      if (problems.length > 0) return { problems, values: open }

      const identifiers = schema.identifiers(traits)
      const proven = onlyProvenIdentifiers ? schema.identifiers(proof.asserted) : identifiers
      if (identifiers.some(identifier => !proven.includes(identifier))) {
        return { problems: [{ code: 'identifier_not_proven', params: { provider: proof.provider } }], values: open }
      }
      return { values: open, identity: async () => newIdentity(proof, traits, identifiers) }
    },
  }

  function findProvider(id: string): Provider {
    const provider = providers.get(id)
    if (provider !== undefined) return provider
    throw new GatewayError('unknown_resource', { reason: `OpenID Connect Provider ${JSON.stringify(id.slice(0, 64))} is unknown or has not been configured` })
  }

  /** A provider's failure is something to show in the form: everything else still works. */
  async function told<Outcome>(provider: string, ask: () => Promise<Outcome>): Promise<Outcome | Refused> {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      onFailure(provider, error.message)
      return { problems: [error.problem], values: {} }
    }
  }

  /** A value that this site can not accept is no more than a suggestion, or nobody could ever mend it. */
  function usable(proof: ProviderProof): ProviderProof {
    let { asserted, suggested } = proof
    for (const { field } of schema.validate(mergeTraits(suggested, asserted))) {
      if (field === undefined) continue
      const { rest, removed } = withoutTrait(asserted, field)
      asserted = rest
      suggested = mergeTraits(suggested, removed)
    }
    return { ...proof, asserted, suggested }
  }
}

/** Only the browser that left with this state finds the attempt (security O1). */
function attemptKey(state: string, csrfCookie: string): string {
  return createHash('sha256').update(`${state}\0${csrfCookie}`).digest('base64url')
}

/** Form values of the traits that a person may still change. */
function withoutAsserted(traits: JsonObject, asserted: JsonObject): { [field: string]: JsonValue } {
  const fixed = new Set(flattenTraits(asserted).map(([name]) => name))
  return Object.fromEntries(flattenTraits(traits).filter(([name]) => !fixed.has(name)).map(([name, value]) => [`traits.${name}`, value]))
}

/** Its identifiers are its own from now on, though nobody can log in with them as long as there is no password. */
function newIdentity({ provider, subject }: ProviderProof, traits: JsonObject, identifiers: readonly string[]): Identity {
  const at = Date.now()
  return {
    id: randomUUID(), schemaId: 'default', traits,
    credentials: {
      oidc: { identifiers: [oidcIdentifier(provider, subject)] },
      ...identifiers.length === 0 ? {} : { password: { identifiers } },
    },
    createdAt: at, updatedAt: at, version: 1,
  }
}

/** How a subject of a provider is named among identifiers. A provider's id holds no colon, so no two subjects share a name. */
export function oidcIdentifier(provider: string, subject: string): string {
  return `${provider}:${subject}`
}
