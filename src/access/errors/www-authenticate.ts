/** The error handler `www_authenticate`: makes a browser ask for a user name and password (contract 2.5.4). */
import type { FromSchema } from 'json-schema-to-ts'

import type { AnswerError, Handler } from '../pipeline.js'
import { compileWhen, whenSchema } from './when.js'

const config = {
  type: 'object', additionalProperties: false,
  properties: {
    realm: { type: 'string', pattern: '^[\\x20-\\x7e]*$', default: 'Please authenticate.', description: 'What the browser says it is for.' },
    when: whenSchema,
  },
} as const

/** Always 401, whatever the failure was. The realm is not quoted, as existing clients know it. */
export const wwwAuthenticate: Handler<AnswerError> = {
  name: 'www_authenticate',
  config,
  create({ realm, when }: FromSchema<typeof config>) {
    const responsible = compileWhen(when)
    const headers = {
      'www-authenticate': `Basic realm=${realm}`,
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
    }
    return (error, request) => responsible(error, request) ? { status: 401, headers, body: 'Unauthorized\n' } : undefined
  },
}
