/** GitHub: OAuth 2, and an API that says who somebody is (contract 5.3). */
import {
  authorizationCodeGrant, buildAuthorizationUrl, allowInsecureRequests, Configuration, customFetch, fetchProtectedResource,
} from 'openid-client'

import type { JsonObject, JsonValue } from '../../../store/records.js'
import { claimNamed } from './claims.js'
import { startDeadline } from './deadline.js'
import { clientAuthentication } from './discovery.js'
import { exchangeFailure, ProviderFailure, unavailable, untrusted } from './failures.js'
import { isLoopbackHost } from './private-address.js'
import { createProviderFetch, exchangeTimeoutMs } from './provider-fetch.js'
import type { Provider } from './provider.js'
import type { GithubSettings } from './settings.js'

/** GitHub has no documents about itself for this: its three URLs are settings, with github.com's as defaults. */
export function createGithubProvider(settings: GithubSettings): Provider {
  const { id, mapping, scope, clientId, clientSecret, authUrl, tokenUrl, apiUrl } = settings
  const urls = [authUrl, tokenUrl, apiUrl]
  const server = { issuer: 'https://github.com/login/oauth', authorization_endpoint: authUrl.href, token_endpoint: tokenUrl.href }
  // GitHub reads a secret from the form whatever it lists, and lists nothing.
  const metadata = { ...server, token_endpoint_auth_methods_supported: ['client_secret_post'] }
  const configuration = new Configuration(metadata, clientId, undefined, clientAuthentication(clientSecret))
  configuration[customFetch] = createProviderFetch(new Set(urls.map(({ hostname }) => hostname)))
  configuration.timeout = exchangeTimeoutMs / 1000
  if (urls.every(({ hostname }) => isLoopbackHost(hostname))) allowInsecureRequests(configuration)

  return {
    id,
    mapping,
    authorizationUrl: async ({ state, codeChallenge, redirectUri }) => buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri, scope: scope.join(' '), state, code_challenge: codeChallenge, code_challenge_method: 'S256',
    }),

    async prove({ url, state, codeVerifier }) {
      const inTime = startDeadline(exchangeTimeoutMs)
      try {
        const tokens = await inTime(authorizationCodeGrant(configuration, url, { expectedState: state, pkceCodeVerifier: codeVerifier }))
        const granted = (tokens.scope ?? '').split(/[\s,]+/)
        if (!scope.every(wanted => isGranted(wanted, granted))) throw new ProviderFailure({ code: 'provider_scope' }, `granted "${tokens.scope ?? ''}"`)

        const user = await inTime(ask('user', tokens.access_token)) as JsonObject
        const subject = claimNamed(user, 'id')
        if (typeof subject !== 'number' || !Number.isSafeInteger(subject)) throw untrusted(id, 'the user has no numeric id')
        return { subject: String(subject), claims: () => inTime(claimsOf(user, granted, tokens.access_token)).catch(failed) }
      } catch (error) {
        throw exchangeFailure(id, error)
      }
    },
  }

  function failed(error: unknown): never {
    throw unavailable(id, error)
  }

  async function claimsOf(user: JsonObject, granted: readonly string[], accessToken: string): Promise<JsonObject> {
    const wantsEmail = mapping.claimNames.has('email') && isGranted('user:email', granted)
    return { ...userClaims(user), ...wantsEmail ? emailClaims(await ask('user/emails', accessToken)) : {} }
  }

  function userClaims(user: JsonObject): JsonObject {
    const renamed: Readonly<Record<string, string>> = { name: 'name', preferred_username: 'login', website: 'blog', picture: 'avatar_url', profile: 'html_url' }
    const texts = Object.entries(renamed).flatMap(([claim, member]) => {
      const value = claimNamed(user, member)
      return typeof value === 'string' && value !== '' ? [[claim, value]] : []
    })
    const updatedAt = Date.parse(String(claimNamed(user, 'updated_at')))
    return {
      iss: tokenUrl.href, sub: String(claimNamed(user, 'id')), ...Object.fromEntries(texts) as JsonObject,
      ...Number.isNaN(updatedAt) ? {} : { updated_at: Math.floor(updatedAt / 1000) },
    }
  }

  async function ask(path: string, accessToken: string): Promise<JsonValue> {
    const resource = new URL(path, apiUrl.href.endsWith('/') ? apiUrl : `${apiUrl.href}/`)
    const headers = new Headers({ accept: 'application/vnd.github+json', 'user-agent': 'oathgate' })
    const answer = await fetchProtectedResource(configuration, accessToken, resource, 'GET', undefined, headers)
    if (answer.status !== 200) throw new Error(`/${path} answered ${answer.status}`)
    const document = await answer.json() as JsonValue
    if (typeof document !== 'object' || document === null) throw new Error(`/${path} did not answer a document`)
    return document
  }
}

/** A scope without its last part (`user`) includes those that have one (`user:email`). */
function isGranted(scope: string, granted: readonly string[]): boolean {
  return granted.includes(scope) || granted.includes(scope.replace(/:.*/, '')) || (scope.startsWith('read:') && granted.includes(scope.slice(5)))
}

/** The primary address. */
function emailClaims(emails: JsonValue): JsonObject {
  const primary = Array.isArray(emails) ? (emails as JsonObject[]).find(entry => entry?.['primary'] === true) : undefined
  const email = primary?.['email']
  return typeof email === 'string' ? { email, email_verified: primary?.['verified'] === true } : {}
}
