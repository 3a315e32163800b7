/** The authenticator `oauth2_introspection`: asks the server that issued a token what it is worth (RFC 7662). */
import type { FromSchema } from 'json-schema-to-ts'

import { durationMs } from '../../config/duration.js'
import { GatewayError } from '../../errors.js'
import type { AccessRequest } from '../../http/access-request.js'
import type { JsonObject } from '../../store/records.js'
import { ConfigMistake } from '../config-mistake.js'
import { settableName } from '../header-names.js'
import { isJsonObject } from '../json.js'
import type { Authenticate, Handler } from '../pipeline.js'
import { compilePreAuthorization, preAuthorizationSchema } from '../pre-authorization.js'
import type { RemoteAccess } from '../remote-access.js'
import { answerOr, refuseRateLimited } from '../remote-failure.js'
import { parseJsonObject } from '../remote-json.js'
import { retrySchema } from '../retry.js'
import { compileTokenCheck, scopeList, textList, tokenCheckProperties } from '../token-checks.js'
import { compileTokenFrom, tokenFromSchema } from '../token-from.js'

const config = {
  type: 'object', additionalProperties: false, required: ['introspection_url'],
  properties: {
    introspection_url: { type: 'string', format: 'uri', description: 'The introspection endpoint.' },
    introspection_request_headers: { type: 'object', additionalProperties: { type: 'string' }, default: {}, description: 'Header fields that are set on the question.' },
    preserve_host: { type: 'boolean', default: false, description: 'Whether the endpoint gets the request\'s host as `X-Forwarded-Host`.' },
    pre_authorization: preAuthorizationSchema,
    token_from: tokenFromSchema,
    prefix: { type: 'string', default: '', description: 'What the token must begin with; other tokens are left to the next authenticator.' },
    ...tokenCheckProperties,
    retry: { ...retrySchema, description: 'Accepted for compatibility; has no effect.' },
    cache: {
      type: 'object', additionalProperties: false, default: {},
      properties: {
        enabled: { type: 'boolean', default: false, description: 'Whether answers about active tokens are remembered. They are not while the server is the one that compares scopes.' },
        ttl: { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$', default: '1m', description: 'For how long; a token that was revoked may pass for as long as that.' },
        max_cost: { type: 'integer', minimum: 0, description: 'Accepted for compatibility; all caches share one bound.' },
      },
    },
  },
} as const

type Options = FromSchema<typeof config>

/** Responsible when there is a token with the prefix. What the rule asks of it is checked anew for every request (security H14). */
export const oauth2Introspection: Handler<Authenticate> = {
  name: 'oauth2_introspection',
  config,
  optIn: true,
  create(options: Options, services) {
    const tokenIn = compileTokenFrom(options.token_from)
    const introspect = introspector(options, services)
    const problemOf = compileTokenCheck(options)

    return async session => {
      const { request } = session.match
      const token = tokenIn(request)
      if (token === undefined || !token.startsWith(options.prefix)) return undefined

      const facts = await introspect(token, request)
      refuseUnlessActive(facts)
      const problem = problemOf({ audience: textList(facts['aud']), issuer: textOf(facts['iss']), scopes: scopeList(facts['scope']) })
      if (problem !== undefined) throw new GatewayError('forbidden', { reason: problem })
      return { ...session, subject: textOf(facts['sub']), extra: extraOf(facts) }
    }
  },
}

/** Asks, or remembers. Without a scope strategy the server is told the required scopes, and judges them itself. */
function introspector(options: Options, remote: RemoteAccess): (token: string, request: AccessRequest) => Promise<JsonObject> {
  const { introspection_url: url, required_scope: required, cache } = options
  if (!/^https?:/.test(url)) throw new ConfigMistake(['introspection_url'], 'introspection_url must be http or https')
  const scope = options.scope_strategy === 'none' && required.length > 0 ? required.join(' ') : undefined
  const fixed = Object.fromEntries(Object.entries(options.introspection_request_headers)
    .map(([name, value]) => [settableName(name, ['introspection_request_headers', name]), value]))
  const authorize = compilePreAuthorization(options.pre_authorization, remote)
  const ttlMs = cache.enabled && scope === undefined ? durationMs(cache.ttl) : 0

  return async (token, request) => {
    const headers: Record<string, string> = { ...fixed, 'content-type': 'application/x-www-form-urlencoded' }
    if (options.preserve_host) headers['x-forwarded-host'] = request.host
    const question = ['oauth2_introspection', url, token, headers, options.pre_authorization as JsonObject] as const
    const known = ttlMs > 0 ? remote.responses.get(question) : undefined
    if (isJsonObject(known)) return known

    const form = new URLSearchParams({ token })
    if (scope !== undefined) form.set('scope', scope)
    const authorization = authorize === undefined ? {} : { authorization: `Bearer ${await authorize()}` }
    const facts = await ask({ ...headers, ...authorization }, form.toString())
    if (facts['active'] === true) remote.responses.set(question, facts, ttlMs)
    return facts
  }

  async function ask(headers: Record<string, string>, body: string): Promise<JsonObject> {
    const answer = await answerOr('internal_error', remote.fetchBounded({ url, method: 'POST', headers, body, timeoutMs: 5_000 }))
    refuseRateLimited(answer)
    const facts = answer.status === 200 ? parseJsonObject(answer.body) : undefined
    if (facts === undefined) {
      const what = answer.status === 200 ? 'with no JSON object' : String(answer.status)
      throw new GatewayError('internal_error', { detail: `Introspection of ${url} answered ${what}` })
    }
    return facts
  }
}

function refuseUnlessActive(facts: JsonObject): void {
  const use = facts['token_use']
  if (use !== undefined && use !== '' && use !== 'access_token') {
    throw new GatewayError('forbidden', { reason: 'Use of introspected token is not an access token' })
  }
  if (facts['active'] !== true) throw new GatewayError('unauthorized', { reason: 'Access token is not active' })
  const { exp } = facts
  if (typeof exp === 'number' && exp > 0 && exp * 1000 < Date.now()) {
    throw new GatewayError('unauthorized', { reason: 'Access token expired' })
  }
}

function extraOf(facts: JsonObject): JsonObject {
  const { ext, aud } = facts
  const audience = textList(aud)
  return {
    ...isJsonObject(ext) ? ext : {},
    username: textOf(facts['username']),
    client_id: textOf(facts['client_id']),
    scope: textOf(facts['scope']),
    ...audience.length > 0 ? { aud: audience } : {},
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
