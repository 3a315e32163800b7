import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { tmpdir } from 'node:os'

import t, { type Test } from 'tap'

import { loadIdentitySchemas } from '../../src/identity/identity-schema.js'
import { identifier, loadSchema, loadWithWarnings, schemaUrl } from '../helpers/identity-schema.js'

const email = { type: 'string', format: 'email', minLength: 3, title: 'E-Mail', ...identifier }
const person = {
  $id: 'https://example.com/person.schema.json',
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'A person', type: 'object', properties: { email }, required: ['email'], additionalProperties: false,
}

t.test('the schema of the quickstart loads without a warning, and its document is kept byte for byte', async t => {
  const text = JSON.stringify(person, null, '\t')
  const { schema, warnings } = await loadWithWarnings(text)
  t.strictSame(warnings, [])
  t.equal(schema.document.toString(), text)
  t.strictSame(schema.fields, [{ name: 'traits.email', type: 'email', pattern: undefined, required: true, title: 'E-Mail' }])
})

t.test('F1 every type and format has its input type', async t => {
  const properties = {
    string: { type: 'string' }, number: { type: 'number' }, integer: { type: 'integer' }, boolean: { type: 'boolean' },
    email: { type: 'string', format: 'email' }, 'date-time': { type: 'string', format: 'date-time' },
    regex: { type: 'string', format: 'regex' }, date: { type: 'string', format: 'date' }, uri: { type: 'string', format: 'uri' },
    pattern: { type: 'string', pattern: '^[a-z]*$' },
  }
  const { fields } = await loadSchema({ type: 'object', properties })
  t.strictSame(fields.map(({ name, type, pattern }) => [name, type, pattern]), [
    ['traits.string', 'text', undefined], ['traits.number', 'number', undefined], ['traits.integer', 'number', undefined],
    ['traits.boolean', 'checkbox', undefined], ['traits.email', 'email', undefined],
    ['traits.date-time', 'datetime-local', undefined], ['traits.regex', 'text', undefined], ['traits.date', 'date', undefined],
    ['traits.uri', 'url', undefined], ['traits.pattern', 'text', '^[a-z]*$'],
  ])
})

t.test('F5 nested traits have dotted names, lists and objects without properties are one text field', async t => {
  const { fields } = await loadSchema({
    type: 'object',
    properties: {
      objy: { type: 'object', properties: { objy: { type: 'object' }, numby: { type: 'number' } } },
      list: { type: 'array', items: { type: 'string' } },
      'dotted.name': { type: 'string' },
    },
  })
  t.strictSame(fields.map(({ name, type }) => [name, type]), [
    ['traits.objy.objy', 'text'], ['traits.objy.numby', 'number'], ['traits.list', 'text'], ['traits.dotted\\.name', 'text'],
  ])
})

t.test('F8 fields come in the textual order of the schema, depth first, names that look like numbers included', async t => {
  const order = async (text: string) => (await loadSchema(text)).fields.map(({ name }) => name.slice('traits.'.length))
  const text = '{"type":"string"}'
  t.strictSame(await order(`{"properties":{"meal":{"properties":{"name":${text},"chef":${text}}},"fruits":${text},"vegetables":${text}}}`),
    ['meal.name', 'meal.chef', 'fruits', 'vegetables'])
  t.strictSame(await order(`{"properties":{"bar":${text},"email":${text}}}`), ['bar', 'email'])
  t.strictSame(await order(`{"properties":{"b":${text},"10":${text},"2":${text},"a":${text}}}`), ['b', '10', '2', 'a'])
  t.strictSame(await order(`{"allOf":[{"properties":{"first":${text}}}],"properties":{"second":${text}},"anyOf":[{"properties":{"third":${text}}}]}`),
    ['first', 'second', 'third'])
})

t.test('3.4 a trait of open type has no field, one of constant or default has', async t => {
  const { fields } = await loadSchema({
    properties: {
      nullable: { type: ['string', 'null'] }, open: {}, any: true, none: false, choice: { enum: ['a'] },
      constant: { const: 3 }, preset: { default: true }, one: { type: ['string'] },
    },
  })
  t.strictSame(fields.map(({ name, type }) => [name, type]), [['traits.constant', 'number'], ['traits.preset', 'checkbox'], ['traits.one', 'text']])
})

