/** Asking another service who a cookie or token belongs to: what `cookie_session` and `bearer_token` have in common (contract 2.1.2). */
import type { FromSchema } from 'json-schema-to-ts'

import { durationMs } from '../config/duration.js'
import { GatewayError } from '../errors.js'
import type { AccessRequest } from '../http/access-request.js'
import { ConfigMistake } from './config-mistake.js'
import { settableName } from './header-names.js'
import type { FetchBounded, OutgoingAnswer } from './outgoing.js'
import { namedHeaders } from './passed-headers.js'
import { answerOr, refuseRateLimited } from './remote-failure.js'
import { parseJsonObject } from './remote-json.js'
import { compileSessionFacts, type SessionFacts } from './session-facts.js'

/** The keys of both handlers' configuration that are about the check. */
export const sessionCheckProperties = {
  check_session_url: { type: 'string', format: 'uri', description: 'Service that says who the credentials belong to: 200 with a JSON document, or they are refused.' },
  preserve_path: { type: 'boolean', default: false, description: 'Whether the path of `check_session_url` stays; otherwise it is the request\'s.' },
  preserve_query: { type: 'boolean', default: true, description: 'Whether the query of `check_session_url` stays; otherwise it is the request\'s.' },
  preserve_host: { type: 'boolean', default: false, description: 'Whether the service gets the request\'s host as `X-Forwarded-Host`.' },
  force_method: { type: 'string', default: '', description: 'Method of the check. Default: the request\'s; GET for HEAD.' },
  forward_http_headers: { type: 'array', items: { type: 'string' }, default: [], description: 'Header fields of the request that the service gets, besides the credentials.' },
  additional_headers: { type: 'object', additionalProperties: { type: 'string' }, default: {}, description: 'Header fields that are set on the check.' },
  subject_from: { type: 'string', description: 'GJSON path of the subject in the document.' },
  extra_from: { type: 'string', description: 'GJSON path of what templates see as `.Extra`.' },
  require_subject: { type: 'boolean', default: false, description: 'Whether credentials without a subject are refused. Oathkeeper accepts them.' },
  timeout: { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$', default: '3s', description: 'How long the service may take.' },
  on_unreachable: { enum: ['forbidden', 'unavailable'], default: 'forbidden', description: 'Answer when the service gives none: 403 like Oathkeeper, or 503.' },
} as const

const schema = { type: 'object', additionalProperties: false, properties: sessionCheckProperties } as const

export interface SessionCheckOptions extends FromSchema<typeof schema> {
  readonly check_session_url: string
  readonly subject_from: string
  readonly extra_from: string
}

/**
 * Makes the check. It throws `unauthorized` for any answer but 200, `too_many_requests` for 429, and `forbidden` when the
 * answer makes no sense or there is none. `credentials` is the field that is always passed on.
 */
export function createSessionCheck(
  options: SessionCheckOptions, credentials: 'cookie' | 'authorization', fetchBounded: FetchBounded,
): (request: AccessRequest) => Promise<SessionFacts> {
  const fixed = new URL(options.check_session_url)
  if (!/^https?:$/.test(fixed.protocol)) throw new ConfigMistake(['check_session_url'], 'check_session_url must be http or https')
  const names = [credentials, ...options.forward_http_headers]
  const additional = Object.entries(options.additional_headers)
    .map(([name, value]) => [settableName(name, ['additional_headers', name]), value] as const)
  const timeoutMs = durationMs(options.timeout)
  const unreachable = options.on_unreachable === 'unavailable' ? 'service_unavailable' : 'forbidden'
  const read = answerReader(options)

  return async request => {
    const path = options.preserve_path ? fixed.pathname : request.path
    const query = options.preserve_query ? fixed.search : request.query
    const answer = await answerOr(unreachable, fetchBounded({
      url: fixed.origin + path + query,
      method: options.force_method || (request.method === 'HEAD' ? 'GET' : request.method),
      headers: {
        ...namedHeaders(request, names),
        ...Object.fromEntries(additional),
        ...options.preserve_host ? { 'x-forwarded-host': request.host } : {},
      },
      timeoutMs,
    }))
    refuseRateLimited(answer)
    if (answer.status !== 200) throw refusal(`${fixed.origin + path} answered ${answer.status}`)
    return read(answer)
  }
}

function refusal(detail: string): GatewayError {
  return new GatewayError('unauthorized', { reason: 'The session is unknown or has ended', detail })
}

/**
 * An empty answer is a session without a subject, as in Oathkeeper. Anything else that is no JSON object is refused: it
 * is what a wrong address answers, such as a page.
 */
function answerReader(options: SessionCheckOptions): (answer: OutgoingAnswer) => SessionFacts {
  const factsIn = compileSessionFacts(options.subject_from, options.extra_from)
  return ({ body }) => {
    const document = body.length === 0 ? {} : parseJsonObject(body)
    if (document === undefined) throw new GatewayError('forbidden', { detail: `${options.check_session_url} answered with no JSON object` })

    const facts = factsIn(document)
    if (facts.subject === '' && options.require_subject) throw refusal('the session has no subject')
    return facts
  }
}
