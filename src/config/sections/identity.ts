/** `urls`, `identity`, `secrets`, `session`, `hashers`, `security`, `store`, `dsn`: who people are and how they are kept. */
import { duration } from './duration.js'

const url = { type: 'string', format: 'http-url' } as const

export const dsn = {
  type: 'string', default: 'embedded://./data',
  description: 'Where state is kept: `embedded:///path` (absolute) or `embedded://./path` (relative to the working directory), `redis://`, `rediss://`, `redis+sentinel://h:p,h:p/NAME`, `redis+cluster://h:p,h:p`.',
} as const

export const urls = {
  type: 'object', additionalProperties: false,
  required: ['self', 'registration_ui', 'login_ui', 'error_ui', 'default_return_to'],
  properties: {
    self: {
      type: 'object', additionalProperties: false, required: ['public'],
      properties: {
        public: { ...url, description: 'The external URL of the self-service endpoints, e.g. `https://example.org/.ory/kratos/public`. Its path is the prefix that the gateway serves itself.' },
        admin: { ...url, default: 'http://127.0.0.1:4434', description: 'The URL under which the apps\' own servers reach the admin listener.' },
      },
    },
    registration_ui: { ...url, description: 'The page of your app that renders registration; gets `?request=`.' },
    login_ui: { ...url, description: 'The page of your app that renders login; gets `?request=`.' },
    error_ui: { ...url, description: 'The page of your app that renders errors; gets `?error=`.' },
    default_return_to: { ...url, description: 'Where a browser goes that has nothing else to go to.' },
    whitelisted_return_to_domains: { type: 'array', items: { type: 'string' }, uniqueItems: true, default: [], description: 'Origins that `return_to` may name; the path of an entry is ignored. `https://*.example.org` allows one more label.' },
  },
} as const

export const identity = {
  type: 'object', additionalProperties: false, required: ['traits'],
  properties: {
    traits: {
      type: 'object', additionalProperties: false, required: ['default_schema_url'],
      properties: {
        default_schema_url: { type: 'string', minLength: 1, description: 'The JSON Schema of traits: `file://path` (relative to the config file), `http(s)://` or `base64://`.' },
        schemas: {
          type: 'array', default: [], description: 'Further schemas, for identities created through the admin API.',
          items: {
            type: 'object', additionalProperties: false, required: ['id', 'url'],
            properties: {
              id: { type: 'string', minLength: 1, not: { const: 'default' }, description: 'Its name in `traits_schema_id`.' },
              url: { type: 'string', minLength: 1, description: 'As `default_schema_url`.' },
            },
          },
        },
      },
    },
  },
} as const

export const secrets = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    session: { type: 'array', items: { type: 'string', minLength: 32 }, default: [], description: 'Secrets that sign cookies: the first signs, all verify. Without any, one is made and kept beside the embedded store; with `NODE_ENV=production` or Redis it must be set.' },
  },
} as const

export const session = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    lifespan: { ...duration, default: '24h', description: 'The longest a session lives, however busy. `ttl.session` is another name.' },
    idle_lifespan: { ...duration, default: '0s', description: 'How long a session may go unused; `0s` is no limit.' },
    cache_entries: { type: 'integer', minimum: 0, maximum: 1_000_000, default: 10_000, description: 'Sessions that a process keeps in memory, on a Redis that tells of changes; 0 asks Redis at every request. A session that was ended elsewhere is dead here within a second in any case.' },
    max_per_identity: { type: 'integer', minimum: 0, default: 100, description: 'Sessions one identity may have; the oldest end beyond it. 0 is no limit.' },
    cookie: {
      type: 'object', additionalProperties: false, default: {},
      properties: {
        name: { type: 'string', pattern: '^[A-Za-z0-9_-]+$', default: 'ory_kratos_session', description: 'Name of the session cookie. With a `__Host-` prefix browsers refuse copies from sibling domains.' },
        domain: { type: 'string', description: 'Absent: the cookie is for the gateway\'s host alone, which is safest.' },
        same_site: { enum: ['Lax', 'Strict', 'None'], default: 'Lax', description: 'The cookie\'s SameSite attribute.' },
        persistent: { type: 'boolean', default: true, description: 'Whether the cookie outlives the browser\'s own session.' },
      },
    },
  },
} as const

