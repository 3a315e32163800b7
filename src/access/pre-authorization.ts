/** The gateway's own access token for a service that wants one (`pre_authorization`, contract 2.1.5). */
import type { FromSchema } from 'json-schema-to-ts'

import { GatewayError } from '../errors.js'
import { readIssuedToken, requestToken, type IssuedToken } from './client-credentials.js'
import { ConfigMistake } from './config-mistake.js'
import type { RemoteAccess } from './remote-access.js'
import { answerOr } from './remote-failure.js'

/** `pre_authorization` of a handler's configuration. */
export const preAuthorizationSchema = {
  type: 'object', additionalProperties: false, default: {},
  description: 'Client credentials for a token that the gateway sends along when it asks.',
  properties: {
    enabled: { type: 'boolean', default: false, description: 'Whether to get such a token.' },
    client_id: { type: 'string', minLength: 1, description: 'The gateway\'s id at the token endpoint.' },
    client_secret: { type: 'string', minLength: 1, description: 'Its secret.' },
    token_url: { type: 'string', format: 'uri', description: 'The token endpoint.' },
    audience: { type: 'string', description: 'Audience that is asked for.' },
    scope: { type: 'array', items: { type: 'string' }, default: [], description: 'Scopes that are asked for.' },
  },
} as const

/** Gets the token; one that is still good is used again. `undefined` when none is wanted. Throws `internal_error` when none is given. */
export function compilePreAuthorization(
  options: FromSchema<typeof preAuthorizationSchema>, { fetchBounded, responses }: RemoteAccess,
): (() => Promise<string>) | undefined {
  if (!options.enabled) return undefined
  const { client_id: id, client_secret: secret, token_url: tokenUrl, audience, scope: scopes } = options
  if (id === undefined || secret === undefined || tokenUrl === undefined) {
    throw new ConfigMistake(['pre_authorization'], 'pre_authorization needs client_id, client_secret and token_url')
  }
  const credentials = { tokenUrl, id, secret, scopes, audience }
  const question = ['pre_authorization', tokenUrl, id, secret, scopes, audience ?? null] as const

  return async () => {
    const known = responses.get(question)
    if (typeof known === 'string') return known
    const { token, lifespanMs = 60_000 } = await getToken()
    // It must still be good when it arrives.
    responses.set(question, token, lifespanMs - 10_000)
    return token
  }

  async function getToken(): Promise<IssuedToken> {
    const answer = await answerOr('internal_error', requestToken(credentials, fetchBounded))
    if (answer.status !== 200) throw new GatewayError('internal_error', { detail: `${credentials.tokenUrl} answered ${answer.status}` })
    try {
      return readIssuedToken(answer)
    } catch (cause) {
      throw new GatewayError('internal_error', { detail: `${credentials.tokenUrl} issued no access token`, cause })
    }
  }
}
