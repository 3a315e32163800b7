import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'

import {
  errorsOf, flowIdOf, goodPassword, identitiesOf, logIn, messagesOf, open, openForm, readForm, signUp, usernameOf, whoAmI,
  type FlowDocument, type Kind, type OpenForm,
} from '../helpers/flows.js'
import { startTestGateway, ui } from '../helpers/gateway.js'
import { sendRaw } from '../helpers/raw.js'
import { newVisitor, type Page, type Visitor } from '../helpers/visitor.js'

const gateway = await startTestGateway(t)
await signUp(newVisitor(), gateway, 'ada')
const port = Number(new URL(gateway.url).port)

const json = 'application/json'
const urlencoded = 'application/x-www-form-urlencoded'

interface Opened { readonly visitor: Visitor, readonly form: OpenForm }

async function openIn(kind: Kind): Promise<Opened> {
  const visitor = newVisitor()
  return { visitor, form: await open(visitor, gateway, kind) }
}

/** A submit with the right token in its header, so that only the body is at stake. */
function post(
  { visitor, form }: Opened, contentType: string, body: string | Buffer, headers: Record<string, string> = {},
): Promise<Page> {
  return visitor.send(form.action, {
    method: 'POST', body, headers: { accept: json, 'content-type': contentType, 'x-csrf-token': form.csrf, ...headers },
  })
}

/** Refused with a status that says so and a reason or problems to read; nobody is created or logged in, and the flow still works. */
async function refused(t: Test, opened: Opened, page: Page, status: number, what: string, says: RegExp = /./): Promise<void> {
  t.equal(page.status, status, `${what}: ${page.text.slice(0, 200)}`)
  t.equal(page.headers['content-type'], 'application/json; charset=utf-8', what)
  t.match(told(page), says, what)
  t.notMatch(page.text, /node_modules|\.ts:|\.js:|SyntaxError|RangeError/, `K6 ${what}`)
  t.equal((await whoAmI(opened.visitor, gateway)).status, 401, what)
  t.same((await identitiesOf(gateway)).map(({ traits }) => traits['username']).sort(), [...people].sort(), what)
}

/** Everything that an answer says to whoever sent something. */
function told(page: Page): string {
  const document = page.json() as FlowDocument & { error?: { reason?: string } }
  if (document.error !== undefined) return document.error.reason ?? ''
  const form = openForm(document)
  return [...messagesOf(form), ...form.fields.flatMap(({ errors }) => (errors ?? []).map(({ message }) => message))].join('\n')
}

const people = ['ada']

const good = (more: string): string => `password=${goodPassword}&traits.username=eve&traits.foobar=bar&${more}`
const goodJson = (more: string): string => `{"password":"${goodPassword}","traits":{"username":"eve","foobar":"bar"${more}}}`

t.test('J1 names that pollute prototypes are refused', async t => {
  const forms = [
    'traits.__proto__.isAdmin=yes', 'traits.constructor.prototype.isAdmin=yes', 'traits[__proto__][isAdmin]=yes', '__proto__=x',
    '__proto__.isAdmin=yes', 'traits.a.__proto__=x', 'constructor=x', 'traits%2E__proto__%2EisAdmin=yes',
    'traits.\\__proto__.isAdmin=yes', 'prototype.isAdmin=yes', 'traits.username.__proto__=x',
  ]
  for (const more of forms) {
    const opened = await openIn('registration')
    await refused(t, opened, await post(opened, urlencoded, good(more)), 400, more, /can not be part of a field name/)
  }
  const documents = [
    goodJson(',"__proto__":{"isAdmin":true}'), goodJson(',"constructor":{"prototype":{"isAdmin":true}}'),
    goodJson(',"a":[{"__proto__":1}]'),
    goodJson(',"\\u005f_proto__":{"isAdmin":true}'), `{"__proto__":{"isAdmin":true},"password":"x"}`, goodJson(',"prototype":1'),
  ]
  for (const document of documents) {
    const opened = await openIn('registration')
    await refused(t, opened, await post(opened, json, document), 400, document)
  }
  t.equal(({} as Record<string, unknown>)['isAdmin'], undefined)
})

