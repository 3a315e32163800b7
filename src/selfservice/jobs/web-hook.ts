/** `web_hook`: tells another service about a flow, and lets it object. */
import type { request } from 'undici'
import type { FromSchema } from 'json-schema-to-ts'

import { durationMs } from '../../config/duration.js'
import { GatewayError } from '../../errors.js'
import { identityDocument } from '../../session/document.js'
import type { Job, JobContext } from './job.js'

const config = {
  type: 'object', additionalProperties: false, required: ['url'],
  properties: {
    url: { type: 'string', format: 'http-url', description: 'Where the document is sent. Redirects are not followed.' },
    method: { enum: ['POST', 'PUT', 'PATCH'], default: 'POST', description: 'The request\'s method.' },
    headers: {
      type: 'object', default: {}, propertyNames: { pattern: '^[!#$%&\'*+.^_`|~0-9A-Za-z-]+$' },
      additionalProperties: { type: 'string', pattern: '^[\\t\\x20-\\x7e\\x80-\\xff]*$' },
      description: 'Header fields to send, such as `Authorization`.',
    },
    timeout: { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$', default: '5s', description: 'How long to wait for the answer.' },
  },
} as const

/**
 * Sends `{ flow, client, identity?, taken? }` and goes on when the answer is 2xx. A 4xx answer is an objection: the job fails
 * with `forbidden`. Anything else, and silence, fails it with `upstream_unreachable`. Never retried.
 */
export const webHookJob: Job = {
  name: 'web_hook',
  places: ['registration.before', 'registration.after', 'login.before', 'login.after'],
  config,
  create: ({ url, method, headers, timeout }: FromSchema<typeof config>, { publicUrl }) => {
    const fields = { 'content-type': 'application/json', ...lowerCased(headers) }
    const timeoutMs = durationMs(timeout)
    return async context => {
      const status = await deliver(url, {
        method: method as 'POST' | 'PUT' | 'PATCH',
        headers: fields,
        body: JSON.stringify(hookDocument(context, publicUrl)),
        signal: AbortSignal.timeout(timeoutMs),
      })
      if (status >= 200 && status < 300) return {}
      if (status >= 400 && status < 500) {
        throw new GatewayError('forbidden', { reason: 'This was declined.', detail: `${nameForLog(url)} answered ${status}` })
      }
      throw new GatewayError('upstream_unreachable', { detail: `${nameForLog(url)} answered ${status}` })
    }
  },
}

/** So that a configured `Content-Type` takes the place of ours. */
function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

async function deliver(url: string, options: Parameters<typeof request>[1]): Promise<number> {
  try {
    const { request: send } = await import('undici') // see load-later.ts
    const { statusCode, body } = await send(url, options)
    // Nothing of the answer is wanted; reading it lets the connection be used again, a flood of it does not.
    await body.dump({ limit: 65_536 })
    return statusCode
  } catch (cause) {
    throw new GatewayError('upstream_unreachable', { detail: `${nameForLog(url)} did not answer`, cause })
  }
}

/** Without the query, where people put tokens. */
function nameForLog(url: string): string {
  const { origin, pathname } = new URL(url)
  return `web_hook ${origin}${pathname}`
}

function hookDocument({ flow, request, method, identity, taken }: JobContext, publicUrl: string): object {
  return {
    flow: { id: flow.id, kind: flow.kind, type: flow.type, request_url: flow.requestUrl, ...(method === undefined ? {} : { method }) },
    client: { address: request.clientAddress, user_agent: request.headers['user-agent'] ?? '' },
    ...(identity === undefined ? {} : { identity: identityDocument(identity, publicUrl) }),
    ...(taken === undefined ? {} : { taken }),
  }
}
