/** Mistakes in the configuration of providers: all at once, each with its place. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'

import { loadChecked } from '../../../src/cli/serve.js'
import type { ConfigError } from '../../../src/config/config-error.js'
import { startOidcGateway } from '../../helpers/oidc-gateway.js'

const head = `dsn: embedded://./data
urls:
  self: { public: http://127.0.0.1:4455/.ory/kratos/public, admin: http://127.0.0.1:4434 }
  registration_ui: http://ui.test/a
  login_ui: http://ui.test/b
  error_ui: http://ui.test/c
  default_return_to: http://ui.test/
identity: { traits: { default_schema_url: file://identity.schema.json } }`
const firstLine = head.split('\n').length + 8

async function mistakes(t: Test, providers: readonly string[], enabled = true): Promise<string[]> {
  const file = join(t.testdir({}), 'oathgate.yml')
  const entries = providers.map(entry => `          - ${entry}\n`).join('')
  await writeFile(file, `${head}
selfservice:
  logout: { redirect_to: http://ui.test/ }
  strategies:
    oidc:
      enabled: ${enabled}
      config:
        providers:
${entries}`)
  try {
    await loadChecked([file])
    return []
  } catch (error) {
    return (error as ConfigError).message.split('\n').map(line => line.replace(file, 'oathgate.yml'))
  }
}

const line = (entry: number): string => `oathgate.yml:${firstLine + entry}`
const path = 'selfservice.strategies.oidc.config.providers'
const escaped = path.replaceAll('.', '\\.')

t.test('every mistake is told, with its place', async t => {
  t.match(await mistakes(t, [
    '{ id: a, provider: generic, client_id: x }',
    '{ id: b, provider: google, client_id: x }',
    '{ id: b, provider: github, client_id: x, client_secret: y, issuer_url: https://github.com }',
    '{ id: c, provider: generic, client_id: x, issuer_url: http://accounts.example.org }',
    '{ id: d, provider: generic, client_id: x, issuer_url: https://a.example, schema_url: file://missing.json }',
    '{ id: e, provider: generic, client_id: x, issuer_url: https://a.example, schema_url: base64://e30=, claims: { a: b } }',
    '{ id: f, provider: generic, client_id: x, issuer_url: https://a.example, claims: { constructor: b } }',
    '{ id: g, provider: generic, client_id: x, issuer_url: https://a.example, token_url: https://a.example/token }',
  ]), [
    `${line(0)}:13 ${path}[0] has no issuer_url, which generic needs`,
    `${line(1)}:13 ${path}[1] has no client_secret, which google asks for`,
    `${line(2)}:15 ${path}[2].id is the id of another provider already`,
    `${line(2)}:72 ${path}[2].issuer_url is not for github, which is no OpenID provider`,
    `${line(3)}:55 ${path}[3].issuer_url must be https: over http anybody on the way can sign in as anybody`,
    new RegExp(`^${line(4)}:86 ${escaped}\\[4\\]\\.schema_url can not be used: .*missing\\.json: there is no such file`),
    `${line(5)}:113 ${path}[5].claims can not be used together with schema_url`,
    `${line(6)}:96 ${path}[6].claims.constructor is not the path of a trait`,
    `${line(7)}:86 ${path}[7].token_url is for github alone; an OpenID provider tells its URLs itself, below issuer_url`,
  ])
})

t.test('a provider that nobody knows is told with those there are', async t => {
  t.strictSame(await mistakes(t, ['{ id: a, provider: gogle, client_id: x, client_secret: y }']), [
    `${line(0)}:22 ${path}[0].provider must be one of generic, google, github, microsoft, gitlab, apple, discord, slack; did you mean google?`,
  ])
})

t.test('providers that are not used are not looked at', async t => {
  t.strictSame(await mistakes(t, ['{ id: a, provider: generic, client_id: x }'], false), [])
})

t.test('every preset stands by itself', async t => {
  const presets = ['google', 'github', 'microsoft', 'gitlab', 'apple', 'discord', 'slack']
  t.strictSame(await mistakes(t, presets.map(provider => `{ id: ${provider}, provider: ${provider}, client_id: x, client_secret: y, claims: { email: email } }`)), [])
  t.strictSame(await mistakes(t, ['{ id: local, provider: generic, client_id: x, issuer_url: http://127.0.0.1:4438 }']), [])
})

t.test('a trait that the identity schema does not know is warned of', async t => {
  const gateway = await startOidcGateway(t, [{
    id: 'acme', provider: 'generic', client_id: 'x', issuer_url: 'https://a.example', claims: { 'emial': 'email', 'name.first': 'given_name', 'email': 'email' },
  }])
  t.match(gateway.logged.filter(({ msg }) => String(msg).startsWith('provider')), [{ msg: /^provider acme: the identity schema has no trait "emial"/ }])
})