t.test('J2 traits that the schema does not know are refused, other names are nobody\'s', async t => {
  for (const more of ['traits.role=admin', 'traits.username.first=x', 'traits.=x']) {
    const opened = await openIn('registration')
    await refused(t, opened, await post(opened, urlencoded, good(more)), 400, more, /Additional property .* is not allowed/)
  }
  const opened = await openIn('registration')
  await refused(
    t, opened, await post(opened, json, goodJson(',"role":"admin"')), 400, 'JSON', /Additional property role is not allowed/,
  )

  const id = '5b0c1e0e-3f0a-4a52-9d3c-0b1d7f2a9c11'
  const more = `state=active&verifiable_addresses=x&id=${id}&credentials=x&metadata_admin=x&schema_id=x&role=admin&traits=x`
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  const done = await visitor.submit(form.action, [
    ...new URLSearchParams(`${good(more).replace('eve', 'bob')}&csrf_token=${encodeURIComponent(form.csrf)}`),
  ])
  t.equal(done.location, `${ui}/dashboard`)
  people.push('bob')
  const identity = (await identitiesOf(gateway)).find(({ traits }) => traits['username'] === 'bob')
  t.strictSame(identity?.traits, { foobar: 'bar', username: 'bob' })
  t.not(identity?.id, id)
})

t.test('J3 a field given twice, or a list for a text, is refused', async t => {
  for (const [more, says] of [
    ['traits.username=mallory', /username must be given only once/],
    [`password=${goodPassword}`, /password must be given only once/],
  ] as const) {
    const opened = await openIn('registration')
    await refused(t, opened, await post(opened, urlencoded, good(more)), 400, more, says)
  }
  for (const more of ['identifier=bob', `password=${goodPassword}`]) {
    const opened = await openIn('login')
    await refused(
      t, opened, await post(opened, urlencoded, `identifier=ada&password=${goodPassword}&${more}`), 400, more,
      /must be given only once/,
    )
  }
  const registration = await openIn('registration')
  await refused(
    t, registration, await post(registration, json, `{"password":"${goodPassword}","traits":{"username":["eve"],"foobar":"bar"}}`),
    400, 'list', /Expected: string, given: array/,
  )
  await refused(
    t, registration, await post(registration, json, '{"password":["a"],"traits":{"username":"eve","foobar":"bar"}}'), 400, 'list',
    /password is required/,
  )
  await refused(
    t, registration, await post(registration, json, `{"password":"${goodPassword}","traits":["eve"]}`), 400, 'list',
    /"traits" must be an object/,
  )
  await refused(
    t, registration, await post(registration, urlencoded, `password=${goodPassword}&traits[username]=eve&traits[foobar]=bar`), 400,
    'brackets', /username is required/,
  )

  const login = await openIn('login')
  for (const identifier of ['["ada"]', '{"$ne":""}', '1', 'true', 'null']) {
    await refused(
      t, login, await post(login, json, `{"identifier":${identifier},"password":"${goodPassword}"}`), 400, identifier,
      /identifier is required/,
    )
  }
})

t.test('J4 a name that every object inherits is missing when it is not given', async t => {
  const schema = {
    type: 'object', additionalProperties: false, required: ['username', 'toString', 'hasOwnProperty'],
    properties: {
      username: { type: 'string', 'ory.sh/kratos': { credentials: { password: { identifier: true } } } },
      toString: { type: 'string' }, hasOwnProperty: { type: 'string' },
    },
  }
  const other = await startTestGateway(t, { schema })
  const visitor = newVisitor()
  const form = await open(visitor, other, 'registration')
  const page = await visitor.submitJson(form.action, { csrf_token: form.csrf, password: goodPassword, traits: { username: 'eve' } })
  t.equal(page.status, 400)
  t.match(told(page), /toString is required/)
  t.match(told(page), /hasOwnProperty is required/)
  const done = await visitor.submit(form.action, {
    csrf_token: form.csrf, password: goodPassword, 'traits.username': 'eve', 'traits.toString': 'a', 'traits.hasOwnProperty': 'b',
  })
  t.equal(done.location, `${ui}/dashboard`)
})

