/** The authorizer `remote_json`: describes the request in JSON to a service that says whether it may pass. */
import type { FromSchema } from 'json-schema-to-ts'

import { GatewayError } from '../../errors.js'
import { ConfigMistake } from '../config-mistake.js'
import { namedHeaders } from '../passed-headers.js'
import type { Authorizer, Handler } from '../pipeline.js'
import { compileRemoteAuthorization, remoteAuthorizationProperties } from '../remote-authorization.js'
import { compileTemplate } from '../template/compile.js'

const config = {
  type: 'object', additionalProperties: false, required: ['remote', 'payload'],
  properties: {
    ...remoteAuthorizationProperties,
    payload: { type: 'string', description: 'Template of the JSON that the service gets.' },
  },
} as const

/** The service gets the payload, the request's `Authorization` and the configured fields (contract 2.2). */
export const remoteJson: Handler<Authorizer> = {
  name: 'remote_json',
  config,
  optIn: true,
  create({ payload, ...options }: FromSchema<typeof config>, { fetchBounded }) {
    const { sets, ask } = compileRemoteAuthorization(options, fetchBounded)
    const render = ConfigMistake.at(['payload'], () => compileTemplate(payload))
    return {
      sets,
      authorize(session) {
        const body = render(session)
        checkJson(body)
        return ask(session, { 'content-type': 'application/json', ...namedHeaders(session.match.request, ['authorization']) }, body)
      },
    }
  },
}

function checkJson(text: string): void {
  try {
    JSON.parse(text)
  } catch (cause) {
    throw new GatewayError('internal_error', { detail: 'payload is not a JSON text', cause })
  }
}