t.test('3.4 references and branches are walked; a trait described twice is one field with the attributes of both', async t => {
  const { fields } = await loadSchema({
    definitions: { name: { type: 'object', properties: { first: { type: 'string' } }, required: ['first'] } },
    properties: { name: { $ref: '#/definitions/name' }, nick: { pattern: '^a' } },
    required: ['name'],
    allOf: [{ properties: { nick: { type: 'string' } }, required: ['nick'] }],
    if: { properties: { age: { type: 'integer' } }, required: ['age'] },
  })
  t.strictSame(fields.map(({ name, type, pattern, required }) => [name, type, pattern, required]), [
    ['traits.name.first', 'text', undefined, true], ['traits.nick', 'text', '^a', true], ['traits.age', 'number', undefined, false],
  ])
})

t.test('a field is required when it is at every level, and a checkbox never', async t => {
  const { fields } = await loadSchema({
    properties: {
      tos: { type: 'boolean' },
      address: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      name: { type: 'object', properties: { first: { type: 'string' }, last: { type: 'string' } }, required: ['last'] },
    },
    required: ['tos', 'name'],
  })
  t.strictSame(fields.filter(({ required }) => required).map(({ name }) => name), ['traits.name.last'])
})

t.test('drafts 07, 2019-09 and 2020-12 are understood, others refused by name', async t => {
  for (const [$schema, keyword] of [
    ['https://json-schema.org/draft-07/schema', 'definitions'], ['https://json-schema.org/draft/2019-09/schema', '$defs'],
    ['https://json-schema.org/draft/2020-12/schema', '$defs'],
  ] as const) {
    const schema = await loadSchema({ $schema, [keyword]: { short: { type: 'string', maxLength: 2 } }, properties: { a: { $ref: `#/${keyword}/short` } } })
    t.match(schema.validate({ a: 'long' }), [{ code: 'max_length', field: 'traits.a' }], $schema)
  }
  const tuple = await loadSchema({ $schema: 'https://json-schema.org/draft/2020-12/schema', properties: { a: { type: 'array', prefixItems: [{ type: 'integer' }], items: false } } })
  t.match(tuple.validate({ a: ['x', 'y'] }), [{ code: 'type', field: 'traits.a.0' }, { code: 'additional_items', field: 'traits.a' }])
  await t.rejects(loadSchema({ $schema: 'http://json-schema.org/draft-04/schema#' }), { message: /:1:12: "\$schema" is not draft-06/ })
})

t.test('a mistake in a schema stops the start and is named with its line and column', async t => {
  const cases: [name: string, text: string, message: RegExp][] = [
    ['not JSON', '{\n  "type": object\n}', /:2:11: expected a JSON value, found "o"/],
    ['cut off', '{"type"', /:1:8: expected ":", found the end of the text/],
    ['a key twice', '{"a":1,\n"a":2}', /:2:1: the key "a" is there already/],
    ['not an object', '[]', /:1:1: an identity schema is a JSON object/],
    ['against the meta-schema', '{"properties":{"a":\n{"type":"strin"}}}', /:2:9: "type" must be equal to one of the allowed values$/],
    ['a member of ory.sh/kratos that nobody knows', '{"properties":{"a":{"ory.sh/kratos":{"credentials":{"password":{"identifer":true}}}}}}', /:1:77: ory\.sh\/kratos\.credentials\.password\.identifer is not known/],
    ['a wrong value in ory.sh/kratos', '{"properties":{"a":{"ory.sh/kratos":{"credentials":{"password":{"identifier":"yes"}}}}}}', /ory\.sh\/kratos\.credentials\.password\.identifier must be boolean/],
    ['an identifier that is no text', '{"properties":{"age":{"type":"integer","ory.sh/kratos":{"credentials":{"password":{"identifier":true}}}}}}', /an identifier must be a string, this is of type integer/],
    ['circular', '{"properties":{"friend":{"$ref":"#"}}}', /:1:33: "\$ref": "#" is circular/],
    ['circular through a list', '{"definitions":{"p":{"properties":{"ps":{"type":"array","items":{"$ref":"#/definitions/p"}}}}},"properties":{"p":{"$ref":"#/definitions/p"}}}', /is circular/],
    ['a pattern with lookaround', '{"properties":{"a":{"type":"string","pattern":"^(?=.*[0-9]).*$"}}}', /:1:47: the pattern can not be evaluated in linear time/],
    ['a trait called __proto__', '{"properties":{"__proto__":{"type":"string"}}}', /a trait can not be called "__proto__"/],
    ['a validator that answers later', '{"$async":true}', /"\$async" is not supported/],
  ]
  for (const [name, text, message] of cases) await t.rejects(loadSchema(text), { message }, name)
})