t.test('J6 identifiers with characters that can not be seen, or too long, are refused', async t => {
  for (const username of [
    'a\u0000b', 'a\u200bda', '\u202eada', 'ada\n', 'ada\r\nSET', 'a\u00adda', '\ufeffada', 'ada\u2028', '\udb40\udc41ada',
    'a\u0007',
  ]) {
    const opened = await openIn('registration')
    const body = `${new URLSearchParams({ password: goodPassword, 'traits.username': username, 'traits.foobar': 'bar' })}`
    await refused(
      t, opened, await post(opened, urlencoded, body), 400, encodeURIComponent(username), /characters that can not be seen/,
    )
  }
  const opened = await openIn('registration')
  const long = (length: number): string => `password=${goodPassword}&traits.username=${'x'.repeat(length)}&traits.foobar=bar`
  await refused(t, opened, await post(opened, urlencoded, long(321)), 400, '321 bytes', /must not be longer than 320 bytes/)
  await refused(t, opened, await post(opened, urlencoded, long(10_240)), 400, '10 KB', /must be less than or equal to 1024/)
  await refused(
    t, opened, await post(opened, json, '{"password":"correct horse","traits":{"username":"\\ud800","foobar":"bar"}}'), 400,
    'half a character',
  )
})

t.test('J7 identifiers that a store could misread are names like others', async t => {
  const usernames = ['x}:{y', '*', '[a-z]*', '?', 'a:b', "' OR 1=1 --", '{ada}', '%00', '$where', '..', '../../etc/passwd', '"', '\\']
  for (const username of usernames) {
    const visitor = newVisitor()
    t.equal((await logIn(visitor, gateway, username)).location?.startsWith(`${ui}/auth/login`), true, `${username} logs in as nobody`)
    t.equal((await signUp(visitor, gateway, username)).location, `${ui}/dashboard`, username)
    people.push(username)
    const again = newVisitor()
    await logIn(again, gateway, username)
    t.equal(await usernameOf(again, gateway), username)
  }
})

t.test('J8 other charsets and encodings of JSON and forms are refused', async t => {
  const documents = goodJson('')
  for (const [type, says] of [
    [`${json}; charset=utf-7`, /utf-7/], [`${json}; charset=utf-16`, /utf-16/],
    [`${urlencoded}; charset=iso-8859-1`, /iso-8859-1/],
  ] as const) {
    const opened = await openIn('registration')
    await refused(t, opened, await post(opened, type, type.startsWith(json) ? documents : good('')), 415, type, says)
  }
  const opened = await openIn('registration')
  await refused(t, opened, await post(opened, json, Buffer.from(`\ufeff${documents}`, 'utf16le')), 400, 'UTF-16')
  await refused(t, opened, await post(opened, json, Buffer.from(documents, 'utf16le')), 400, 'UTF-16 without a mark')
  await refused(t, opened, await post(opened, urlencoded, good('traits.foobar=%ff')), 400, 'no UTF-8', /not UTF-8/)
  await refused(
    t, opened, await post(opened, urlencoded, Buffer.from(good('').replace('bar', 'b\xff\xffr'), 'latin1')), 400, 'raw bytes',
    /UTF-8/,
  )
  await refused(
    t, opened, await post(opened, json, Buffer.from(documents.replace('bar', 'b\xff\xffr'), 'latin1')), 400, 'raw bytes in JSON',
    /UTF-8/,
  )

  const part = '--x\r\nContent-Disposition: form-data; name="password"; filename="a"\r\n\r\nsecret\r\n--x--\r\n'
  await refused(
    t, opened, await post(opened, 'multipart/form-data; boundary=x', part), 400, 'multipart',
    /unknown HTTP Header "Content-Type: multipart\/form-data/,
  )
  for (const type of ['text/plain', 'application/jsonp', 'application/vnd.api+json', 'application/xml', 'text/json', '']) {
    await refused(t, opened, await post(opened, type, documents), 400, type)
  }

  const accepted = await post(opened, `${json}; charset="UTF-8"`, documents.replace('eve', 'utf-8'))
  t.equal(accepted.location, `${ui}/dashboard`)
  people.push('utf-8')
})

