/** The mutator `hydrator`: lets another service say more about who is asking. */
import type { FromSchema } from 'json-schema-to-ts'

import { durationMs } from '../../config/duration.js'
import { GatewayError } from '../../errors.js'
import type { JsonObject } from '../../store/records.js'
import { settableName } from '../header-names.js'
import { isJsonObject } from '../json.js'
import type { OutgoingAnswer, OutgoingRequest } from '../outgoing.js'
import { endToEndHeaders } from '../passed-headers.js'
import type { AuthenticationSession, Handler, Mutator } from '../pipeline.js'
import { httpUrl } from '../remote-authorization.js'
import { answerOr } from '../remote-failure.js'
import { parseJsonObject } from '../remote-json.js'
import { fetchWithRetry, retrySchema } from '../retry.js'
import { readSessionDocument, sessionDocument } from '../session-document.js'

const duration = { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$' } as const

const config = {
  type: 'object', additionalProperties: false, required: ['api'],
  properties: {
    api: {
      type: 'object', additionalProperties: false, required: ['url'], description: 'The service.',
      properties: {
        url: { type: 'string', format: 'uri', description: 'Gets the session as JSON with a POST, with the request\'s header fields and query, and answers with the session as it shall be.' },
        auth: {
          type: 'object', additionalProperties: false, required: ['basic'], description: 'How the gateway proves itself.',
          properties: {
            basic: {
              type: 'object', additionalProperties: false, required: ['username', 'password'],
              properties: { username: { type: 'string', description: 'User name.' }, password: { type: 'string', description: 'Password.' } },
            },
          },
        },
        retry: { ...retrySchema, description: 'How the service is asked again when it can\'t be reached, is busy or fails. Default: not at all.' },
        timeout: { ...duration, default: '5s', description: 'How long one try may take.' },
      },
    },
    headers: {
      type: 'array', items: { type: 'string' },
      description: 'Names of the header fields that the service sets. No client\'s own field of such a name reaches any upstream, and of the answer only these are taken, beside those that were set before. Without it any field is taken, and on routes that are not hydrated a client can send it itself.',
    },
    cache: {
      type: 'object', additionalProperties: false, default: {}, description: 'Whether answers are remembered for the same session, header fields and query.',
      properties: {
        enabled: { type: 'boolean', default: false, description: 'Whether they are.' },
        ttl: { ...duration, default: '1m', description: 'For how long.' },
      },
    },
  },
} as const

type Options = FromSchema<typeof config>

/** The answer's `extra` and `header` replace the session's; the subject must stay. Every failure is 500 (contract 2.3). */
export const hydrator: Handler<Mutator> = {
  name: 'hydrator',
  config,
  optIn: true,
  create({ api, cache, headers }: Options, { fetchBounded, responses }) {
    const request = requestMaker(api)
    const sets = headers?.map((name, at) => settableName(name, ['headers', at]))
    const ttlMs = cache.enabled ? durationMs(cache.ttl) : 0
    const { retry } = api

    return {
      sets: sets ?? [],
      ...(sets === undefined && { warning: undeclared }),
      async mutate(session) {
        const asked = request(session)
        const question = ['hydrator', asked.url, asked.headers, asked.body] as const
        const known = ttlMs > 0 ? responses.get(question) : undefined
        if (isJsonObject(known)) return replaced(session, known, sets)

        const answering = retry === undefined ? fetchBounded(asked) : fetchWithRetry(fetchBounded, asked, retry)
        const document = readAnswer(await answerOr('internal_error', answering), api.auth !== undefined)
        const hydrated = replaced(session, document, sets)
        responses.set(question, document, ttlMs)
        return hydrated
      },
    }
  },
}

function requestMaker(api: Options['api']): (session: AuthenticationSession) => OutgoingRequest & { readonly body: string } {
  const url = httpUrl(api.url, ['api', 'url'])
  const withoutQuery = url.replace(/\?.*$/, '')
  const timeoutMs = durationMs(api.timeout)
  const { username, password } = api.auth?.basic ?? {}
  const own: Record<string, string> = { 'content-type': 'application/json' }
  if (username !== undefined) own['authorization'] = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

  return session => {
    const { request } = session.match
    // Without it the answer comes as it is: nothing here decompresses.
    const { 'accept-encoding': _, ...headers } = endToEndHeaders(request)
    return {
      url: request.query === '' ? url : withoutQuery + request.query,
      method: 'POST',
      headers: { ...headers, ...own },
      body: JSON.stringify(sessionDocument(session)),
      timeoutMs,
    }
  }
}

function readAnswer({ status, body }: OutgoingAnswer, authenticated: boolean): JsonObject {
  if (status === 401) throw failure(`${authenticated ? 'Invalid' : 'No'} credentials were provided in mutator configuration`)
  if (status !== 200) throw failure('The call to an external API returned a non-200 HTTP response')
  const document = parseJsonObject(body)
  if (document === undefined) throw failure(invalid)
  return document
}

function replaced(session: AuthenticationSession, document: JsonObject, sets: readonly string[] | undefined): AuthenticationSession {
  const hydrated = readSessionDocument(document, session)
  if (hydrated === undefined) throw failure(invalid)
  if (sets === undefined) return hydrated
  const taken = Object.entries(hydrated.header).filter(([name]) => sets.includes(name) || Object.hasOwn(session.header, name))
  return { ...hydrated, header: Object.fromEntries(taken) }
}

const undeclared = 'its hydrator may set header fields that a client can send itself on routes without one: name them in "headers", or say "headers: []"'

const invalid = 'The call to an external API returned an invalid JSON object'

function failure(reason: string): GatewayError {
  return new GatewayError('internal_error', { reason, detail: `hydrator: ${reason}` })
}
