import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'

import {
  goodPassword, identitiesOf, logIn, messagesOf, readForm, flowIdOf, signUp, usernameOf, whoAmI, type IdentityDocument,
} from '../helpers/flows.js'
import { startTestGateway, ui, type TestGateway } from '../helpers/gateway.js'
import { temporaryDirectory } from '../helpers/store.js'
import { newVisitor, type Page } from '../helpers/visitor.js'

const json = { accept: 'application/json', 'content-type': 'application/json' }
const unknownId = '5b0c1e0e-3f0a-4a52-9d3c-0b1d7f2a9c11'
/** Of `test`, as Kratos' own tests have it. */
const bcryptOfTest = '$2a$12$o6hx.Wog/wvFSkT/Bp/6DOxCtLRTDj7lm9on9suF/WaCGNVHbkfL6'
const customer = {
  type: 'object', additionalProperties: false,
  properties: { bar: { type: 'string' }, plan: { enum: ['Free', 'Pro'] }, firstName: { type: 'string', minLength: 2 } },
}

async function start(t: Test, config: Record<string, unknown> = {}): Promise<TestGateway> {
  const file = join(temporaryDirectory(t), 'customer.json')
  await writeFile(file, JSON.stringify(customer))
  return startTestGateway(t, { config: { identity: { traits: { schemas: [{ id: 'customer', url: `file://${file}` }] } }, ...config } })
}

function post(gateway: TestGateway, document: unknown): Promise<Page> {
  return newVisitor().submitJson(`${gateway.adminUrl}/identities`, document)
}

function put(gateway: TestGateway, id: string, document: unknown): Promise<Page> {
  return newVisitor().send(`${gateway.adminUrl}/identities/${id}`, { method: 'PUT', headers: json, body: JSON.stringify(document) })
}

function get(gateway: TestGateway, path: string): Promise<Page> {
  return newVisitor().fetch(`${gateway.adminUrl}${path}`)
}

function remove(gateway: TestGateway, id: string): Promise<Page> {
  return newVisitor().send(`${gateway.adminUrl}/identities/${id}`, { method: 'DELETE' })
}

t.test('I1 I2 nobody is an empty list, an unknown identity 404', async t => {
  const gateway = await start(t)
  const list = await get(gateway, '/identities')
  t.equal(list.status, 200)
  t.equal(list.headers['content-type'], 'application/json; charset=utf-8')
  t.equal(list.text, '[]')
  for (const id of [unknownId, 'nonsense', '__proto__', '*', '%00', 'x'.repeat(4000)]) {
    const page = await get(gateway, `/identities/${id}`)
    t.equal(page.status, 404, id.slice(0, 40))
    t.match(page.json(), { error: { code: 404, status: 'Not Found', message: 'Unable to locate the resource' } })
  }
})