t.test('J8 JSON may begin with the byte order mark of UTF-8', async t => {
  const opened = await openIn('registration')
  const page = await post(opened, json, Buffer.from(`\ufeff${goodJson('').replace('eve', 'bom')}`))
  t.equal(page.location, `${ui}/dashboard`)
  people.push('bom')
})

t.test('malformed JSON is refused without a word of what it held', async t => {
  for (const body of [
    '{', '{"password":"canary', '[]', '"text"', '1', 'null', 'true', '{"a":1}{"b":2}', "{'a':1}", '{"a":NaN}', 'csrf_token=x',
    '\u0000',
  ]) {
    for (const kind of ['registration', 'login'] as const) {
      const opened = await openIn(kind)
      const page = await post(opened, json, body)
      await refused(t, opened, page, 400, `${kind} ${body}`)
      t.notMatch(page.text, /canary/)
    }
  }
})

t.test('D3 a body that is too large is refused before it is read', async t => {
  for (const kind of ['registration', 'login'] as const) {
    const opened = await openIn(kind)
    await refused(
      t, opened, await post(opened, urlencoded, `password=${'x'.repeat(65_600)}`), 413, 'a large form', /at most 65536 bytes/,
    )
    await refused(
      t, opened, await post(opened, json, `{"password":"${'x'.repeat(65_600)}"}`), 413, 'large JSON', /at most 65536 bytes/,
    )
    const page = await opened.visitor.submit(opened.form.action, { password: 'x'.repeat(65_600) })
    t.match(await errorsOf(gateway, page), [{ code: 413, reason: /at most 65536 bytes/ }], 'a browser is shown the error page')

    const head = [
      `POST ${new URL(opened.form.action).pathname} HTTP/1.1`, `Host: 127.0.0.1:${port}`,
      `Content-Type: ${urlencoded}`, `Accept: ${json}`, '',
    ].join('\r\n')
    for (const length of ['1000000000', '4294967306']) {
      const at = Date.now()
      const announced = await sendRaw(
        port, `${head}Content-Length: ${length}\r\n\r\npassword=x`, { until: text => text.includes('\r\n\r\n') },
      )
      t.equal(announced.status, 413, length)
      t.ok(Date.now() - at < 2000, 'at once')
    }
    const chunk = `2000\r\n${'x'.repeat(0x2000)}\r\n`
    const endless = await sendRaw(
      port, [`${head}Transfer-Encoding: chunked\r\n\r\n`, ...Array<string>(20).fill(chunk)],
      { until: text => text.includes('\r\n\r\n') },
    )
    t.equal(endless.status, 413)
  }
})

t.test('D4 a compressed body is not inflated', async t => {
  const bomb = gzipSync(Buffer.alloc(20_000_000))
  for (const encoding of ['gzip', 'deflate', 'br', 'zstd', 'gzip, identity', 'x-gzip', 'GZIP']) {
    const opened = await openIn('registration')
    await refused(
      t, opened, await post(opened, json, bomb.subarray(0, 60_000), { 'content-encoding': encoding }), 415, encoding, /compressed/,
    )
  }
  const opened = await openIn('login')
  const page = await post(opened, urlencoded, `identifier=ada&password=${goodPassword}`, { 'content-encoding': 'identity' })
  t.equal(page.location, `${ui}/dashboard`)
})