export const hashers = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    argon2: {
      type: 'object', additionalProperties: false, default: {},
      properties: {
        memory: { type: 'integer', minimum: 1024, maximum: 4194304, default: 19456, description: 'KiB per hash.' },
        iterations: { type: 'integer', minimum: 1, maximum: 100, default: 2, description: 'Passes over the memory.' },
        parallelism: { type: 'integer', minimum: 1, maximum: 64, default: 1, description: 'Lanes per hash.' },
        salt_length: { type: 'integer', minimum: 16, maximum: 64, default: 16, description: 'Bytes of salt.' },
        key_length: { type: 'integer', minimum: 16, maximum: 64, default: 32, description: 'Bytes of hash.' },
        concurrency: { type: 'integer', minimum: 0, maximum: 64, default: 0, description: 'Hashes computed at the same time; 0 is one less than the cores, at least one. They share the thread pool with file reads and DNS.' },
        queue: { type: 'integer', minimum: 0, default: 64, description: 'Hashes that may wait; 503 beyond it.' },
      },
    },
    imported: {
      type: 'object', additionalProperties: false, default: {},
      properties: {
        decoy: { type: 'string', maxLength: 512, pattern: '^(\\$2[aby]\\$|\\$scrypt\\$|\\$pbkdf2[-$]|pbkdf2_)', description: 'A hash like those that were imported (bcrypt, scrypt or pbkdf2; of no password that anybody has). Every login then does its work too, so that times do not tell who has not logged in since the import. See docs/importing.md.' },
      },
    },
  },
} as const

/** An address is one IPv4 address, or one IPv6 network of 64 bits, which is what one customer gets. */
function limit<const Burst extends number, const Interval extends string>(description: string, burst: Burst, interval: Interval) {
  return {
    type: 'object', additionalProperties: false, default: {}, description,
    properties: {
      burst: { type: 'integer', minimum: 1, maximum: 1_000_000, default: burst, description: `${description} How many at once.` },
      interval: { ...duration, default: interval, description: `${description} How long until there is one more.` },
    },
  } as const
}

export const security = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    account_enumeration: {
      type: 'object', additionalProperties: false, default: {},
      properties: { mitigate: { type: 'boolean', default: false, description: 'Whether registration answers alike for new and for existing identifiers, and after the same time. Through a provider people can then sign up only with identifiers that it vouches for.' } },
    },
    rate_limits: {
      type: 'object', additionalProperties: false, default: {},
      description: 'How fast anybody may go; shared by all processes on one store. `burst` at once, then one more every `interval`; 429 beyond it.',
      properties: {
        enabled: { type: 'boolean', default: true, description: 'Whether anything is limited.' },
        flows_per_address: limit('New registration and login forms, departures to providers and errors kept for the error page, from one address.', 60, '1s'),
        registrations_per_address: limit('Sign-ups from one address that reach the hashing of a password.', 10, '30s'),
        logins_per_address: limit('Logins from one address.', 30, '2s'),
        logins_per_identifier_and_address: limit('Logins with one identifier from one address, or from one known device.', 10, '30s'),
        logins_per_identifier: limit('Logins with one identifier from everywhere, known devices of its owner left out.', 100, '1m'),
      },
    },
  },
} as const

export const store = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    durability: { enum: ['required', 'replicated', 'none'], default: 'required', description: '`required` refuses a Redis that would lose accounts (no append-only file, an `allkeys-*` eviction policy). `replicated` also says yes to a sign-up or a logout only once a replica has it (`WAIT 1 200`), so that a failover does not undo it, and 503 while no replica answers.' },
    timeout: { ...duration, default: '500ms', description: 'How long one command may take; 503 beyond it.' },
    key_prefix: { type: 'string', pattern: '^[A-Za-z0-9:_-]*$', default: 'oathgate:', description: 'Prefix of every Redis key.' },
  },
} as const