t.test('I3 I4 I5 what can not be an identity is refused, with the reason, and changes nothing', async t => {
  const gateway = await start(t)
  const traits = { username: 'ada', foobar: 'bar' }
  const refused: [document: unknown, reason: RegExp][] = [
    [{ traits, traits_schema_id: 'does-not-exist' }, /does-not-exist/],
    [{ traits, traits_schema_id: 7 }, /7/],
    [{ traits, traits_schema_id: '__proto__' }, /__proto__/],
    [{ traits: { bar: 123 }, traits_schema_id: 'customer' }, /^traits\.bar: invalid type\. Expected: string, given: integer$/i],
    [
      { traits: { firstName: 'A' }, traits_schema_id: 'customer' },
      /^traits\.firstName: string length must be greater than or equal to 2$/,
    ],
    [{ traits: { plan: 'gold' }, traits_schema_id: 'customer' }, /^traits\.plan: plan must be one of the following: "Free", "Pro"$/],
    [{ traits: { whatever: 1 }, traits_schema_id: 'customer' }, /^additional property whatever is not allowed$/],
    [{ traits: { username: 'ada' } }, /^traits\.foobar: foobar is required$/],
    [{ traits, traits_schema_url: 'https://example.org/schema.json' }, /set a traits schema/],
    [{ traits, credentials: { password: {} } }, /"credentials.password.config" must be an object/],
    [{ traits, credentials: { webauthn: { config: {} } } }, /"credentials.webauthn" is not known/],
    [{ traits, credentials: { password: { config: {} } } }, /either "hashed_password" or "password"/],
    [{ traits, credentials: { password: { config: { password: 'a', hashed_password: bcryptOfTest } } } }, /either "hashed_password" or "password"/],
    [{ traits, credentials: { password: { config: { password: '' } } } }, /password must be a text that is not empty/],
    [{ traits, credentials: { password: { config: { password: 'a\ud800' } } } }, /not valid Unicode/],
    [{ traits, credentials: { password: { config: { hashed_password: 'correct horse' } } } }, /hashed_password is in no known format/],
    [{ traits, credentials: { password: { config: { hashed_password: bcryptOfTest.replace('12', '31') } } } }, /hashed_password has a cost of 31/],
    [{ traits: {}, traits_schema_id: 'customer', credentials: { password: { config: { hashed_password: bcryptOfTest } } } }, /nobody could log in/],
    [{ traits, credentials: { oidc: { config: { providers: [{ provider: 'acme' }] } } } }, /providers\[0\]\.subject/],
    [{ traits, state: 'active' }, /"state" is not known/],
    [{ traits: [] }, /"traits" must be an object/],
    [{ traits: 'ada' }, /"traits" must be an object/],
    [{ traits: { ...traits, username: 'a\u0000b' } }, /characters that can not be seen/],
    [[], /must be a JSON object/],
  ]
  for (const [document, reason] of refused) {
    const page = await post(gateway, document)
    t.equal(page.status, 400, JSON.stringify(document))
    t.match(page.json().error, { code: 400, status: 'Bad Request', reason }, JSON.stringify(document))
  }

  const created = (await post(gateway, { traits })).json() as IdentityDocument
  for (const [document, reason] of refused) {
    const page = await put(gateway, created.id, document)
    t.equal(page.status, 400, `PUT ${JSON.stringify(document)}`)
    t.match(page.json().error.reason, reason)
  }
  t.strictSame(await identitiesOf(gateway), [created])
})

t.test('J1 D3 J8 bodies that are hostile are refused on the admin listener, too', async t => {
  const gateway = await start(t)
  const send = (
    body: string | Buffer, headers: Record<string, string> = {},
  ): Promise<Page> => newVisitor().send(`${gateway.adminUrl}/identities`, {
    method: 'POST', body, headers: { ...json, ...headers },
  })
  const good = '{"traits":{"username":"eve","foobar":"bar"}}'
  const refused: [status: number, page: Page][] = [
    [400, await send('{"traits":{"__proto__":{"isAdmin":true},"username":"eve","foobar":"bar"}}')],
    [400, await send('{"__proto__":{"isAdmin":true}}')],
    [400, await send('{"traits":{"constructor":{"prototype":{"a":1}},"username":"eve","foobar":"bar"}}')],
    [400, await send(`{"traits":${'{"a":'.repeat(9000)}1${'}'.repeat(9000)}}`)],
    [400, await send('{"traits":')],
    [400, await send('"text"')],
    [413, await send(`{"traits":{"username":"${'x'.repeat(65_600)}"}}`)],
    [415, await send(good, { 'content-type': 'application/json; charset=utf-7' })],
    [400, await send(Buffer.from(`\ufeff${good}`, 'utf16le'))],
    [400, await send(Buffer.from(good.replace('bar', 'b\xffr'), 'latin1'))],
    [415, await send(good, { 'content-encoding': 'gzip' })],
  ]
  for (const [status, page] of refused) {
    t.equal(page.status, status, page.text.slice(0, 200))
    t.type(page.json().error.reason, 'string')
  }
  t.same(await identitiesOf(gateway), [])
})

t.test('A15 only JSON is read, so that no form on a web page can write', async t => {
  const gateway = await start(t)
  const body = '{"traits":{"username":"eve","foobar":"bar"}}'
  for (const type of [
    'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain; application/json',
    'application/jsonp', 'application/json-seq', '',
  ]) {
    for (const [method, path] of [['POST', '/identities'], ['PUT', `/identities/${unknownId}`]] as const) {
      const page = await newVisitor().send(`${gateway.adminUrl}${path}`, {
        method, body, headers: { accept: 'application/json', 'content-type': type },
      })
      t.equal(page.status, 415, `${method} ${type}`)
    }
  }
  t.same(await identitiesOf(gateway), [])
})

