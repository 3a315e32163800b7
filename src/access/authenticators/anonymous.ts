/** The authenticator `anonymous`: requests without credentials go on under a name that stands for nobody. */
import type { FromSchema } from 'json-schema-to-ts'

import type { Authenticate, Handler } from '../pipeline.js'

const config = {
  type: 'object', additionalProperties: false,
  properties: { subject: { type: 'string', default: 'anonymous', description: 'Who such requests count as.' } },
} as const

/** Responsible unless there is an `Authorization` header; cookies do not matter to it (contract 2.1.1). */
export const anonymous: Handler<Authenticate> = {
  name: 'anonymous',
  config,
  create: ({ subject }: FromSchema<typeof config>) => session => {
    const { authorization } = session.match.request.headers
    if (authorization !== undefined && authorization !== '') return undefined
    return { ...session, subject }
  },
}