t.test('J5 a reference to another document is an error, and nothing is fetched for it', async t => {
  let asked = 0
  const url = await serve(t, (_request, response) => { asked++; response.end('{}') })
  for (const reference of [`${url}/schema.json`, 'http://169.254.169.254/latest', 'file:///etc/passwd', '../../x', '#/definitions/nowhere', '#/properties/a/type']) {
    await t.rejects(loadSchema({ properties: { a: { type: 'string' }, b: { $ref: reference } } }), { message: /is not a schema in this document/ }, reference)
  }
  t.equal(asked, 0)
  await t.resolves(loadSchema({ $id: 'https://example.com/p.json', definitions: { a: { $id: '#a', type: 'string' } }, properties: { a: { $ref: '#a' }, b: { $ref: 'https://example.com/p.json#/definitions/a' } } }))
})

t.test('J2 what a schema leaves open, and an identifier that nobody has, are warned of', async t => {
  const open = await loadWithWarnings({ properties: { name: { properties: { first: { type: 'string' } } } }, additionalProperties: false })
  t.match(open.warnings, [/:1:23: without "additionalProperties": false/, /:1:1: no trait is an identifier/])

  const others = await loadWithWarnings({
    type: 'object', additionalProperties: false, requird: ['email'],
    properties: { email, phone: { type: 'string', format: 'tel' } }, definitions: { unused: { type: 'string', ...identifier } },
  })
  t.match(others.warnings, [/:1:57: "requird" is not a keyword/, /the format "tel" is not known/, /an identifier at this place is never looked at/])
})

t.test('SC4 files are relative to the config file; what can not be read stops the start (contract RP7)', async t => {
  const baseDir = mkdtempSync(join(tmpdir(), 'schemas-'))
  writeFileSync(join(baseDir, 'person.json'), JSON.stringify(person))
  writeFileSync(join(baseDir, 'broken.json'), '{"type": 1}')
  const load = (defaultUrl: string, schemas: { id: string, url: string }[] = []) => loadIdentitySchemas({ defaultUrl, schemas, baseDir })

  const loaded = await load('file://person.json', [{ id: 'other', url: `file://${join(baseDir, 'person.json')}` }])
  t.equal(loaded.get('other')?.id, 'other')
  t.equal(loaded.get('third'), undefined)

  await t.rejects(load('file://missing.json'), { message: /^missing\.json: there is no such file$/ })
  await t.rejects(load('file://.'), { message: /^\.: it is a folder$/ })
  await t.rejects(load('ftp://example.org/x'), { message: /begins with file:\/\// })
  await t.rejects(load('base64://***'), { message: /not base64/ })
  await t.rejects(load('file://broken.json', [{ id: 'a', url: 'file://missing.json' }, { id: 'a', url: 'file://person.json' }]),
    { message: /^broken\.json:1:10: "type" .*\nmissing\.json: there is no such file\nthere are two identity schemas with the id "a"$/ }, 'every mistake at once')
})

t.test('a schema is fetched over http once, with limits, and redirects are not followed', async t => {
  const url = await serve(t, (request, response) => {
    if (request.url?.startsWith('/person.json')) return response.end(JSON.stringify(person))
    if (request.url === '/moved.json') return response.writeHead(302, { location: '/person.json' }).end()
    if (request.url === '/long.json') return response.end(Buffer.alloc(1_048_577, 32))
    return response.writeHead(500).end('secret')
  })
  const load = (path: string) => loadIdentitySchemas({ defaultUrl: url.replace('//', '//user:secret@') + path, schemas: [], baseDir: '/' })

  t.equal((await load('/person.json?token=secret')).get('default')?.fields.length, 1)
  await t.rejects(load('/moved.json'), { message: `${url}/moved.json: the server answered with status 302` })
  await t.rejects(load('/long.json'), { message: `${url}/long.json: the answer is longer than 1048576 bytes` })
  await t.rejects(load('/broken.json?token=secret'), { message: `${url}/broken.json: the server answered with status 500` })
})

t.test('several schemas have their own traits', async t => {
  const number = { properties: { a: { type: 'number' } } }
  const schemas = await loadIdentitySchemas({ defaultUrl: schemaUrl(person), schemas: [{ id: 'number', url: schemaUrl(number) }], baseDir: '/' })
  t.match(schemas.get('default')?.validate({ a: 1 }), [{ code: 'required' }, { code: 'additional_property' }])
  t.strictSame(schemas.get('number')?.validate({ a: 1 }), [])
})

async function serve(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => { server.close(); server.closeAllConnections() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