t.test('I6 I7 an identity is created with an id of ours and its place, without credentials', async t => {
  const gateway = await start(t)
  for (const id of [undefined, unknownId]) {
    const username = id === undefined ? 'ada' : 'bob'
    const page = await post(gateway, { ...(id === undefined ? {} : { id }), traits: { username, foobar: 'bar' } })
    t.equal(page.status, 201)
    const created = page.json() as IdentityDocument
    t.equal(page.headers['location'], `${gateway.adminUrl}/identities/${created.id}`)
    t.match(created.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    t.not(created.id, unknownId)
    t.strictSame(created, {
      id: created.id, traits_schema_id: 'default', traits_schema_url: `${gateway.publicUrl}/schemas/default`,
      traits: { username, foobar: 'bar' },
    })
    t.strictSame((await get(gateway, `/identities/${created.id}`)).json(), created)
    t.strictSame((await get(gateway, `/identities/${created.id.toUpperCase()}`)).json(), created, 'a UUID has no case')
  }
  const other = await post(gateway, { traits_schema_id: 'customer' })
  t.equal(other.status, 201)
  t.match(other.json(), { traits_schema_id: 'customer', traits_schema_url: `${gateway.publicUrl}/schemas/customer`, traits: {} })
  t.match(
    (await post(gateway, { traits_schema_id: '', traits: { username: 'eve', foobar: 'bar' } })).json(),
    { traits_schema_id: 'default' },
  )
})

t.test('I6 a created identity reserves its identifiers and has no password', async t => {
  const gateway = await start(t)
  await post(gateway, { traits: { username: 'Ada', foobar: 'bar' } })
  t.equal((await post(gateway, { traits: { username: 'ADA', foobar: 'bar' } })).status, 409)

  const visitor = newVisitor()
  t.same(messagesOf(await readForm(gateway, 'registration', flowIdOf(await signUp(visitor, gateway, 'ada')))), [
    'An account with the same identifier (email, phone, username, ...) exists already.',
  ])
  t.equal((await logIn(newVisitor(), gateway, 'ada', goodPassword)).location?.startsWith(`${ui}/auth/login`), true)
  t.equal((await identitiesOf(gateway)).length, 1)
})

t.test('I8 a change is stored, shown and listed', async t => {
  const gateway = await start(t)
  const created = (await post(gateway, { traits_schema_id: 'customer', traits: { bar: 'a' } })).json() as IdentityDocument
  t.strictSame((await get(gateway, `/identities/${created.id}`)).json(), created)

  const page = await put(gateway, created.id, { traits_schema_id: 'customer', traits: { bar: 'a', firstName: 'Ada' } })
  t.equal(page.status, 200)
  const changed = { ...created, traits: { bar: 'a', firstName: 'Ada' } }
  t.strictSame(page.json(), changed)
  t.strictSame((await get(gateway, `/identities/${created.id}`)).json(), changed)
  t.strictSame((await get(gateway, '/identities')).json(), [changed])

  t.strictSame((await put(gateway, created.id, { traits: { username: 'ada', foobar: 'bar' } })).json(), {
    id: created.id, traits_schema_id: 'default', traits_schema_url: `${gateway.publicUrl}/schemas/default`,
    traits: { username: 'ada', foobar: 'bar' },
  }, 'the whole is replaced, the schema with it')
})

t.test('I9 I10 an identity is deleted once, and what is unknown is 404', async t => {
  const gateway = await start(t)
  const traits = { username: 'ada', foobar: 'bar' }
  const { id } = (await post(gateway, { traits })).json() as IdentityDocument
  const removed = await remove(gateway, id.toUpperCase())
  t.equal(removed.status, 204)
  t.equal(removed.text, '')
  for (const page of [
    await get(gateway, `/identities/${id}`), await put(gateway, id, { traits }), await remove(gateway, id),
    await put(gateway, 'nonsense', { traits }), await remove(gateway, 'x'.repeat(4000)),
  ]) {
    t.equal(page.status, 404)
    t.match(page.json(), { error: { message: 'Unable to locate the resource' } })
  }
  t.equal((await post(gateway, { traits })).status, 201, 'and its identifiers are free again')
})

t.test('ID5 a change of identifiers moves the login, keeps the password, and takes from nobody', async t => {
  const gateway = await start(t)
  const visitor = newVisitor()
  await signUp(visitor, gateway, 'ada')
  await signUp(newVisitor(), gateway, 'bob')
  const ada = (await identitiesOf(gateway)).find(({ traits }) => traits['username'] === 'ada')?.id ?? ''

  const taken = await put(gateway, ada, { traits: { username: 'BOB', foobar: 'bar' } })
  t.equal(taken.status, 409)
  t.match(taken.json(), {
    error: { code: 409, message: 'Unable to insert or update resource because a resource with that value exists already' },
  })
  t.equal((await get(gateway, `/identities/${ada}`)).json().traits.username, 'ada')

  t.equal((await put(gateway, ada, { traits: { username: 'Ada Lovelace', foobar: 'bar' } })).status, 200)
  t.equal(await usernameOf(visitor, gateway), 'Ada Lovelace', 'her session goes on')
  t.equal((await logIn(newVisitor(), gateway, 'ada')).location?.startsWith(`${ui}/auth/login`), true, 'the old name is nobody')
  t.equal((await logIn(newVisitor(), gateway, 'ada lovelace')).location, `${ui}/dashboard`)
  t.equal((await signUp(newVisitor(), gateway, 'ada')).location, `${ui}/dashboard`, 'and free for somebody else')
})

t.test('of changes at the same time all are answered, and one of them stands', async t => {
  const gateway = await start(t)
  const { id } = (await post(gateway, { traits: { username: 'ada', foobar: 'bar' } })).json() as IdentityDocument
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => put(gateway, id, { traits: { username: `ada${index}`, foobar: 'bar' } })),
  )
  const statuses = answers.map(({ status }) => status)
  t.ok(statuses.includes(200))
  t.ok(statuses.every(status => status === 200 || status === 409), statuses.join())
  const [stands] = await identitiesOf(gateway)
  t.ok(answers.some(page => page.status === 200 && page.json().traits.username === stands?.traits['username']))
  t.equal((await post(gateway, { traits: { username: stands?.traits['username'], foobar: 'bar' } })).status, 409)
  for (const [index, page] of answers.entries()) {
    if (page.status === 409) t.equal(
      (await post(gateway, { traits: { username: `ada${index}`, foobar: 'bar' } })).status, 201, 'what lost reserves nothing',
    )
  }
})

