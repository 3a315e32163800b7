/** The authenticator `oauth2_client_credentials`: believes clients whose id and secret an OAuth 2.0 server accepts. */
import type { FromSchema } from 'json-schema-to-ts'

import { durationMs } from '../../config/duration.js'
import { GatewayError, type ErrorCode } from '../../errors.js'
import { readIssuedToken, requestToken, type ClientCredentials } from '../client-credentials.js'
import type { OutgoingAnswer } from '../outgoing.js'
import type { Authenticate, Handler } from '../pipeline.js'
import { answerOr, refuseRateLimited } from '../remote-failure.js'
import { retrySchema } from '../retry.js'

const config = {
  type: 'object', additionalProperties: false, required: ['token_url'],
  properties: {
    token_url: { type: 'string', format: 'uri', description: 'Token endpoint that the credentials are tried at.' },
    required_scope: { type: 'array', items: { type: 'string' }, default: [], description: 'Scopes that are asked for.' },
    retry: { ...retrySchema, description: 'Accepted for compatibility; has no effect.' },
    cache: {
      type: 'object', additionalProperties: false, default: {},
      properties: {
        enabled: { type: 'boolean', default: false, description: 'Whether accepted credentials are remembered.' },
        ttl: { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$', description: 'For how long, at most; never longer than the token is good for. Default: as long as that, or a minute when the server does not say.' },
        max_tokens: { type: 'integer', minimum: 0, description: 'Accepted for compatibility; all caches share one bound.' },
      },
    },
  },
} as const

/** Responsible for HTTP Basic credentials. The subject is the client's id (contract 2.1.6). */
export const oauth2ClientCredentials: Handler<Authenticate> = {
  name: 'oauth2_client_credentials',
  config,
  optIn: true,
  create({ token_url: tokenUrl, required_scope: scopes, cache }: FromSchema<typeof config>, { fetchBounded, responses }) {
    const ttlMs = cache.ttl === undefined ? undefined : durationMs(cache.ttl)

    return async session => {
      const client = basicCredentials(session.match.request.headers.authorization)
      if (client === undefined) return undefined

      const question = ['oauth2_client_credentials', tokenUrl, scopes, client.id, client.secret] as const
      if (cache.enabled && responses.get(question) !== undefined) return { ...session, subject: client.id }

      const lifespanMs = await accept({ ...client, tokenUrl, scopes })
      if (cache.enabled) responses.set(question, true, Math.min(lifespanMs ?? ttlMs ?? 60_000, ttlMs ?? Infinity))
      return { ...session, subject: client.id }
    }

    async function accept(credentials: ClientCredentials): Promise<number | undefined> {
      const answer = await answerOr('service_unavailable', requestToken(credentials, fetchBounded))
      refuseRateLimited(answer)
      refuseFailed(answer, tokenUrl)
      return readIssuedToken(answer).lifespanMs
    }
  },
}

/** Id and secret of an `Authorization: Basic` field (RFC 7617), form-decoded (RFC 6749 2.3.1). */
function basicCredentials(authorization: string | undefined): { readonly id: string, readonly secret: string } | undefined {
  const encoded = /^basic +([A-Za-z0-9+/_-]+=*)$/i.exec(authorization ?? '')?.[1]
  if (encoded === undefined) return undefined
  const [, id, secret] = /^([^:]*):([^]*)$/.exec(Buffer.from(encoded, 'base64').toString()) ?? []
  return id === undefined || secret === undefined ? undefined : { id: formDecoded(id), secret: formDecoded(secret) }
}

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new GatewayError('unauthorized', { reason: 'The client id and secret must be form-encoded' })
  }
}

const failures: ReadonlyMap<number, ErrorCode> = new Map([
  [404, 'not_found'], [500, 'internal_error'], [503, 'service_unavailable'], [504, 'upstream_timeout'],
])

function refuseFailed({ status }: OutgoingAnswer, tokenUrl: string): void {
  if (status === 200) return
  throw new GatewayError(failures.get(status) ?? 'unauthorized', { detail: `${tokenUrl} answered ${status}` })
}
