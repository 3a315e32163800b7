/** What is written down about the configuration agrees with what the loader does; the files that ship agree with both. */
import { readFileSync } from 'node:fs'

import { Ajv } from 'ajv'
import t from 'tap'
import { parse } from 'yaml'

import { handlerSchemas } from '../../src/access/handlers.js'
import { documentText } from '../../src/cli/documents.js'
import { configReference, jsonSchemaDocument } from '../../src/config/documents.js'
import { loadConfig } from '../../src/config/load.js'
import { configSchema } from '../../src/config/schema.js'
import { leavesOf, variableOf, type SchemaNode } from '../../src/config/schema-leaves.js'
import { minimalYaml } from '../helpers/config-files.js'

const root = new URL('../../', import.meta.url)
const text = (path: string) => readFileSync(new URL(path, root), 'utf8')
const file = (path: string) => new URL(path, root).pathname

function editor(handlerSchemas?: Parameters<typeof jsonSchemaDocument>[0]) {
  const ajv = new Ajv({ strict: false, allErrors: true, formats: { uri: URL.canParse.bind(URL) } })
  return ajv.compile(JSON.parse(jsonSchemaDocument(handlerSchemas)) as object)
}

t.test('config/oathgate.schema.json is what `oathgate docs schema` prints', t => {
  t.equal(text('config/oathgate.schema.json'), jsonSchemaDocument(handlerSchemas()))
  t.end()
})

t.test('docs/handlers.md is what `oathgate docs handlers` prints', t => {
  t.equal(text('docs/handlers.md'), documentText('handlers'))
  t.end()
})

t.test('docs/metrics.md is what `oathgate docs metrics` prints', t => {
  t.equal(text('docs/metrics.md'), documentText('metrics'))
  t.end()
})

t.test('docs/configuration.md is what `oathgate docs reference` prints', t => {
  t.equal(text('docs/configuration.md'), configReference())
  t.end()
})

t.test('every setting has a description', t => {
  const undescribed = (node: SchemaNode, path: string): string[] => leavesOf(node).flatMap(leaf => {
    const name = [path, ...leaf.path].join('.')
    const items = leaf.schema.items?.properties === undefined ? [] : undescribed(leaf.schema.items, `${name}[]`)
    return [...((leaf.schema.description ?? '').length < 8 ? [name] : []), ...items]
  })
  t.same(undescribed(configSchema, ''), [])
  t.end()
})

t.test('the sample names the schema in its first line, and both the schema and the loader accept it', async t => {
  const sample = text('config/oathgate.yml')
  t.equal(sample.split('\n')[0], '# yaml-language-server: $schema=./oathgate.schema.json')

  const validate = editor()
  validate(parse(sample))
  t.same(validate.errors, null)

  const { config, warnings } = await loadConfig([file('config/oathgate.yml')], {}, { execArgv: [] })
  t.same(warnings, [])
  t.equal(config.identity.traits.default_schema_url, `file://${file('config/identity.schema.json')}`)
  t.same(config.access_rules.repositories, [`file://${file('rules/')}`])
  t.same(config.selfservice.registration.after.password.map(job => job.run), ['session', 'redirect'])
})

t.test('the sample goes to production by the environment alone', async t => {
  const { config } = await loadConfig([file('config/oathgate.yml')], {
    NODE_ENV: 'production', URLS_SELF_PUBLIC: 'https://example.org/.ory/kratos/public', SECRETS_SESSION: 's'.repeat(40), DSN: 'rediss://redis:6379',
  }, { execArgv: [] })
  t.match(config, { dsn: 'rediss://redis:6379', urls: { self: { public: 'https://example.org/.ory/kratos/public' } } })
})

