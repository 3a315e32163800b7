/** The authenticator `bearer_token`: asks a service who a token belongs to. */
import type { FromSchema } from 'json-schema-to-ts'

import type { Authenticate, Handler } from '../pipeline.js'
import { createSessionCheck, sessionCheckProperties } from '../session-check.js'
import { compileTokenFrom, tokenFromSchema } from '../token-from.js'

const config = {
  type: 'object', additionalProperties: false, required: ['check_session_url'],
  properties: {
    ...sessionCheckProperties,
    subject_from: { ...sessionCheckProperties.subject_from, default: 'sub' },
    extra_from: { ...sessionCheckProperties.extra_from, default: 'extra' },
    token_from: tokenFromSchema,
    prefix: { type: 'string', default: '', description: 'What the token must begin with; other tokens are left to the next authenticator.' },
  },
} as const

/**
 * Responsible when there is a token with the prefix. What the service gets is the `Authorization` field and those of
 * `forward_http_headers`, not the token as such (contract 2.1.3).
 */
export const bearerToken: Handler<Authenticate> = {
  name: 'bearer_token',
  config,
  optIn: true,
  create({ token_from, prefix, ...options }: FromSchema<typeof config>, { fetchBounded }) {
    const tokenIn = compileTokenFrom(token_from)
    const check = createSessionCheck(options, 'authorization', fetchBounded)

    return async session => {
      const { request } = session.match
      const token = tokenIn(request)
      if (token === undefined || !token.startsWith(prefix)) return undefined
      return { ...session, ...await check(request) }
    }
  },
}
