/** Files become a configuration: defaults, overlays, other names, keys without a meaning. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import t from 'tap'

import { ConfigError } from '../../src/config/config-error.js'
import { loadConfig } from '../../src/config/load.js'
import { complaints, load, minimalYaml } from '../helpers/config-files.js'

t.test('what a file does not say has its default, at every depth', async t => {
  const { config, warnings } = await load(t, '')
  t.same(config.serve, {
    workers: 1,
    public: {
      host: '0.0.0.0', port: 4455, trusted_proxies: [], drain: '30s', drain_wait: '0s',
      timeout: { read: '30s', write: '120s', idle: '120s' },
      limits: { header_bytes: 16384, header_fields: 100, path_bytes: 4096, body_bytes: 0, min_body_rate: 1024, in_flight: 5000, connections: 10000, connections_per_address: 2000 },
      cors: {
        enabled: false, allowed_origins: [], allowed_methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
        allowed_headers: ['Authorization', 'Content-Type'], exposed_headers: ['Content-Type'], allow_credentials: false, max_age: 0,
      },
      tls: {
        enabled: true, certificates: [], cert: {}, key: {}, min_version: 'TLSv1.2',
        acme: { domains: [], directory_url: 'https://acme-v02.api.letsencrypt.org/directory', terms_of_service_agreed: false },
        redirect: { enabled: false, port: 4480 }, hsts: { include_subdomains: false, preload: false },
      },
    },
    admin: { host: '127.0.0.1', port: 4434, timeout: { read: '30s', write: '120s', idle: '120s' } },
  })
  t.equal(config.dsn, 'embedded://./data')
  t.same(config.selfservice.registration, { request_lifespan: '1h', before: [], after: { password: [], oidc: [] } })
  t.equal(config.selfservice.strategies.password.config.min_password_length, 8)
  t.same(config.session.cookie, { name: 'ory_kratos_session', same_site: 'Lax', persistent: true })
  t.same(config.errors, { fallback: ['json'], handlers: {} })
  t.same(config.authenticators, {})
  t.same(warnings, [])
})

t.test('two configurations share no default', async t => {
  const [one, other] = [await load(t, ''), await load(t, '')]
  one.config.selfservice.registration.before.push({ run: 'session' })
  t.same(one.config.selfservice.login.before, [])
  t.same(other.config.selfservice.registration.before, [])
})

t.test('later files win: maps are merged, lists and values replaced', async t => {
  const { config } = await load(t, [
    'session: { lifespan: 1h, cookie: { name: one } }\nsecrets: { session: [first-secret-first-secret-first-secret, second-secret-second-secret-second] }\n',
    'session: { cookie: { name: other } }\nsecrets: { session: [third-secret-third-secret-third-secret] }\n',
    'session: { idle_lifespan: 5m }\n',
  ])
  t.match(config.session, { lifespan: '1h', idle_lifespan: '5m', cookie: { name: 'other' } })
  t.same(config.secrets.session, ['third-secret-third-secret-third-secret'])
})

t.test('an overlay need not be complete, and an error names the file that is wrong', async t => {
  t.same(await complaints(t, ['log: { level: debug }\n', '\nlog: { level: loud, format: text }\n']), [
    '1.yml:2:8 log.level must be one of trace, debug, info, warning, warn, error, fatal, panic',
  ])
  t.same(await complaints(t, ['log: { level: loud }\n', 'log: { level: info }\n']), [], 'what is overlaid is not wrong any more')
})

t.test('a list of a later file has its own places', async t => {
  t.same(await complaints(t, [
    'selfservice: { logout: { redirect_to: "https://example.org/" }, registration: { before: [ { run: a, config: {} }, { run: b } ] } }\n'.replace(/^/, minimalYaml.replace(/selfservice:[^]*/, '')),
    'selfservice:\n  registration:\n    before:\n      - config: {}\n',
  ]), ['1.yml:4:9 selfservice.registration.before[0].run is required'])
})

t.test('files are found missing all at once', async t => {
  const folder = t.testdir({})
  const files = ['a.yml', '.'].map(name => join(folder, name))
  await t.rejects(loadConfig(files, {}), { name: 'ConfigError', message: `${files[0]} can't be read: there is no such file\n${files[1]} can't be read: it is a folder` })
})

t.test('without files everything can come from the environment', async t => {
  const env = {
    URLS_SELF_PUBLIC: 'https://example.org/public', URLS_REGISTRATION_UI: 'https://example.org/r', URLS_LOGIN_UI: 'https://example.org/l',
    URLS_ERROR_UI: 'https://example.org/e', URLS_DEFAULT_RETURN_TO: 'https://example.org/', IDENTITY_TRAITS_DEFAULT_SCHEMA_URL: 'file://schema.json',
    SELFSERVICE_LOGOUT_REDIRECT_TO: 'https://example.org/l',
  }
  const { config, baseDir, files } = await loadConfig([], env)
  t.equal(config.urls.self.public, 'https://example.org/public')
  t.equal(baseDir, process.cwd())
  t.same(files, [])

  await t.rejects(loadConfig([], { ...env, URLS_LOGIN_UI: '' }), { message: 'urls.login_ui is required; it can also come from URLS_LOGIN_UI' })
})

