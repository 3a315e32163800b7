/** The authorizer `remote`: hands the request's body to a service that says whether it may pass. */
import type { FromSchema } from 'json-schema-to-ts'

import { namedHeaders } from '../passed-headers.js'
import type { Authorizer, Handler } from '../pipeline.js'
import { compileRemoteAuthorization, remoteAuthorizationProperties } from '../remote-authorization.js'

const config = {
  type: 'object', additionalProperties: false, required: ['remote'],
  properties: {
    ...remoteAuthorizationProperties,
    max_body_bytes: { type: 'integer', minimum: 0, default: 10_485_760, description: 'Size of a request body, which is held in memory; 413 beyond it.' },
  },
} as const

/** The service gets the body, `Content-Type` and `Authorization` of the request, and the configured fields (contract 2.2). */
export const remote: Handler<Authorizer> = {
  name: 'remote',
  config,
  optIn: true,
  create({ max_body_bytes: maxBytes, ...options }: FromSchema<typeof config>, { fetchBounded }) {
    const { sets, ask } = compileRemoteAuthorization(options, fetchBounded)
    return {
      sets,
      async authorize(session) {
        const { request } = session.match
        const body = await request.body?.read(maxBytes) ?? Buffer.alloc(0)
        return ask(session, namedHeaders(request, ['content-type', 'authorization']), body)
      },
    }
  },
}