t.test('2 lists are paged, oldest first', async t => {
  const gateway = await start(t)
  for (let index = 0; index < 12; index++) await post(gateway, { traits: { username: `person${index}`, foobar: 'bar' } })
  const names = async (query: string): Promise<string[]> => (await get(gateway, `/identities${query}`)).json()
    .map(({ traits }: IdentityDocument) => String(traits['username']).slice('person'.length))
  t.same(await names(''), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11'])
  t.same(await names('?limit=3'), ['0', '1', '2'])
  t.same(await names('?limit=3&offset=10'), ['10', '11'])
  t.same(await names('?offset=99'), [])
  t.same(await names('?limit=nonsense&offset=nonsense'), await names(''))
  t.same(await names('?limit=-1'), [])
  t.same(await names('?offset=-1&limit=1'), ['0'])
  t.same(await names('?limit=99999999999999999999&offset=1e9'), await names(''))
})

t.test('2 credentials are never shown', async t => {
  const gateway = await start(t)
  const visitor = newVisitor()
  await signUp(visitor, gateway, 'ada')
  const [identity] = await identitiesOf(gateway)
  const pages = [await get(gateway, '/identities'), await get(gateway, `/identities/${identity?.id}`), await whoAmI(visitor, gateway),
    await put(gateway, identity?.id ?? '', { traits: { username: 'ada', foobar: 'bar' } })]
  for (const { text } of pages) t.notMatch(text, /argon2|credential|hash|password/)
})

t.test('A15 with a token whoever has it may, and nobody else', async t => {
  const token = 'a token of at least thirty-two letters'
  const gateway = await start(t, { serve: { admin: { token } } })
  const ask = (
    headers: Record<string, string>, path = '/identities',
  ): Promise<Page> => newVisitor().fetch(`${gateway.adminUrl}${path}`, headers)
  t.equal((await ask({ authorization: `Bearer ${token}` })).status, 200)
  t.equal(
    (await ask({ authorization: `bearer ${token}`, host: 'gateway.internal', origin: 'https://console.test' })).status, 200,
    'from anywhere',
  )

  const wrong: Record<string, string>[] = [
    {}, { authorization: '' }, { authorization: 'Bearer' }, { authorization: 'Bearer ' }, { authorization: `Bearer ${token}x` },
    { authorization: `Bearer ${token.slice(1)}` }, { authorization: token }, { cookie: `token=${token}` },
    { authorization: `Basic ${Buffer.from(token).toString('base64')}` },
  ]
  for (const headers of wrong) {
    const page = await ask(headers)
    t.equal(page.status, 401, JSON.stringify(headers))
    t.equal(page.headers['www-authenticate'], 'Bearer')
    t.notMatch(page.text, token)
  }
  t.equal((await ask({}, `/identities?token=${encodeURIComponent(token)}`)).status, 401)
  t.equal(
    (await newVisitor().submitJson(`${gateway.adminUrl}/identities`, { traits: { username: 'eve', foobar: 'bar' } })).status, 401,
  )
  for (const path of [
    '/identities/', '//identities', '/Identities', '/rules', `/identities/${unknownId}`, '/errors', '/schemas/default', '/nothing',
    '/health/ready/', '/health/../identities',
  ]) {
    t.equal((await ask({}, path)).status, 401, path)
  }
  for (const path of ['/health/alive', '/health/ready', '/version']) t.equal((await ask({}, path)).status, 200, path)
})

t.test('A15 without a token only programs on this machine may', async t => {
  const gateway = await start(t)
  const port = new URL(gateway.adminUrl).port
  for (const host of [`127.0.0.1:${port}`, 'localhost', `localhost:${port}`, `[::1]:${port}`, '127.0.0.2', 'LOCALHOST']) {
    t.equal((await newVisitor().fetch(`${gateway.adminUrl}/identities`, { host })).status, 200, host)
  }
  for (const host of [
    'evil.test', `evil.test:${port}`, '127.0.0.1.evil.test', 'localhost.evil.test', '127.evil.test', '192.0.2.1', '[::2]',
  ]) {
    const page = await newVisitor().fetch(`${gateway.adminUrl}/identities`, { host })
    t.equal(page.status, 403, `${host}: a name that was pointed here`)
    t.match(page.json().error.reason, /serve\.admin\.token/)
  }
  for (const origin of ['https://evil.test', 'null', `http://127.0.0.1:${port}`]) {
    t.equal(
      (await newVisitor().submitJson(`${gateway.adminUrl}/identities`, { traits: { username: 'eve', foobar: 'bar' } }, { origin })).status,
      403, origin,
    )
    t.equal(
      (await newVisitor().send(`${gateway.adminUrl}/identities/${unknownId}`, { method: 'DELETE', headers: { origin } })).status,
      403, origin,
    )
  }
  t.same(await identitiesOf(gateway), [])
})

t.test('1.0 another method is 405 with Allow, an unknown path 404', async t => {
  const gateway = await start(t)
  const put = await newVisitor().send(`${gateway.adminUrl}/identities`, { method: 'PUT' })
  t.equal(put.status, 405)
  t.equal(put.headers['allow'], 'GET, POST, PATCH')
  t.equal(
    (await newVisitor().send(`${gateway.adminUrl}/identities/${unknownId}`, { method: 'POST' })).headers['allow'],
    'GET, PUT, DELETE',
  )
  t.equal((await get(gateway, '/nothing')).status, 404)
  t.equal((await get(gateway, '/auth/browser/registration')).status, 404, 'flows begin on the public listener alone')
})
