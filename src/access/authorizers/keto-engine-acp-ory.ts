/** The authorizer `keto_engine_acp_ory`: asks ORY Keto's access control policies (up to Keto 0.5). */
import type { FromSchema } from 'json-schema-to-ts'

import { GatewayError } from '../../errors.js'
import { ConfigMistake } from '../config-mistake.js'
import type { Authorizer, Handler } from '../pipeline.js'
import { httpUrl, refuseUnlessAllowed } from '../remote-authorization.js'
import { answerOr } from '../remote-failure.js'
import { parseJsonObject } from '../remote-json.js'
import { compileTemplate, type Render } from '../template/compile.js'

const config = {
  type: 'object', additionalProperties: false, required: ['base_url', 'required_action', 'required_resource'],
  properties: {
    base_url: { type: 'string', format: 'uri', description: 'Where Keto is.' },
    required_action: { type: 'string', description: 'Template of the action that must be allowed.' },
    required_resource: { type: 'string', description: 'Template of the resource that it must be allowed on.' },
    subject: { type: 'string', description: 'Template of who must be allowed. Default: the subject of the session.' },
    flavor: { type: 'string', pattern: '^[a-z]+$', default: 'regex', description: 'How the policies name things: `regex`, `glob` or `exact`.' },
  },
} as const

/** Passes when Keto says `{"allowed": true}` with 200; 403 and false are 403, everything else fails the request (contract 2.2). */
export const ketoEngineAcpOry: Handler<Authorizer> = {
  name: 'keto_engine_acp_ory',
  config,
  optIn: true,
  create(options: FromSchema<typeof config>, { fetchBounded }) {
    const url = `${httpUrl(options.base_url, ['base_url']).replace(/\/+$/, '')}/engines/acp/ory/${options.flavor}/allowed`
    const action = template('required_action', options.required_action)
    const resource = template('required_resource', options.required_resource)
    const subject = template('subject', options.subject ?? '{{ print .Subject }}')

    return {
      sets: [],
      async authorize(session) {
        const body = JSON.stringify({
          action: action(session),
          resource: resource(session),
          subject: subject(session),
          context: { remoteIpAddress: session.match.request.clientAddress, requestedAt: new Date().toISOString() },
        })
        const answer = await answerOr('internal_error', fetchBounded({
          url, method: 'POST', headers: { 'content-type': 'application/json' }, body, timeoutMs: 5_000,
        }))
        refuseUnlessAllowed(answer, url)
        const allowed = parseJsonObject(answer.body)?.['allowed']
        if (typeof allowed !== 'boolean') throw new GatewayError('internal_error', { detail: `${url} did not say whether it is allowed` })
        if (!allowed) throw new GatewayError('forbidden')
        return session
      },
    }
  },
}

function template(key: string, source: string): Render {
  return ConfigMistake.at([key], () => compileTemplate(source))
}
