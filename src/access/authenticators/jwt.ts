/** The authenticator `jwt`: believes tokens that are signed with a key of a published set. No service is asked per request. */
import { compactVerify, decodeProtectedHeader } from 'jose'
import type { FromSchema } from 'json-schema-to-ts'

import { durationMs } from '../../config/duration.js'
import { GatewayError } from '../../errors.js'
import type { JsonObject } from '../../store/records.js'
import { ConfigMistake } from '../config-mistake.js'
import { signingAlgorithms } from '../jwks.js'
import type { KeySets } from '../key-sets.js'
import type { Authenticate, Handler } from '../pipeline.js'
import { parseJsonObject } from '../remote-json.js'
import { compileTokenCheck, scopeList, textList, tokenCheckProperties } from '../token-checks.js'
import { compileTokenFrom, tokenFromSchema } from '../token-from.js'

const duration = { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$' } as const

const config = {
  type: 'object', additionalProperties: false, required: ['jwks_urls'],
  properties: {
    jwks_urls: { type: 'array', minItems: 1, items: { type: 'string', format: 'uri' }, description: 'Key sets that tokens are verified with: `https://`, `http://` or `file://`.' },
    jwks_ttl: { ...duration, default: '30s', description: 'After this time the key sets are read again.' },
    jwks_max_wait: { ...duration, default: '1s', description: 'How long requests wait for that before the old keys are used.' },
    allowed_algorithms: { type: 'array', minItems: 1, items: { enum: signingAlgorithms }, default: ['RS256'], description: 'Algorithms that tokens may be signed with.' },
    token_from: tokenFromSchema,
    ...tokenCheckProperties,
  },
} as const

type Options = FromSchema<typeof config>

/** Responsible for whatever has three parts between dots. Everything that is wrong with such a token is 401 (contract 2.1.4). */
export const jwt: Handler<Authenticate> = {
  name: 'jwt',
  config,
  optIn: true,
  create(options: Options, { keySets }) {
    for (const url of options.jwks_urls) checkLocation(url)
    if (options.scope_strategy === 'none' && options.required_scope.length > 0) {
      throw new ConfigMistake(['required_scope'], 'required_scope needs a scope_strategy: with none, no token would be accepted')
    }
    const tokenIn = compileTokenFrom(options.token_from)
    const problemOf = compileTokenCheck(options)
    const verify = verifier(options, keySets)

    return async session => {
      const token = tokenIn(session.match.request)
      if (token?.split('.').length !== 3) return undefined

      const claims = withScopes(await verify(token))
      const { aud, iss, sub, scp } = claims
      const facts = { audience: textList(aud), issuer: typeof iss === 'string' ? iss : undefined, scopes: textList(scp) }
      const problem = timeProblem(claims, Date.now() / 1000) ?? problemOf(facts)
      if (problem !== undefined) throw refusal(token, problem)
      return { ...session, subject: typeof sub === 'string' ? sub : '', extra: claims }
    }
  },
}

function checkLocation(url: string): void {
  if (/^(?:https?|file):\/\//.test(url)) return
  throw new ConfigMistake(['jwks_urls'], `the scheme of ${url} is not supported; it can be https, http or file`)
}

/** Checks the signature; only the key sets of the configuration count, whatever keys the token itself offers (security O2). */
function verifier(options: Options, keySets: KeySets): (token: string) => Promise<JsonObject> {
  const freshness = { ttlMs: durationMs(options.jwks_ttl), maxWaitMs: durationMs(options.jwks_max_wait) }
  const algorithms = [...options.allowed_algorithms]

  return async token => {
    try {
      const { kid, alg } = decodeProtectedHeader(token)
      if (typeof kid !== 'string' || kid === '') throw new Error('it names no key')
      if (!(algorithms as readonly unknown[]).includes(alg)) throw new Error('its algorithm is not allowed')
      const key = await keySets.findVerifyingKey({ ...freshness, locations: options.jwks_urls, kid, alg: alg as string })
      if (key === undefined) throw new Error('no key set has its key')
      const { payload } = await compactVerify(token, key, { algorithms })
      const claims = parseJsonObject(Buffer.from(payload))
      if (claims === undefined) throw new Error('its claims are no JSON object')
      return claims
    } catch (cause) {
      throw refusal(token, 'The token could not be verified', cause)
    }
  }
}

/** Clocks may differ by a minute when a token is new (security X15); a token that is over is over. */
function timeProblem({ exp, nbf, iat }: JsonObject, now: number): string | undefined {
  if (exp !== undefined && (typeof exp !== 'number' || exp <= now)) return 'The token is expired'
  if (nbf !== undefined && (typeof nbf !== 'number' || nbf > now + 60)) return 'The token is not valid yet'
  if (iat !== undefined && (typeof iat !== 'number' || iat > now + 60)) return 'The token was issued in the future'
  return undefined
}

/** The claims with their scopes in `scp`, always as a list, whichever of three claims they came in. */
function withScopes(claims: JsonObject): JsonObject {
  const { scp, scope, scopes, ...rest } = claims
  return { ...rest, scp: scopeList(scp ?? scope ?? scopes) }
}

function refusal(token: string, reason: string, cause?: unknown): GatewayError {
  const claims = parseJsonObject(Buffer.from(token.split('.')[1] ?? '', 'base64url'))
  return new GatewayError('unauthorized', {
    reason,
    detail: cause instanceof Error ? `${reason}: ${cause.message}` : undefined,
    details: claims === undefined ? undefined : { jwt_claims: JSON.stringify(claims) },
    cause,
  })
}
