/** The mutator `id_token`: tells the upstream who is asking in a signed token that it can verify by itself. */
import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import type { FromSchema } from 'json-schema-to-ts'

import { durationMs } from '../../config/duration.js'
import { GatewayError } from '../../errors.js'
import type { JsonObject } from '../../store/records.js'
import { ConfigMistake } from '../config-mistake.js'
import { isJsonObject } from '../json.js'
import type { ImportedSigningKey, KeySets } from '../key-sets.js'
import type { AuthenticationSession, Handler, Mutator } from '../pipeline.js'
import { parseJsonObject } from '../remote-json.js'
import { compileTemplate } from '../template/compile.js'

const config = {
  type: 'object', additionalProperties: false, required: ['issuer_url', 'jwks_url'],
  properties: {
    issuer_url: { type: 'string', format: 'uri', description: 'What the tokens say about who issued them (`iss`).' },
    jwks_url: { type: 'string', format: 'uri', description: 'Key set whose first private or symmetric key signs: `file://`, `https://` or `http://`. The public half is at `/.well-known/jwks.json`.' },
    ttl: { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$', default: '15m', description: 'How long a token is good for.' },
    claims: { type: 'string', default: '', description: 'Template of a JSON object with further claims.' },
    cache: {
      type: 'object', additionalProperties: false, default: {}, description: 'Tokens are used again until nine tenths of their time are over.',
      properties: {
        enabled: { type: 'boolean', default: true, description: 'False: a new token for every request.' },
        max_cost: { type: 'integer', minimum: 0, description: 'Accepted for compatibility; all caches share one bound.' },
      },
    },
  },
} as const

type Options = FromSchema<typeof config>

/** Sets `Authorization: Bearer <token>`. What `iss`, `sub`, `exp` and the like say is the gateway's, not the template's (contract 2.3). */
export const idToken: Handler<Mutator> = {
  name: 'id_token',
  config,
  optIn: true,
  create({ issuer_url: issuer, jwks_url: jwksUrl, ttl, claims, cache }: Options, { keySets, responses }) {
    if (!/^(?:https?|file):\/\//.test(jwksUrl)) throw new ConfigMistake(['jwks_url'], 'the scheme of jwks_url must be file, https or http')
    const render = claims === '' ? () => '{}' : ConfigMistake.at(['claims'], () => compileTemplate(claims))
    const ttlMs = durationMs(ttl)
    keySets.publish(jwksUrl)

    return {
      sets: ['authorization'],
      async mutate(session) {
        const rendered = render(session)
        const key = await signingKey(keySets, jwksUrl)
        const question = ['id_token', issuer, ttlMs, jwksUrl, key.kid, key.alg, session.subject, rendered] as const
        const known = cache.enabled ? responses.get(question) : undefined
        if (isJsonObject(known) && isOfNow(known, ttlMs)) return withToken(session, known['token'] as string)

        const token = await sign({ ...readClaims(rendered), ...reserved(issuer, session.subject, ttlMs) }, key)
        if (cache.enabled) responses.set(question, { token, signedAt: Date.now() }, ttlMs * 0.9)
        return withToken(session, token)
      },
    }
  },
}

/** Whether a token kept in memory is good by the clock as it is now: it may have been set since (security X15). */
function isOfNow({ signedAt }: JsonObject, ttlMs: number): boolean {
  const age = Date.now() - Number(signedAt)
  return age >= -1_000 && age < ttlMs
}

async function signingKey(keySets: KeySets, location: string): Promise<ImportedSigningKey> {
  try {
    return await keySets.findSigningKey(location)
  } catch (cause) {
    throw new GatewayError('internal_error', { detail: `id_token: ${(cause as Error).message}`, cause })
  }
}

function readClaims(rendered: string): JsonObject {
  const claims = parseJsonObject(rendered)
  if (claims === undefined) throw new GatewayError('internal_error', { detail: 'id_token: claims are no JSON object' })
  return claims
}

function reserved(issuer: string, subject: string, ttlMs: number): JsonObject {
  const now = Math.floor(Date.now() / 1000)
  return { iss: issuer, sub: subject, iat: now, nbf: now, exp: now + Math.ceil(ttlMs / 1000), jti: randomUUID() }
}

async function sign(claims: JsonObject, { key, alg, kid }: ImportedSigningKey): Promise<string> {
  try {
    return await new SignJWT(claims).setProtectedHeader({ alg, typ: 'JWT', ...kid === '' ? {} : { kid } }).sign(key)
  } catch (cause) {
    throw new GatewayError('internal_error', { detail: `id_token: the key can not sign ${alg}`, cause })
  }
}

function withToken(session: AuthenticationSession, token: string): AuthenticationSession {
  return { ...session, header: { ...session.header, authorization: `Bearer ${token}` } }
}
