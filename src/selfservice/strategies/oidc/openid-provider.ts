/** A provider that speaks OpenID Connect: the authorization code flow with PKCE and a nonce, and an ID token that is verified. */
import { compactVerify, createRemoteJWKSet, customFetch } from 'jose'
import {
  authorizationCodeGrant, buildAuthorizationUrl, fetchUserInfo, type Configuration, type IDToken, type TokenEndpointResponse,
  type TokenEndpointResponseHelpers,
} from 'openid-client'

import type { JsonObject } from '../../../store/records.js'
import { startDeadline } from './deadline.js'
import { clockToleranceSeconds, createDiscovery } from './discovery.js'
import { exchangeFailure, unavailable, untrusted } from './failures.js'
import { createProviderFetch, exchangeTimeoutMs, type ProviderFetch } from './provider-fetch.js'
import { subjectLimit, type Provider } from './provider.js'
import type { OpenidSettings } from './settings.js'

/** Asymmetric ones only: with a shared secret, whoever knows the public key or the secret could sign (security O2). */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'Ed25519', 'EdDSA']

const jwksCooldownMs = 30_000
const jwksFreshMs = 600_000

/** Asks nobody until somebody wants to sign in. `onFailure` learns what went wrong without anybody being told. */
export function createOpenidProvider(settings: OpenidSettings, onFailure: (detail: string) => void): Provider {
  const { id, mapping, issuer, scope, responseMode } = settings
  const namedHosts = new Set([issuer.hostname])
  const fetch = createProviderFetch(namedHosts)
  const configure = createDiscovery({ ...settings, provider: id, fetch, namedHosts })
  const verifySignature = createSignatureCheck(fetch)

  return {
    id,
    mapping,
    async authorizationUrl({ state, nonce, codeChallenge, redirectUri }) {
      const configuration = await startDeadline(exchangeTimeoutMs)(configure()).catch((error: unknown) => { throw failure(error) })
      return buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri, scope: scope.join(' '), state, nonce, code_challenge: codeChallenge, code_challenge_method: 'S256',
        ...responseMode === undefined ? {} : { response_mode: responseMode },
      })
    },

    async prove({ url, state, nonce, codeVerifier }) {
      const inTime = startDeadline(exchangeTimeoutMs)
      try {
        const configuration = await inTime(configure())
        const tokens = await inTime(authorizationCodeGrant(configuration, url, {
          expectedState: state, expectedNonce: nonce, pkceCodeVerifier: codeVerifier, idTokenExpected: true,
        }))
        await inTime(verifySignature(configuration, tokens.id_token as string))
        const claims = checkedClaims(tokens)
        return { subject: claims.sub, claims: () => inTime(completeClaims(claims, configuration, tokens)).catch(reported(claims)) }
      } catch (error) {
        throw failure(error)
      }
    },
  }

  /** What only the operator can mend stays what it is. */
  function failure(error: unknown): unknown {
    return error instanceof Error && error.name === 'GatewayError' ? error : exchangeFailure(id, error)
  }

  function checkedClaims(tokens: TokenEndpointResponse & TokenEndpointResponseHelpers): IDToken {
    const claims = tokens.claims() as IDToken
    if (claims.iat > Date.now() / 1000 + clockToleranceSeconds) throw untrusted(id, 'the ID token was issued in the future')
    if (claims.sub === '' || claims.sub.length > subjectLimit) throw untrusted(id, `the subject has ${claims.sub.length} characters`)
    return claims
  }

  /** Asks the userinfo endpoint for what a trait needs and the ID token does not have. */
  async function completeClaims(claims: IDToken, configuration: Configuration, tokens: TokenEndpointResponse): Promise<JsonObject> {
    const missing = [...mapping.claimNames].some(name => !Object.hasOwn(claims, name))
    if (!missing || configuration.serverMetadata().userinfo_endpoint === undefined) return claims as JsonObject
    const more = await fetchUserInfo(configuration, tokens.access_token, claims.sub)
    return { ...more, ...claims } as JsonObject
  }

  /** Who it is has been proved; what else there is to know the person can say. */
  function reported(claims: IDToken): (error: unknown) => JsonObject {
    return error => {
      onFailure(`userinfo: ${unavailable(id, error).message}`)
      return claims as JsonObject
    }
  }

  function createSignatureCheck(fetch: ProviderFetch): (configuration: Configuration, idToken: string) => Promise<void> {
    let keys: { readonly url: string, readonly find: ReturnType<typeof createRemoteJWKSet>, readonly madeAt: number } | undefined

    return async (configuration, idToken) => {
      const { jwks_uri: url = '', id_token_signing_alg_values_supported: supported = algorithms } = configuration.serverMetadata()
      // Its own limits go by a clock that somebody may set back.
      if (keys?.url !== url || performance.now() > keys.madeAt + jwksFreshMs) {
        // An unknown key makes it ask once more, but not again and again (security O11).
        const find = createRemoteJWKSet(new URL(url), {
          [customFetch]: fetch, timeoutDuration: exchangeTimeoutMs, cooldownDuration: jwksCooldownMs, cacheMaxAge: jwksFreshMs,
        })
        keys = { url, find, madeAt: performance.now() }
      }
      try {
        await compactVerify(idToken, keys.find, { algorithms: algorithms.filter(name => supported.includes(name)) })
      } catch (error) {
        throw signatureFailure(error)
      }
    }
  }

  /** Keys that can't be had are the provider's trouble; a token that they do not fit is forged. */
  function signatureFailure(error: unknown): Error {
    const { code = '', message } = error as Error & { code?: string }
    const forged = ['ERR_JWS_SIGNATURE_VERIFICATION_FAILED', 'ERR_JWKS_NO_MATCHING_KEY', 'ERR_JWKS_MULTIPLE_MATCHING_KEYS', 'ERR_JOSE_ALG_NOT_ALLOWED',
      'ERR_JOSE_NOT_SUPPORTED', 'ERR_JWS_INVALID']
    return forged.includes(code) ? untrusted(id, `ID token: ${message}`) : unavailable(id, error)
  }
}