t.test('the identity schema that ships knows an e-mail address to log in with, and nothing beyond its fields', t => {
  const schema = JSON.parse(text('config/identity.schema.json')) as { properties: { email: Record<string, unknown> } }
  t.same(schema.properties.email['ory.sh/kratos'], { credentials: { password: { identifier: true } } })

  const validate = new Ajv({ strict: false, formats: { email: /^\S+@\S+$/ } }).compile(schema)
  t.ok(validate({ email: 'ada@example.org', name: { first: 'Ada', last: 'Lovelace' }, newsletter: true }))
  t.ok(validate({ email: 'ada@example.org' }))
  for (const traits of [{}, { email: 'a' }, { email: `${'a'.repeat(320)}@b` }, { email: 'a@b', role: 'admin' }, { email: 'a@b', name: { middle: 'x' } }]) {
    t.notOk(validate(traits), JSON.stringify(traits).slice(0, 60))
  }
  t.end()
})

t.test('editors accept other names and unused keys, and complain about misspelt ones', t => {
  const validate = editor()
  const accepts = (yaml: string) => validate(parse(minimalYaml + yaml))
  for (const yaml of [
    '', '$schema: x\nversion: v1\ncourier: { smtp: {} }\n', 'ttl: { session: 1h }\n',
    'serve: { proxy: { port: 1, cors: { debug: true }, tls: {}, trust_forwarded_headers: false }, api: { cors: {} }, prometheus: {} }\n',
    '  registration: { before: [ { run: a }, { job: a }, { hook: a, config: {} } ] }\n', '  after: { password: [ { hook: session } ] }\n',
    'authenticators: { jwt: { config: { anything: 1 } } }\n',
  ]) t.ok(accepts(yaml), `${yaml}: ${JSON.stringify(validate.errors)}`)

  for (const yaml of [
    'sesion: {}\n', 'serve: { proxy: { prot: 1 } }\n', 'serve: { proxy: { trust_forwarded_headers: true } }\n', 'ttl: { sesion: 1h }\n',
    '  registration: { before: [ { config: {} } ] }\n', '  after: { password: [ { hok: session } ] }\n', 'session: { lifespan: 1 day }\n',
  ]) t.notOk(accepts(yaml), yaml)
  t.notOk(validate({}), 'what is required is required')
  t.end()
})

t.test('with the schemas of handlers, editors know their config; nothing of it is required, since rules may say it', t => {
  const validate = editor({
    authenticators: { jwt: { type: 'object', additionalProperties: false, required: ['jwks_urls'], properties: { jwks_urls: { type: 'array' }, scope_strategy: { enum: ['none'] } } } },
    errors: { json: { type: 'object', additionalProperties: false, properties: { verbose: { type: 'boolean' } } } },
  })
  t.ok(validate(parse(`${minimalYaml}authenticators: { jwt: { config: { scope_strategy: none } } }\nerrors: { handlers: { json: { config: { verbose: true } } } }\n`)))
  t.notOk(validate(parse(`${minimalYaml}authenticators: { jwt: { config: { scope: none } } }\n`)))
  t.notOk(validate(parse(`${minimalYaml}errors: { handlers: { json: { config: { verbose: yes } } } }\n`)))
  t.end()
})

t.test('the reference is Markdown that tells each setting with its variable', t => {
  const reference = configReference()
  for (const line of reference.split('\n').filter(line => line.startsWith('| `') && !/^\| `[^`]*` \| `[^`]*` \|$/.test(line))) {
    t.equal(line.replaceAll('\\|', '').split('|').length, 7, line)
  }
  // Parts of the schema that stand in several places are told once.
  const elsewhere = /^(authenticators|authorizers|mutators|errors\.handlers|serve\.admin\.timeout|selfservice\.login)\./
  for (const { path } of leavesOf(configSchema)) {
    const name = path.join('.')
    if (!elsewhere.test(name)) t.match(reference, new RegExp(`^\\| \`${name.replaceAll('.', '\\.')}\` \\|.*\\| \`${variableOf(path)}\` \\|`, 'm'), name)
  }
  t.match(reference, '| `selfservice.login` | map | | | As `selfservice.registration`. |')
  t.match(reference, '| `authenticators.<name>.enabled` | boolean |')
  t.match(reference, '| `serve.proxy` | `serve.public` |')
  t.match(reference, '| `identity.traits.schemas[].id` | string | required |')
  t.end()
})
