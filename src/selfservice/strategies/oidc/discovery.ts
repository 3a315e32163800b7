/** What a provider says about itself: asked for when it is first needed, kept, and asked for again with patience (security O5, O10). */
import {
  allowInsecureRequests, ClientError, ClientSecretBasic, ClientSecretPost, clockTolerance, customFetch, discovery, None,
  type ClientAuth, type Configuration, type ServerMetadata,
} from 'openid-client'

import { GatewayError } from '../../../errors.js'
import { unavailable } from './failures.js'
import { isLoopbackHost } from './private-address.js'
import { endpointMistake, exchangeTimeoutMs, type ProviderFetch } from './provider-fetch.js'

export interface DiscoveryOptions {
  readonly provider: string
  readonly issuer: URL
  readonly clientId: string
  /** Absent for a public client. */
  readonly clientSecret: string | undefined
  readonly fetch: ProviderFetch
  /** Hosts that the operator has named. */
  readonly namedHosts: ReadonlySet<string>
}

/** Clocks of provider and gateway may differ by this many seconds (security O13). */
export const clockToleranceSeconds = 60

const freshMs = 3_600_000
const firstPauseMs = 1_000
const longestPauseMs = 60_000

/**
 * A function that answers the provider's configuration. Rejects with `ProviderFailure` when the provider does not
 * answer (then at once for a while, longer each time), with `GatewayError('internal_error')` when it is not who the
 * operator says or sends people where they must not go.
 */
export function createDiscovery(options: DiscoveryOptions): () => Promise<Configuration> {
  let known: { readonly configuration: Configuration, readonly until: number } | undefined
  let failed: { readonly error: unknown, readonly until: number, readonly pauseMs: number } | undefined
  let asking: Promise<Configuration> | undefined

  return async () => {
    if (known !== undefined && performance.now() < known.until) return known.configuration
    if (failed !== undefined && performance.now() < failed.until) {
      // What was true an hour ago most likely still is.
      if (known !== undefined) return known.configuration
      throw failed.error
    }
    return asking ??= ask().finally(() => { asking = undefined })
  }

  async function ask(): Promise<Configuration> {
    try {
      const configuration = await discover(options)
      known = { configuration, until: performance.now() + freshMs }
      failed = undefined
      return configuration
    } catch (error) {
      const pauseMs = Math.min(failed === undefined ? firstPauseMs : 2 * failed.pauseMs, longestPauseMs)
      failed = { error, until: performance.now() + pauseMs, pauseMs }
      if (known !== undefined) return known.configuration
      throw error
    }
  }
}

/** How the gateway proves itself to a token endpoint: in the way that the provider lists, Basic when it lists none (OpenID Connect Core 9). */
export function clientAuthentication(secret: string | undefined): ClientAuth {
  if (secret === undefined) return None()
  const [post, basic] = [ClientSecretPost(secret), ClientSecretBasic(secret)]
  return (as, client, body, headers) => {
    const methods = as.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
    const authenticate = methods.includes('client_secret_basic') ? basic : post
    authenticate(as, client, body, headers)
  }
}

async function discover({ provider, issuer, clientId, clientSecret, fetch, namedHosts }: DiscoveryOptions): Promise<Configuration> {
  const configuration = await discovery(issuer, clientId, { [clockTolerance]: clockToleranceSeconds }, clientAuthentication(clientSecret), {
    [customFetch]: fetch,
    timeout: exchangeTimeoutMs / 1000,
    // Plain http crosses no network there; the fetch refuses it everywhere else.
    execute: isLoopbackHost(issuer.hostname) ? [allowInsecureRequests] : [],
  }).catch((error: unknown) => {
    if (error instanceof ClientError && error.code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') {
      throw misconfigured(provider, 'issuer did not match the issuer returned by provider')
    }
    throw unavailable(provider, error)
  })
  const mistake = metadataMistake(configuration.serverMetadata(), namedHosts)
  if (mistake !== undefined) throw misconfigured(provider, mistake)
  return configuration
}

function metadataMistake(metadata: ServerMetadata, namedHosts: ReadonlySet<string>): string | undefined {
  const { userinfo_endpoint: userinfo } = metadata
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri', ...userinfo === undefined ? [] : ['userinfo_endpoint']]) {
    const value = metadata[name]
    if (typeof value !== 'string' || !URL.canParse(value)) return `its ${name} is missing`
    const mistake = endpointMistake(new URL(value), namedHosts)
    if (mistake !== undefined) return `its ${name} can not be used: ${mistake}`
  }
  return undefined
}

function misconfigured(provider: string, what: string): GatewayError {
  return new GatewayError('internal_error', {
    reason: `Unable to initialize OpenID Connect Provider: ${what}`, detail: `provider ${provider}: ${what}`,
  })
}
