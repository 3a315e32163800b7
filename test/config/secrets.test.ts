/** Secrets that sign cookies are never missing, never shared by accident, never printed. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import t from 'tap'

import { sessionSecrets } from '../../src/config/secrets.js'
import { complaints, load } from '../helpers/config-files.js'

const configured = ['first-secret-first-secret-first-secret', 'second-secret-second-secret-second']

t.test('configured secrets are taken as they are', async t => {
  const folder = t.testdir({})
  const { config } = await load(t, `secrets: { session: [${configured.join(', ')}] }\n`)
  t.same(await sessionSecrets(config, folder), configured)
  t.same(await sessionSecrets(config, undefined), configured)
  t.same(readdirSync(folder), [], 'nothing is written')
})

t.test('K1 without any, one is made, kept for the owner alone, and stays', async t => {
  const folder = join(t.testdir({}), 'not', 'there', 'yet')
  const { config } = await load(t, '')

  const [secret, ...others] = await sessionSecrets(config, folder)
  t.match(secret, /^[A-Za-z0-9_-]{64}$/)
  t.same(others, [])
  t.equal(statSync(join(folder, 'session-secret')).mode & 0o777, 0o600)
  t.equal(statSync(folder).mode & 0o777, 0o700)
  t.same(await sessionSecrets(config, folder), [secret])
  t.same(readdirSync(folder), ['session-secret'], 'nothing else is left behind')
})

t.test('K1 two stores have two secrets', async t => {
  const folder = t.testdir({})
  const { config } = await load(t, '')
  t.not((await sessionSecrets(config, join(folder, 'a')))[0], (await sessionSecrets(config, join(folder, 'b')))[0])
})

t.test('of concurrent starts all get the secret that was there first', async t => {
  const folder = t.testdir({})
  const { config } = await load(t, '')
  const all = await Promise.all(Array.from({ length: 50 }, () => sessionSecrets(config, folder)))
  t.equal(new Set(all.flat()).size, 1)
  t.equal(readFileSync(join(folder, 'session-secret'), 'utf8').trim(), all[0]?.[0])
  t.same(readdirSync(folder), ['session-secret'])
})

t.test('a damaged secret stops the start instead of signing with nothing', async t => {
  const folder = t.testdir({ 'session-secret': '\n' })
  const { config } = await load(t, '')
  await t.rejects(sessionSecrets(config, folder), { name: 'ConfigError', message: /holds no secret of at least 32 characters; delete it/ })
})

t.test('a folder that can not be made stops the start', async t => {
  const folder = t.testdir({ data: 'a file' })
  const { config } = await load(t, '')
  await t.rejects(sessionSecrets(config, join(folder, 'data', 'x')), { code: 'ENOTDIR' })
  t.same(readdirSync(folder), ['data'])
})

t.test('K1 Redis needs configured secrets', async t => {
  const { config } = await load(t, '')
  await t.rejects(sessionSecrets(config, undefined), {
    name: 'ConfigError', problems: [{ path: 'secrets.session', message: /is required with Redis.*openssl rand -base64 48/ }],
  })
})

t.test('K7 no mistake makes the loader print a configured value', async t => {
  const value = 'hunter2-hunter2'
  const yaml = [
    `secrets: { session: ${value} }`, `secrets: { session: [${value}] }`, `secrets: { session: [[${value}]] }`, `secrets: { session: { a: ${value} } }`,
    `secrets: { session: [${value}-${value}-${value}, ${value}-${value}-${value}, !${value}] }`, `secrets: { session: [@${value}] }`, `secrets: { session: [*${value}] }`,
    `secrets: { session: ["${value}\\q"] }`, `secrets: { session: ["a" ${value}] }`, `secrets: { session: ["${value}] }`, `secrets: { session: |${value}\n }`,
    `secrets:\n  session:\n    - ${value}: ${value}: ${value}`, `serve: { admin: { token: ${value} } }`, `dsn: postgres://${value}@db`, `dsn: [${value}]`,
    `log: { level: ${value}, format: ${value} }`, `session: { lifespan: ${value}, cookie: { name: "${value} ", same_site: ${value} } }`,
    `authenticators: { noop: { enabled: ${value} }, jwt: { config: ${value} } }`, `serve: { public: { port: ${value}, cors: { allowed_origins: [${value}] } } }`,
    `selfservice: { strategies: { oidc: { config: { providers: [{ id: a, provider: google, client_id: x, client_secret: [${value}], issuer_url: "https://x:${value}@y" }] } } } }`,
    `courier: { smtp: { connection_uri: "${value}" } }\nlog: 5`, `serve: { proxy: { tls: { key: { base64: ${value} } } } }\nlog: 5`,
  ]
  for (const content of yaml) {
    const lines = await complaints(t, `${content}\n`)
    t.ok(lines.length > 0, content)
    t.notMatch(lines.join('\n'), /hunter2/, content)
  }
})

t.test('K7 nor one from the environment, nor the name of a file that may be one', async t => {
  const value = 'hunter2-hunter2'
  const variables = [
    'SECRETS_SESSION', 'SERVE_ADMIN_TOKEN', 'DSN', 'SERVE_PUBLIC_PORT', 'AUTHENTICATORS_NOOP_ENABLED', 'AUTHENTICATORS_JWT_CONFIG', 'URLS_SELF_PUBLIC',
    'SELFSERVICE_STRATEGIES_OIDC_CONFIG_PROVIDERS', 'SECRETS_SESSION_FILE', 'SERVE_ADMIN_TOKEN_FILE', 'DSN_FILE', 'SESSION_LIFESPAN', 'LOG_LEVEL',
  ]
  for (const name of variables) {
    const lines = await complaints(t, '', { [name]: value })
    t.ok(lines.length > 0, name)
    t.match(lines.join('\n'), name.replace(/_FILE$/, ''))
    t.notMatch(lines.join('\n'), /hunter2/, name)
  }
  const { warnings } = await load(t, '', { SECRET_SESSION: value, MUTATORS_HEADER_CONFIG_X: value })
  t.equal(warnings.length, 2)
  t.notMatch(warnings.join('\n'), /hunter2/)
})

t.test('K7 nor one from a file that a variable names', async t => {
  const file = join(t.testdir({}), 'secret')
  writeFileSync(file, 'hunter2\n')
  const lines = await complaints(t, '', { SECRETS_SESSION_FILE: file, SERVE_ADMIN_TOKEN_FILE: file })
  t.same(lines, ['SERVE_ADMIN_TOKEN_FILE must have at least 32 characters', 'SECRETS_SESSION_FILE[0] must have at least 32 characters'])
})
