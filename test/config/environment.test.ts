/** The environment lies over the files: every setting has a variable, lists, maps and secrets from files included. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import t from 'tap'

import { configSchema } from '../../src/config/schema.js'
import { leavesOf, variableOf } from '../../src/config/schema-leaves.js'
import { complaints, load } from '../helpers/config-files.js'

t.test('a variable wins over the file, under every name of its setting', async t => {
  const file = 'serve: { public: { port: 1 } }\nsession: { lifespan: 1h }\n'
  t.equal((await load(t, file, { SERVE_PUBLIC_PORT: '2' })).config.serve.public.port, 2)
  t.equal((await load(t, file, { SERVE_PROXY_PORT: '3' })).config.serve.public.port, 3)
  t.equal((await load(t, file, { SERVE_API_HOST: '::1' })).config.serve.admin.host, '::1')
  t.equal((await load(t, file, { TTL_SESSION: '2h' })).config.session.lifespan, '2h')
  t.equal((await load(t, file, { URLS_REGISTRATION_UI: 'https://other.example/' })).config.urls.registration_ui, 'https://other.example/')
})

t.test('an empty variable is not set', async t => {
  const { config } = await load(t, 'serve: { public: { port: 1 } }\n', { SERVE_PUBLIC_PORT: '', SERVE_PROXY_PORT: '', DSN: '', DSN_FILE: '' })
  t.equal(config.serve.public.port, 1)
  t.equal(config.dsn, 'embedded://./data')
})

t.test('text becomes the type that the setting has', async t => {
  for (const [text, value] of [['1', true], ['true', true], ['TRUE', true], ['t', true], ['0', false], ['false', false], ['F', false]] as const) {
    t.equal((await load(t, '', { AUTHENTICATORS_NOOP_ENABLED: text })).config.authenticators.noop?.enabled, value, text)
  }
  const { config } = await load(t, '', {
    URLS_WHITELISTED_RETURN_TO_DOMAINS: 'https://a.example, https://b.example,,',
    ACCESS_RULES_REPOSITORIES: 'file:///a.json,file:///b.json',
    SELFSERVICE_STRATEGIES_PASSWORD_CONFIG_CONTEXT_WORDS: '["with, comma", "plain"]',
    SERVE_PUBLIC_CORS_ALLOWED_METHODS: 'GET',
    HASHERS_ARGON2_MEMORY: ' 20000 ',
    STORE_KEY_PREFIX: '0123',
  })
  t.same(config.urls.whitelisted_return_to_domains, ['https://a.example', 'https://b.example'])
  t.same(config.access_rules.repositories, ['file:///a.json', 'file:///b.json'])
  t.same(config.selfservice.strategies.password.config.context_words, ['with, comma', 'plain'])
  t.same(config.serve.public.cors.allowed_methods, ['GET'])
  t.equal(config.hashers.argon2.memory, 20000)
  t.equal(config.store.key_prefix, '0123')
})

t.test('lists of maps are JSON, with the same other names as in files', async t => {
  const { config } = await load(t, '', {
    SELFSERVICE_AFTER_PASSWORD: '[{"hook":"session"}]',
    SELFSERVICE_STRATEGIES_OIDC_CONFIG_PROVIDERS: '[{"id":"acme","provider":"generic","client_id":"x"}]',
  })
  t.same(config.selfservice.registration.after.password, [{ run: 'session' }])
  t.same(config.selfservice.strategies.oidc.config.providers, [{ id: 'acme', provider: 'generic', client_id: 'x' }])
})

t.test('the config of a handler: as JSON, and key by key where a file has the key', async t => {
  const file = `mutators:
  id_token: { config: { issuer_url: https://old.example, ttl: 60s, depth: 1, deep: { X-Y: [a] } } }
`
  const { config } = await load(t, file, {
    MUTATORS_ID_TOKEN_CONFIG: '{"jwks_url":"file:///keys.json","ttl":"1m"}',
    MUTATORS_ID_TOKEN_CONFIG_ISSUER_URL: 'https://new.example',
    MUTATORS_ID_TOKEN_CONFIG_DEPTH: '2',
    MUTATORS_ID_TOKEN_CONFIG_DEEP_X_Y: 'b,c',
  })
  t.same(config.mutators.id_token?.config, { issuer_url: 'https://new.example', ttl: '1m', depth: 2, deep: { 'X-Y': ['b', 'c'] }, jwks_url: 'file:///keys.json' })
})

t.test('with the schemas of handlers, keys that no file has', async t => {
  const handlerSchemas = {
    authenticators: { oauth2_introspection: { type: 'object', properties: {
      introspection_url: { type: 'string' }, required_scope: { type: 'array', items: { type: 'string' } },
      pre_authorization: { type: 'object', properties: { enabled: { type: 'boolean' } } }, token_from: { oneOf: [] },
    } } },
    errors: { json: { type: 'object', properties: { verbose: { type: 'boolean' } } } },
  }
  const { config } = await load(t, '', {
    AUTHENTICATORS_OAUTH2_INTROSPECTION_CONFIG_INTROSPECTION_URL: 'https://id.example/introspect',
    AUTHENTICATORS_OAUTH2_INTROSPECTION_CONFIG_REQUIRED_SCOPE: 'a,b',
    AUTHENTICATORS_OAUTH2_INTROSPECTION_CONFIG_PRE_AUTHORIZATION_ENABLED: '1',
    AUTHENTICATORS_OAUTH2_INTROSPECTION_CONFIG_TOKEN_FROM: '{"header":"X-Token"}',
    ERRORS_HANDLERS_JSON_CONFIG_VERBOSE: 'true',
  }, { handlerSchemas })
  t.same(config.authenticators.oauth2_introspection?.config, {
    introspection_url: 'https://id.example/introspect', required_scope: ['a', 'b'], pre_authorization: { enabled: true }, token_from: { header: 'X-Token' },
  })
  t.same(config.errors.handlers.json?.config, { verbose: true })
})

t.test('*_FILE reads a value from a file, without the line end behind it', async t => {
  const folder = t.testdir({})
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const { config } = await load(t, '', {
    SECRETS_SESSION_FILE: file('session', `${'a'.repeat(32)}\n${'b'.repeat(40)}\r\n`),
    SERVE_ADMIN_TOKEN_FILE: file('token', ` ${'c'.repeat(40)}\n`),
    DSN_FILE: file('dsn', 'redis://:pass@127.0.0.1'),
    SERVE_API_PORT_FILE: file('port', '12\n'),
  })
  t.same(config.secrets.session, ['a'.repeat(32), 'b'.repeat(40)])
  t.equal(config.serve.admin.token, ` ${'c'.repeat(40)}`)
  t.equal(config.dsn, 'redis://:pass@127.0.0.1')
  t.equal(config.serve.admin.port, 12)
})

t.test('mistakes name the variable', async t => {
  t.same((await complaints(t, '', {
    SERVE_PROXY_PORT: 'http',
    AUTHENTICATORS_NOOP_ENABLED: 'maybe',
    SERVE_PUBLIC_TRUSTED_PROXIES: '10.0.0.0/8,10.0.0.1',
    SELFSERVICE_REGISTRATION_BEFORE: '[{"config":{}},{"run":"x","conf":1}]',
    IDENTITY_TRAITS_SCHEMAS: '{]',
    AUTHENTICATORS_JWT_CONFIG: '"text"',
    SERVE_PUBLIC_TRUST_FORWARDED_HEADERS: '1',
  })).sort(), [
    'AUTHENTICATORS_JWT_CONFIG must be a map, not a text',
    'AUTHENTICATORS_NOOP_ENABLED must be a boolean (true or false), not a text',
    'IDENTITY_TRAITS_SCHEMAS is not valid JSON',
    'SELFSERVICE_REGISTRATION_BEFORE[0].run is required',
    'SELFSERVICE_REGISTRATION_BEFORE[1].conf is not a known key; did you mean config?',
    'SERVE_PROXY_PORT must be a whole number, not a text',
    'SERVE_PUBLIC_TRUSTED_PROXIES[1] must be a CIDR such as 10.0.0.0/8; a single address is 192.0.2.1/32',
    'SERVE_PUBLIC_TRUST_FORWARDED_HEADERS would let every client say where it is; name the proxies that you trust in serve.public.trusted_proxies instead, as CIDRs',
  ])
  t.same(await complaints(t, '', { DSN_FILE: '/nonexistent/file' }), ['DSN_FILE names a file that can\'t be read: there is no such file'])
})

t.test('a file without content and two variables for one setting are mistakes', async t => {
  const file = join(t.testdir({ empty: '\n' }), 'empty')
  t.same(await complaints(t, '', { DSN_FILE: file }), ['DSN_FILE names a file that is empty'])
  t.same(await complaints(t, '', { SERVE_PUBLIC_PORT: '1', SERVE_PROXY_PORT: '1', DSN: 'embedded://./x', DSN_FILE: file }), [
    'DSN_FILE sets the same as DSN; set one of them',
    'SERVE_PROXY_PORT sets the same as SERVE_PUBLIC_PORT; set one of them',
  ])
})

t.test('JSON with a __proto__ key is refused and pollutes nothing', async t => {
  t.same(await complaints(t, '', { AUTHENTICATORS_JWT_CONFIG: '{"a":{"__proto__":{"polluted":true}}}' }), ['AUTHENTICATORS_JWT_CONFIG is not valid JSON'])
  t.equal(({} as Record<string, unknown>)['polluted'], undefined)
})

t.test('variables that look like settings are warned of, others are nobody\'s business', async t => {
  const { warnings } = await load(t, '', {
    URLS_REGISTRATION_IU: 'https://secret.example', ULRS_LOGIN_UI: 'x', SECRET_SESSION: 'x', MUTATORS_HEADER_CONFIG_HEADERS: 'x',
    SESSION_MANAGER: 'local/host', LOG_DIR: '/var/log', PATH: '/bin', HOME: '/', STORE_ID: '7', npm_config_cache: '/x', LOGNAME: 'me', URLS_LOGIN_UI_FILE: '',
  })
  t.same([...warnings].sort(), [
    'MUTATORS_HEADER_CONFIG_HEADERS is not read; set MUTATORS_HEADER_CONFIG as JSON, or the key in a file first',
    'SECRET_SESSION is not read; did you mean SECRETS_SESSION?',
    'ULRS_LOGIN_UI is not read; did you mean URLS_LOGIN_UI?',
    'URLS_REGISTRATION_IU is not read; did you mean URLS_REGISTRATION_UI?',
  ])
})

t.test('no two settings share a variable', t => {
  const names = leavesOf(configSchema).map(({ path }) => variableOf(path)).flatMap(name => [name, `${name}_FILE`])
  t.equal(new Set(names).size, names.length)
  t.end()
})
