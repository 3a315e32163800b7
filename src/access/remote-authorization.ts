/** Asking another service whether a request may pass: what the authorizers `remote` and `remote_json` have in common (contract 2.2). */
import type { FromSchema } from 'json-schema-to-ts'

import { durationMs } from '../config/duration.js'
import { GatewayError } from '../errors.js'
import { ConfigMistake } from './config-mistake.js'
import { settableName } from './header-names.js'
import { headerValue } from './mutators/header-value.js'
import type { FetchBounded, OutgoingAnswer } from './outgoing.js'
import type { AuthenticationSession } from './pipeline.js'
import { answerOr, refuseRateLimited } from './remote-failure.js'
import { fetchWithRetry, retrySchema } from './retry.js'
import { compileTemplate } from './template/compile.js'

/** The keys of both handlers' configuration. */
export const remoteAuthorizationProperties = {
  remote: { type: 'string', format: 'uri', description: 'Service that is asked with a POST: 200 lets the request pass, 403 does not, everything else fails it.' },
  headers: { type: 'object', additionalProperties: { type: 'string' }, default: {}, description: 'Templates of header fields for the service. A field whose template gives nothing is not sent.' },
  forward_response_headers_to_upstream: { type: 'array', items: { type: 'string' }, default: [], description: 'Header fields of the service\'s answer that the upstream gets, empty when the answer lacks them.' },
  retry: { ...retrySchema, default: {}, description: 'How the service is asked again when it can\'t be reached, is busy or fails.' },
  timeout: { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$', default: '5s', description: 'How long one try may take.' },
} as const

const schema = { type: 'object', additionalProperties: false, required: ['remote'], properties: remoteAuthorizationProperties } as const
export type RemoteAuthorizationOptions = FromSchema<typeof schema>

export interface RemoteAuthorization {
  /** Names, lower-case, of the fields that are taken from the answer. */
  readonly sets: readonly string[]
  /** The session with those fields, when the service lets it pass. Throws `forbidden` for 403 and `internal_error` for anything else. */
  ask(session: AuthenticationSession, headers: Readonly<Record<string, string>>, body: Buffer | string): Promise<AuthenticationSession>
}

export function compileRemoteAuthorization(options: RemoteAuthorizationOptions, fetchBounded: FetchBounded): RemoteAuthorization {
  const url = httpUrl(options.remote, ['remote'])
  const timeoutMs = durationMs(options.timeout)
  const fields = Object.entries(options.headers).map(([name, template]) => ({
    name: settableName(name, ['headers', name]), render: ConfigMistake.at(['headers', name], () => compileTemplate(template)),
  }))
  const sets = options.forward_response_headers_to_upstream
    .map((name, index) => settableName(name, ['forward_response_headers_to_upstream', String(index)]))

  return {
    sets,
    async ask(session, headers, body) {
      const all: Record<string, string> = { ...headers }
      for (const { name, render } of fields) {
        const value = headerValue(render(session))
        if (value !== '') all[name] = value
      }
      const request = { url, method: 'POST', headers: all, body, timeoutMs }
      const answer = await answerOr('internal_error', fetchWithRetry(fetchBounded, request, options.retry))
      refuseUnlessAllowed(answer, url)
      return { ...session, header: { ...session.header, ...Object.fromEntries(sets.map(name => [name, fieldOf(answer, name)])) } }
    },
  }
}

/** 200 alone allows. Throws `forbidden` for 403, hands on 429, and `internal_error` for anything else. */
export function refuseUnlessAllowed(answer: OutgoingAnswer, url: string): void {
  if (answer.status === 200) return
  if (answer.status === 403) throw new GatewayError('forbidden')
  refuseRateLimited(answer)
  throw new GatewayError('internal_error', { detail: `${url} answered with the unexpected status code ${answer.status}` })
}

/** The URL without what names a user. Throws `ConfigMistake` unless it is http or https. */
export function httpUrl(text: string, path: readonly string[]): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new ConfigMistake(path, `${path.join('.')} must be an http or https URL`)
  return url.origin + url.pathname + url.search
}

/** The first value; Node reads bytes as Latin-1, but what people send is UTF-8. */
function fieldOf({ headers }: OutgoingAnswer, name: string): string {
  const value = headers[name]
  const first = typeof value === 'string' ? value : value?.[0] ?? ''
  return headerValue(Buffer.from(first, 'latin1').toString())
}
