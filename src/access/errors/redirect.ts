/** The error handler `redirect`: sends a browser elsewhere, to a login page mostly (contract 2.5.3). */
import type { FromSchema } from 'json-schema-to-ts'

import type { AccessRequest } from '../../http/access-request.js'
import { ConfigMistake } from '../config-mistake.js'
import type { AnswerError, Handler } from '../pipeline.js'
import { compileWhen, whenSchema } from './when.js'

const config = {
  type: 'object', additionalProperties: false, required: ['to'],
  properties: {
    to: { type: 'string', minLength: 1, description: 'Where to: an http(s) URL, or a path.' },
    code: { enum: [301, 302], default: 302, description: 'Status of the answer.' },
    return_to_query_param: { type: 'string', pattern: '^[A-Za-z0-9,._~-]*$', default: '', description: 'Query parameter that tells the target where the browser came from; empty for none.' },
    when: whenSchema,
  },
} as const

/** What the target is told to return to is the URL that was asked for, never what `X-Forwarded-*` of a stranger says. */
export const redirect: Handler<AnswerError> = {
  name: 'redirect',
  config,
  create({ to, code, return_to_query_param: parameter, when }: FromSchema<typeof config>) {
    const responsible = compileWhen(when)
    const target = readTarget(to)

    return (error, request) => {
      if (!responsible(error, request)) return undefined

      const location = withReturnTo(resolve(target, request), parameter, request)
      const link = code === 301 ? 'Moved Permanently' : 'Found'
      const isRead = request === undefined || request.method === 'GET' || request.method === 'HEAD'
      return {
        status: code,
        headers: { location, ...(isRead ? { 'content-type': 'text/html; charset=utf-8' } : {}) },
        body: isRead ? `<a href="${escapeHtml(location)}">${link}</a>.\n\n` : '',
      }
    }
  },
}

function readTarget(to: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(to)?.[1]?.toLowerCase()
  const isHttp = scheme === undefined || (/^https?:\/\/[^/?#]/i.test(to) && URL.canParse(to))
  if (!isHttp || /[^\x21-\x7e]|\\/.test(to)) throw new ConfigMistake(['to'], `"${to}" is neither an http(s) URL nor a path`)
  return to
}

/** A relative path counts from the folder of the request. */
function resolve(to: string, request: AccessRequest | undefined): string {
  if (request === undefined || /^(?:[a-z][a-z0-9+.-]*:|[/?#])/i.test(to)) return to
  return request.path.slice(0, request.path.lastIndexOf('/') + 1) + to
}

/** The parameter takes the place of any of that name; all of them are sorted by name, as Go's are. */
function withReturnTo(to: string, parameter: string, request: AccessRequest | undefined): string {
  if (parameter === '' || request === undefined) return to

  const [, base = '', query = '', fragment = ''] = /^([^?#]*)(?:\?([^#]*))?(#.*)?$/.exec(to) ?? []
  const parameters = new URLSearchParams(query)
  parameters.set(parameter, request.url + request.query)
  parameters.sort()
  return `${base}?${parameters.toString()}${fragment}`
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&#34;').replaceAll('\'', '&#39;')
}
