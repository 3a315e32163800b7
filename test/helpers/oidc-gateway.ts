/** A gateway with sign-in providers, as the tests of social sign-in want it. */
import type { Test } from 'tap'

import { startTestGateway, ui, type GatewayOptions, type TestGateway } from './gateway.js'

/** Traits like those of the demo. */
export const personSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  type: 'object',
  properties: {
    email: { type: 'string', format: 'email', minLength: 3, 'ory.sh/kratos': { credentials: { password: { identifier: true } } } },
    name: {
      type: 'object',
      properties: { first: { type: 'string', minLength: 2 }, last: { type: 'string' } },
      additionalProperties: false,
    },
    newsletter: { type: 'boolean' },
  },
  required: ['email'],
  additionalProperties: false,
}

/** The claims of the demo's people, as those traits. */
export const personClaims = { email: 'email', 'name.first': 'given_name', 'name.last': 'family_name' }

const after = [{ run: 'session' }, { run: 'redirect', config: { default_redirect_url: `${ui}/dashboard`, allow_user_defined_redirect: true } }]

/** Starts one in which these providers can be used. `selfservice` is laid over the rest, map by map. */
export function startOidcGateway(
  t: Test, providers: readonly Readonly<Record<string, unknown>>[], options: GatewayOptions & { readonly selfservice?: object } = {},
): Promise<TestGateway> {
  const { selfservice = {}, ...rest } = options
  return startTestGateway(t, {
    schema: personSchema,
    ...rest,
    config: {
      // These tests are about slow providers, not about a slow disk.
      store: { timeout: '20s' },
      selfservice: {
        strategies: { oidc: { enabled: true, config: { providers } } },
        registration: { after: { password: after, oidc: after } },
        login: { after: { password: after, oidc: after } },
        ...selfservice,
      },
      ...rest.config,
    },
  })
}