t.test('other names of keys', async t => {
  const { config, warnings } = await load(t, [
    `ttl: { session: 2h }
serve:
  proxy: { port: 1, cors: { enabled: true } }
  api: { port: 2 }
`,
    `selfservice:
  after:
    password: [ { job: session }, { hook: redirect, config: { default_redirect_url: "https://example.org/" } } ]
  login: { before: [ { hook: restrict_ip } ], after: { oidc: [ { job: session } ] } }
`])
  t.equal(config.session.lifespan, '2h')
  t.equal(config.serve.public.port, 1)
  t.equal(config.serve.public.cors.enabled, true)
  t.equal(config.serve.admin.port, 2)
  t.same(config.selfservice.registration.after.password, [{ run: 'session' }, { run: 'redirect', config: { default_redirect_url: 'https://example.org/' } }])
  t.same(config.selfservice.login.before, [{ run: 'restrict_ip' }])
  t.same(config.selfservice.login.after.oidc, [{ run: 'session' }])
  t.same(warnings, [])
})

t.test('one file may use one name and a later one the other', async t => {
  const { config } = await load(t, ['serve: { proxy: { port: 1, host: 127.0.0.1 } }\n', 'serve: { public: { port: 2 } }\n'])
  t.match(config.serve.public, { port: 2, host: '127.0.0.1' })
})

t.test('keys of Kratos and Oathkeeper that mean nothing here are warned of, each with its place', async t => {
  const { config, warnings } = await load(t, `$schema: ./oathgate.schema.json
version: v0.1.0
courier: { smtp: { connection_uri: "smtp://user:secret@mail" } }
log: { leak_sensitive_values: true, level: warning }
serve:
  proxy:
    cors: { debug: true }
    trust_forwarded_headers: false
  api: { tls: { key: { path: /key } } }
  prometheus: { port: 9000 }
tracing: { provider: jaeger, service_name: ORY Oathkeeper, providers: { jaeger: { local_agent_address: "jaeger:6831" } } }
`)
  t.same(warnings.map(line => line.replace(/^.*0\.yml/, '0.yml')), [
    '0.yml:11:1 version is not used: a configuration has no version of its own',
    '0.yml:12:1 courier is not used: no mail is sent',
    '0.yml:20:12 tracing.provider is not used: traces are sent by OTLP alone, where tracing.enabled and .endpoint say so',
    '0.yml:20:60 tracing.providers is not used: traces are sent by OTLP alone, where tracing.enabled and .endpoint say so',
    '0.yml:18:10 serve.api.tls is not used: this listener speaks plain HTTP; let what stands in front of it speak TLS',
    '0.yml:16:13 serve.proxy.cors.debug is not used: CORS writes nothing to the log',
    '0.yml:19:3 serve.prometheus is not used: metrics are at /metrics of the admin listener',
    '0.yml:13:8 log.leak_sensitive_values is not used: secrets are never logged',
  ])
  t.equal(config.log.level, 'warning')
  t.match(config.tracing, { enabled: false, service_name: 'ORY Oathkeeper' })
  t.notOk('$schema' in config)
  t.notOk('courier' in config)
})

t.test('a section whose keys are all commented out is an empty section', async t => {
  const { config } = await load(t, ['session: { lifespan: 1h }\n', 'session:\n  # lifespan: 2h\nauthenticators:\n  noop:\n  jwt:\n    config:\nserve:\n  proxy:\n'])
  t.equal(config.session.lifespan, '1h')
  t.same(config.authenticators, { noop: {}, jwt: { config: {} } })
  t.equal(config.serve.public.port, 4455)
})

t.test('relative file:// URLs are relative to the file that they stand in', async t => {
  const folder = t.testdir({ 'base.yml': `${minimalYaml}access_rules: { repositories: ["file://rules/", "file:///etc/rules.yml", "inline://W10="] }\n` })
  mkdirSync(join(folder, 'over'))
  writeFileSync(join(folder, 'over', 'over.yml'), 'mutators: { id_token: { config: { jwks_url: "file://../keys with space.json" } } }\n')

  const { config, baseDir, files } = await loadConfig([join(folder, 'base.yml'), join(folder, 'over', 'over.yml')], {})
  t.equal(config.identity.traits.default_schema_url, `file://${folder}/identity.schema.json`)
  t.same(config.access_rules.repositories, [`file://${folder}/rules/`, 'file:///etc/rules.yml', 'inline://W10='])
  t.same(config.mutators.id_token?.config, { jwks_url: `file://${folder}/keys with space.json` })
  t.equal(baseDir, join(folder, 'over'))
  t.same(files, [join(folder, 'base.yml'), join(folder, 'over', 'over.yml')])
})

t.test('later checks can tell where a setting was written', async t => {
  const { placeOf, files } = await load(t, 'authenticators:\n  jwt:\n    config: { jwks_urls: [] }\n', { MUTATORS_HEADER_CONFIG: '{"headers":{"X-User":"x"}}' })
  t.same(placeOf(['authenticators', 'jwt', 'config', 'jwks_urls']), { file: files[0], line: 12, column: 15, path: 'authenticators.jwt.config.jwks_urls' })
  t.same(placeOf(['authenticators', 'jwt', 'config', 'absent', 'too']), { file: files[0], line: 12, column: 5, path: 'authenticators.jwt.config.absent.too' })
  t.same(placeOf(['mutators', 'header', 'config', 'headers', 'X-User']), { path: 'MUTATORS_HEADER_CONFIG.headers.X-User' })
})

t.test('an error with many problems prints the first fifty and has them all', async t => {
  const yaml = Array.from({ length: 60 }, (_, index) => `unknown_${index}: 1\n`).join('')
  const error: unknown = await load(t, yaml).catch((thrown: unknown) => thrown)
  t.equal(error instanceof ConfigError && error.problems.length, 60)
  const lines = await complaints(t, yaml)
  t.equal(lines.length, 51)
  t.equal(lines.at(-1), '... and 10 more')
})