t.test('D5 more, longer or deeper names than a form has are refused', async t => {
  const many = (count: number): string => Array.from({ length: count }, (_, index) => `f${index}=x`).join('&')
  const opened = await openIn('registration')
  await refused(t, opened, await post(opened, urlencoded, good(many(5000))), 400, '5000 fields', /at most 100 fields/)
  await refused(t, opened, await post(opened, urlencoded, good(many(98))), 400, '101 fields', /at most 100 fields/)
  await refused(
    t, opened, await post(opened, urlencoded, good(`traits.${'x'.repeat(3000)}=1`)), 400, 'a long name', /at most 2048 bytes/,
  )
  await refused(t, opened, await post(opened, urlencoded, good('traits.a.b.c.d.e.f=1')), 400, 'a deep name', /at most 5 levels/)

  const login = await openIn('login')
  await refused(
    t, login, await post(login, urlencoded, `identifier=ada&password=${goodPassword}&${many(5000)}`), 400, '5000 fields',
    /at most 100 fields/,
  )
  t.equal(
    (await post(login, urlencoded, `identifier=ada&password=${goodPassword}&${many(98)}`)).location, `${ui}/dashboard`,
    '100 fields are a form',
  )
})

t.test('D5 D10 JSON that is too deep or too wide is refused, quickly', async t => {
  const deep = (levels: number): string => goodJson(`,"a":${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`)
  const deepList = (levels: number): string => goodJson(`,"a":${'['.repeat(levels)}${']'.repeat(levels)}`)
  const wide = goodJson(`,"a":[${Array<string>(5000).fill('1').join()}]`)
  for (const [what, body] of [
    ['30', deep(30)], ['9000', deep(9000)], ['a list', deepList(30)], ['30000 lists', deepList(30_000)], ['wide', wide],
  ] as const) {
    const opened = await openIn('registration')
    const at = Date.now()
    await refused(t, opened, await post(opened, json, body), 400, what, /levels deep|at most 1000 values/)
    t.ok(Date.now() - at < 2000, what)
  }
  const login = await openIn('login')
  await refused(
    t, login, await post(login, json, `{"identifier":${'['.repeat(30_000)}${']'.repeat(30_000)},"password":"x"}`), 400, 'login',
    /identifier is required/,
  )
})

t.test('A7 a password is the exact text, however odd', async t => {
  const odd = [
    'nul\u0000 and what comes after it', ' spaces at both ends of this ', 'é as one character and more',
    'e\u0301 as two characters and more', '𝔘𝔫𝔦𝔠𝔬𝔡𝔢 🐴🔋📎 staple',
  ]
  for (const [index, password] of odd.entries()) {
    const username = `odd${index}`
    t.equal((await signUp(newVisitor(), gateway, username, password)).location, `${ui}/dashboard`, password)
    people.push(username)
    for (const wrong of [
      password.slice(0, 3), password.trim() === password ? `${password} ` : password.trim(), password.normalize('NFKD'),
    ]) {
      if (wrong !== password) t.not(
        (await logIn(newVisitor(), gateway, username, wrong)).location, `${ui}/dashboard`,
        `${JSON.stringify(wrong)} is another one`,
      )
    }
    t.equal((await logIn(newVisitor(), gateway, username, password)).location, `${ui}/dashboard`)
  }
})

