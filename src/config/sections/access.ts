/** `access_rules`, `authenticators`, `authorizers`, `mutators`, `errors`: who may pass. Handlers validate their own `config`. */
import { duration } from './duration.js'

const handler = {
  type: 'object', additionalProperties: false,
  properties: {
    enabled: { type: 'boolean', description: 'Whether rules may use it. Handlers that need no configuration are enabled unless this says false.' },
    config: { type: 'object', description: 'Defaults for every rule that uses it; a rule\'s own `config` is merged over it.' },
  },
} as const

export const accessRules = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    repositories: { type: 'array', items: { type: 'string', minLength: 1 }, default: [], description: 'Where rules come from: `file://path` (relative to the config file), a folder (`file://rules/`), `inline://<base64>`, `http(s)://`.' },
    matching_strategy: { enum: ['regexp', 'glob'], default: 'regexp', description: 'What stands between `<` and `>` in `match.url`.' },
    on_multiple_matches: { enum: ['error', 'first'], default: 'error', description: 'A request that several rules match: 500, or the first in file order.' },
    poll_interval: { ...duration, default: '60s', description: 'How often http(s) repositories are asked for changes, and files looked at whose changes the system does not report.' },
    max_bytes: { type: 'integer', minimum: 1024, default: 1_048_576, description: 'Size of one rule file; a larger one is refused.' },
  },
} as const

export const authenticators = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    noop: handler, anonymous: handler, unauthorized: handler, cookie_session: handler,
    bearer_token: handler, jwt: handler, oauth2_introspection: handler, oauth2_client_credentials: handler,
  },
} as const

export const authorizers = {
  type: 'object', additionalProperties: false, default: {},
  properties: { allow: handler, deny: handler, remote: handler, remote_json: handler, keto_engine_acp_ory: handler },
} as const

export const mutators = {
  type: 'object', additionalProperties: false, default: {},
  properties: { noop: handler, header: handler, cookie: handler, id_token: handler, hydrator: handler },
} as const

export const errorHandlers = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    fallback: { type: 'array', items: { type: 'string' }, minItems: 1, default: ['json'], description: 'Error handlers to try, in order, when no handler of the rule is responsible.' },
    handlers: {
      type: 'object', additionalProperties: false, default: {},
      properties: { json: handler, redirect: handler, www_authenticate: handler },
    },
  },
} as const
