/** Where an authenticator finds the token of a request (contract 2.1.3). */
import type { FromSchema } from 'json-schema-to-ts'

import { readCookie } from '../http/cookies.js'
import type { AccessRequest } from '../http/access-request.js'

/** `token_from` of a handler's configuration. */
export const tokenFromSchema = {
  type: ['object', 'null'], additionalProperties: false, minProperties: 1, maxProperties: 1,
  description: 'Where the token is: one header, query parameter or cookie. Default: `Authorization: Bearer`.',
  properties: {
    header: { type: 'string', minLength: 1, description: 'Name of a header. Of `Authorization` the bearer token is taken, of others the whole value.' },
    query_parameter: { type: 'string', minLength: 1, description: 'Name of a query parameter; its first value counts. The request body is never read.' },
    cookie: { type: 'string', minLength: 1, description: 'Name of a cookie.' },
  },
} as const

/** Finds the token; `undefined` when the request has none there, or an empty one. */
export function compileTokenFrom(from: FromSchema<typeof tokenFromSchema> | undefined): (request: AccessRequest) => string | undefined {
  const find = finder(from ?? {})
  return request => {
    const token = find(request)
    return token === '' ? undefined : token
  }
}

interface Place { readonly header?: string, readonly query_parameter?: string, readonly cookie?: string }

function finder({ header = 'authorization', query_parameter: parameter, cookie }: Place): (request: AccessRequest) => string | undefined {
  if (parameter !== undefined) return ({ query }) => new URLSearchParams(query).get(parameter) ?? undefined
  if (cookie !== undefined) return ({ headers }) => readCookie(headers.cookie, cookie)

  const name = header.toLowerCase()
  if (name === 'authorization') return ({ headers }) => bearerToken(headers.authorization)
  return ({ headers }) => {
    const value = headers[name]
    return typeof value === 'string' ? value : undefined
  }
}

/** What follows `Bearer` and one space (RFC 6750 2.1); the scheme's case does not matter. */
export function bearerToken(authorization: string | undefined): string | undefined {
  const space = authorization?.indexOf(' ') ?? -1
  if (authorization === undefined || authorization.slice(0, space).toLowerCase() !== 'bearer') return undefined
  return authorization.slice(space + 1)
}