t.test('A7 D8 a password that is too long, or no Unicode, is refused before it is hashed', async t => {
  const registration = await openIn('registration')
  await refused(
    t, registration,
    await post(registration, urlencoded, `password=${'correct horse '.repeat(80)}&traits.username=eve2&traits.foobar=bar`), 400,
    'long', /must not be longer than 1024 bytes/,
  )
  await refused(
    t, registration,
    await post(registration, json, '{"password":"correct horse \\ud800","traits":{"username":"eve2","foobar":"bar"}}'), 400,
    'half a character', /not valid Unicode/,
  )
  const login = await openIn('login')
  for (const identifier of ['ada', 'nobody']) {
    await refused(
      t, login, await post(login, urlencoded, `identifier=${identifier}&password=${'x'.repeat(2000)}`), 400, identifier,
      /at most 1024 bytes/,
    )
    await refused(
      t, login, await post(login, json, `{"identifier":"${identifier}","password":"\\udc00"}`), 400, identifier,
      /not valid Unicode/,
    )
  }
})

t.test('C11 what was typed comes back as it was typed, as JSON', async t => {
  const { visitor, form } = await openIn('registration')
  const typed = '"><img src=x onerror=alert(1)>'
  await visitor.submit(form.action, { csrf_token: form.csrf, password: 'password', 'traits.username': typed, 'traits.foobar': 'bar' })
  const page = await visitor.fetch(`${gateway.publicUrl}/auth/browser/requests/registration?request=${form.id}`)
  t.equal(page.headers['content-type'], 'application/json; charset=utf-8')
  t.equal(page.headers['x-content-type-options'], 'nosniff')
  t.equal(openForm(page.json() as FlowDocument).fields.find(({ name }) => name === 'traits.username')?.value, typed)
})

t.test('D8 when too many passwords wait to be hashed the rest is told to come back, and the flow goes on', async t => {
  const other = await startTestGateway(t, {
    config: { hashers: { argon2: { memory: 65536, iterations: 3, concurrency: 1, queue: 2 } } },
  })
  const forms = await Promise.all(Array.from({ length: 12 }, async () => {
    const visitor = newVisitor()
    return { visitor, form: await open(visitor, other, 'registration') }
  }))
  const submit = ({ visitor, form }: Opened, index: number): Promise<Page> => visitor.submit(form.action, {
    csrf_token: form.csrf, password: goodPassword, 'traits.username': `person${index}`, 'traits.foobar': 'bar',
  })
  const answers = await Promise.all(forms.map(submit))
  const busy = answers.flatMap((page, index) => page.status === 503 ? [index] : [])
  t.ok(busy.length > 0 && busy.length < 12, `${busy.length} of 12`)
  for (const index of busy) t.match(answers[index]?.headers, { 'retry-after': '1' })
  for (const page of answers) t.ok(page.status === 503 || page.location === `${ui}/dashboard`, `${page.status} ${page.location}`)

  const [index = 0] = busy
  t.equal((await submit(forms[index] as Opened, index)).location, `${ui}/dashboard`, 'the same form, once it is quiet')
})

t.test('a browser sees hostile input answered on its own pages', async t => {
  const { visitor, form } = await openIn('registration')
  const browser = { accept: 'text/html', 'content-type': urlencoded, 'x-csrf-token': form.csrf }
  const send = (body: string, headers: Record<string, string> = {}): Promise<Page> => visitor.send(form.action, {
    method: 'POST', body, headers: { ...browser, ...headers },
  })

  t.equal(flowIdOf(await send(good('traits.role=admin'))), form.id)
  t.match(messagesOf(await readForm(gateway, 'registration', form.id)), ['Additional property role is not allowed'])
  t.match(await errorsOf(gateway, await send(good('traits.__proto__.a=b'))), [{ code: 400 }])
  t.match(await errorsOf(gateway, await send('{', { 'content-type': json })), [{ code: 400 }])
  t.match(await errorsOf(gateway, await send('x', { 'content-encoding': 'gzip' })), [{ code: 415 }])
  t.match(await errorsOf(gateway, await send('x', { 'content-type': `${urlencoded}; charset=utf-7` })), [{ code: 415 }])
})
