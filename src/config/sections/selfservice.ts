/** `selfservice`: the flows, their strategies and the jobs around them. */
import { duration } from './duration.js'

const job = {
  type: 'object', additionalProperties: false, required: ['run'],
  properties: {
    run: { type: 'string', minLength: 1, description: 'The job: `session`, `redirect`, `revoke_active_sessions`, `web_hook`, `restrict_ip`. `job` and `hook` are other names of this key.' },
    config: { type: 'object', description: 'What the job needs; see its section.' },
  },
} as const
const jobs = { type: 'array', items: job, default: [] } as const

const after = {
  type: 'object', additionalProperties: false, default: {},
  description: 'Jobs that run, in order, when a flow has succeeded, by method.',
  properties: {
    password: { ...jobs, description: 'Jobs that run, in order, when somebody has succeeded with a password.' },
    oidc: { ...jobs, description: 'Jobs that run, in order, when somebody has succeeded with an OpenID provider.' },
  },
} as const

const flow = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    request_lifespan: { ...duration, default: '1h', description: 'How long a person may take.' },
    before: { ...jobs, description: 'Jobs that run before a flow begins; one that fails ends it.' },
    after,
  },
} as const

const passwordConfig = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    min_password_length: { type: 'integer', minimum: 6, maximum: 64, default: 8, description: 'Characters. 15 is advised where a password is all there is.' },
    max_password_bytes: { type: 'integer', minimum: 64, maximum: 4096, default: 1024, description: 'UTF-8 bytes; checked before anything is hashed.' },
    identifier_similarity_check_enabled: { type: 'boolean', default: true, description: 'Refuse passwords that resemble the identifier.' },
    common_passwords_check_enabled: { type: 'boolean', default: true, description: 'Refuse the most common passwords, from a list that ships with the gateway.' },
    context_words: { type: 'array', items: { type: 'string', minLength: 3 }, default: [], description: 'Further words that a password may not consist of, such as the name of your service.' },
    haveibeenpwned_enabled: { type: 'boolean', default: false, description: 'Ask the breach database too, by the first five digits of the password\'s SHA-1.' },
    haveibeenpwned_host: { type: 'string', minLength: 1, default: 'api.pwnedpasswords.com', description: 'Host that answers `/range/` and the first five digits of a hash; a full `http://` URL for a mirror on loopback.' },
    haveibeenpwned_timeout: { ...duration, default: '1s', description: 'How long to wait for it.' },
    max_breaches: { type: 'integer', minimum: 0, default: 0, description: 'Breaches that a password may be found in.' },
    ignore_network_errors: { type: 'boolean', default: true, description: 'Accept the password when the breach database does not answer.' },
  },
} as const

const provider = {
  type: 'object', additionalProperties: false, required: ['id', 'provider', 'client_id'],
  properties: {
    id: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$', description: 'What people and the flow document call the provider. Part of its callback URL (`urls.self.public` + `/auth/browser/methods/oidc/callback/<id>`) and of stored identifiers: never change it.' },
    provider: { enum: ['generic', 'google', 'github', 'microsoft', 'gitlab', 'apple', 'discord', 'slack'], description: 'Which one it is, for the defaults that are known of it; `generic` is any that speaks OpenID Connect.' },
    client_id: { type: 'string', minLength: 1, description: 'What the provider calls this gateway.' },
    client_secret: { type: 'string', minLength: 1, description: 'What the gateway proves itself with to the provider. Only `generic` does without: then PKCE alone protects the sign-in. For `apple` it is a JWT that you sign with your key.' },
    schema_url: { type: 'string', minLength: 1, description: 'A JSON Schema of the provider\'s claims, whose `ory.sh/kratos` keywords say which claim becomes which trait: `file://path` (relative to the config file), `http(s)://` or `base64://`.' },
    issuer_url: { type: 'string', format: 'http-url', description: 'Where the provider describes itself, without `/.well-known/openid-configuration`: https, or http on loopback. `generic` needs it; for `microsoft` it names your tenant, for `gitlab` your own server.' },
    auth_url: { type: 'string', format: 'http-url', description: 'Authorization endpoint of a GitHub Enterprise Server (`github` only).' },
    token_url: { type: 'string', format: 'http-url', description: 'Token endpoint of a GitHub Enterprise Server (`github` only).' },
    api_url: { type: 'string', format: 'http-url', description: 'REST API of a GitHub Enterprise Server (`github` only).' },
    scope: { type: 'array', items: { type: 'string', minLength: 1 }, description: 'What to ask the provider for, in place of the usual (`email`, `profile`; for `github` `user:email`). `openid` is added.' },
    response_mode: { enum: ['query', 'form_post'], description: 'How the provider sends people back; `form_post` is the default for `apple`, which insists on it.' },
    claims: { type: 'object', additionalProperties: { type: 'string', minLength: 1 }, description: 'Which trait comes from which claim (`email: email`, `name.first: given_name`), for those who have no `schema_url`. What a required trait has no claim for, people are asked for.' },
  },
} as const

export const selfservice = {
  type: 'object', additionalProperties: false, required: ['logout'],
  properties: {
    strategies: {
      type: 'object', additionalProperties: false, default: {},
      properties: {
        password: {
          type: 'object', additionalProperties: false, default: {},
          properties: {
            enabled: { type: 'boolean', default: true, description: 'Whether people can sign up and log in with a password.' },
            config: passwordConfig,
          },
        },
        oidc: {
          type: 'object', additionalProperties: false, default: {},
          properties: {
            enabled: { type: 'boolean', default: false, description: 'Whether people can sign in with an OpenID provider.' },
            config: {
              type: 'object', additionalProperties: false, default: {},
              properties: { providers: { type: 'array', items: provider, default: [], description: 'The OpenID providers that people can sign in with.' } },
            },
          },
        },
      },
    },
    registration: flow,
    login: flow,
    logout: {
      type: 'object', additionalProperties: false, required: ['redirect_to'],
      properties: { redirect_to: { type: 'string', format: 'http-url', description: 'Where a browser goes after logout.' } },
    },
  },
} as const
