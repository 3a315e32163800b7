import t, { type Test } from 'tap'

import { csrfToken, maskCsrfToken } from '../../src/http/csrf.js'
import {
  begin, countIdentities, errorsOf, fieldOf, flowIdOf, goodPassword, identitiesOf, logIn, logOut, messagesOf, open, openForm,
  readFlow, readForm, signUp, usernameOf, whoAmI, type FlowDocument,
} from '../helpers/flows.js'
import { startTestGateway, ui } from '../helpers/gateway.js'
import { newVisitor } from '../helpers/visitor.js'

const gateway = await startTestGateway(t)
const init = `${gateway.publicUrl}/auth/browser/registration`
const fetchPath = '/auth/browser/requests/registration'

t.test('somebody signs up, is known by whoami, logs out and logs in again', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration', '?return_to=/reports')

  const done = await visitor.submit(form.action, {
    csrf_token: form.csrf, password: goodPassword, 'traits.username': 'ada', 'traits.foobar': 'bar',
  })
  t.equal(done.status, 302)
  t.equal(done.location, `${ui}/reports`)
  t.equal(await usernameOf(visitor, gateway), 'ada')

  t.equal((await logOut(visitor, gateway)).location, `${ui}/auth/login`)
  t.equal((await whoAmI(visitor, gateway)).status, 401)

  t.equal((await logIn(visitor, gateway, 'ada')).location, `${ui}/dashboard`)
  t.equal(await usernameOf(visitor, gateway), 'ada')
})

t.test('1.5 a registration begins with a cookie and a redirect to the page that shows the form', async t => {
  const visitor = newVisitor()
  const begun = await visitor.visit(`${init}?lang=en`)
  t.equal(begun.status, 302)
  t.equal(begun.text, '')
  const id = flowIdOf(begun)
  t.equal(begun.location, `${ui}/auth/registration?request=${id}`)
  t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'a UUIDv4')

  const document = await readFlow(gateway, 'registration', id)
  t.equal(document.id, id)
  t.equal(document.request_url, `${init}?lang=en`, 'D13 the external URL')
  t.equal(Date.parse(document.expires_at) - Date.parse(document.issued_at), 3_600_000)
  t.ok(Math.abs(Date.parse(document.issued_at) - Date.now()) < 60_000)
})

t.test('1.5 the page that shows the form keeps the query that it is configured with', async t => {
  const other = await startTestGateway(t, { config: { urls: { registration_ui: `${ui}/auth/registration?theme=dark` } } })
  const begun = await newVisitor().visit(`${other.publicUrl}/auth/browser/registration`)
  const url = new URL(begun.location ?? '')
  t.equal(url.searchParams.get('theme'), 'dark')
  t.type(url.searchParams.get('request'), 'string')
})

t.test('1.5 a session cookie that is no session is taken away, and the visit goes on', async t => {
  const visitor = newVisitor()
  visitor.jar.set('ory_kratos_session', { value: 'forged', path: '/' })
  t.type(await begin(visitor, gateway, 'registration'), 'string')
  t.notOk(visitor.jar.has('ory_kratos_session'))
})

t.test('1.5 the request lifespan is configured', async t => {
  const other = await startTestGateway(t, { config: { selfservice: { registration: { request_lifespan: '10m' } } } })
  const document = await readFlow(other, 'registration', await begin(newVisitor(), other, 'registration'))
  t.equal(Date.parse(document.expires_at) - Date.parse(document.issued_at), 600_000)
})

t.test('1.0 the spelling of v0.1 leads to the same flow', async t => {
  const visitor = newVisitor()
  const id = flowIdOf(await visitor.visit(`${gateway.publicUrl}/self-service/browser/flows/registration`))
  const page = await visitor.fetch(`${gateway.publicUrl}/self-service/browser/flows/requests/registration?request=${id}`)
  t.equal(page.status, 200)
  const form = openForm(page.json() as FlowDocument)
  t.equal(form.action, `${gateway.publicUrl}/auth/browser/methods/password/registration?request=${id}`)

  const done = await visitor.submit(`${gateway.publicUrl}/self-service/browser/flows/registration/strategies/password?request=${id}`, {
    csrf_token: form.csrf, password: goodPassword, 'traits.username': 'v01', 'traits.foobar': 'bar',
  })
  t.equal(done.location, `${ui}/dashboard`)
  t.equal((await newVisitor().fetch(`${gateway.adminUrl}/self-service/browser/flows/requests/registration?request=${id}`)).status, 200)
})

t.test('1.0 another method is 405 with Allow, an unknown path 404', async t => {
  const visitor = newVisitor()
  const wrong = await visitor.send(init, { method: 'DELETE' })
  t.equal(wrong.status, 405)
  t.equal(wrong.headers['allow'], 'GET')
  t.equal((await visitor.visit(`${gateway.publicUrl}/auth/browser/methods/password/registration`)).status, 405)

  const unknown = await visitor.fetch(`${gateway.publicUrl}/auth/browser/nothing`)
  t.equal(unknown.status, 404)
  t.match(unknown.json(), { error: { code: 404, status: 'Not Found' } })
  t.equal((await visitor.fetch(`${gateway.publicUrl}/identities`)).status, 404, 'C7 the admin API is not on the public listener')
})

t.test('1.0 HEAD begins nothing', async t => {
  const page = await newVisitor().send(init, { method: 'HEAD' })
  t.equal(page.status, 405)
  t.notOk(page.headers['set-cookie'])
})

t.test('RF1 RF2 whoever is logged in is sent on', async t => {
  const visitor = newVisitor()
  const stillOpen = await open(visitor, gateway, 'registration')
  await signUp(visitor, gateway, 'rf1')

  const begun = await visitor.visit(`${init}?return_to=/elsewhere`)
  t.equal(begun.status, 302)
  t.equal(begun.location, `${ui}/`, 'return_to is not followed')

  const submitted = await visitor.submit(stillOpen.action, {
    csrf_token: stillOpen.csrf, password: goodPassword, 'traits.username': 'rf2', 'traits.foobar': 'bar',
  })
  t.equal(submitted.location, `${ui}/`)
  t.notOk((await identitiesOf(gateway)).some(({ traits }) => traits['username'] === 'rf2'))
})

t.test('RF6 the app reads the form on the admin listener, without cookies', async t => {
  const id = await begin(newVisitor(), gateway, 'registration')
  const page = await newVisitor().fetch(`${gateway.adminUrl}${fetchPath}?request=${id}`)
  t.equal(page.status, 200)
  t.equal(page.headers['content-type'], 'application/json; charset=utf-8')
  checkDocument(t, page.json() as FlowDocument, id)
})

t.test('RF7 the browser that began it reads the form on the public listener', async t => {
  const visitor = newVisitor()
  const id = await begin(visitor, gateway, 'registration')
  const page = await visitor.fetch(`${gateway.publicUrl}${fetchPath}?request=${id}`)
  t.equal(page.status, 200)
  t.notOk(page.headers['set-cookie'], 'a new CSRF cookie would make the form worthless')
  checkDocument(t, page.json() as FlowDocument, id)
})

function checkDocument(t: Test, document: FlowDocument, id: string): void {
  t.equal(document.id, id)
  t.same(Object.keys(document), ['id', 'expires_at', 'issued_at', 'request_url', 'methods'])
  t.equal(document.methods['password']?.method, 'password')
  const form = openForm(document)
  t.equal(Buffer.from(form.csrf, 'base64').length, 64)
  t.ok(form.action.startsWith(gateway.publicUrl) && form.action.includes(id))
}

t.test('RF8 C7 nobody else reads the form on the public listener, whether or not it exists', async t => {
  const id = await begin(newVisitor(), gateway, 'registration')
  const stranger = newVisitor()
  await begin(stranger, gateway, 'registration')

  const answers = [
    await newVisitor().fetch(`${gateway.publicUrl}${fetchPath}?request=${id}`),
    await stranger.fetch(`${gateway.publicUrl}${fetchPath}?request=${id}`),
    await stranger.fetch(`${gateway.publicUrl}${fetchPath}?request=5b0c1e0e-3f0a-4a52-9d3c-0b1d7f2a9c11`),
    await stranger.fetch(`${gateway.publicUrl}${fetchPath}?request=nonsense`),
    await stranger.fetch(`${gateway.publicUrl}${fetchPath}`),
  ]
  for (const { status, json } of answers) {
    t.equal(status, 403)
    const { request, ...error } = (json() as { error: Record<string, unknown> }).error
    t.type(request, 'string')
    t.same(error, {
      code: 403, status: 'Forbidden', reason: 'A request failed due to a missing or invalid csrf_token value.',
      message: 'The requested action was forbidden',
    })
  }
})

t.test('1.6 what is unknown, or no registration, is 404 on the admin listener', async t => {
  const loginId = await begin(newVisitor(), gateway, 'login')
  for (const id of ['5b0c1e0e-3f0a-4a52-9d3c-0b1d7f2a9c11', 'nonsense', '', loginId]) {
    const page = await newVisitor().fetch(`${gateway.adminUrl}${fetchPath}?request=${id}`)
    t.equal(page.status, 404, id)
    t.match(page.json(), { error: { code: 404, message: 'Unable to locate the resource' } })
  }
})

t.test('RP1 a body that is no form comes back as a problem of the form', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  const page = await visitor.send(form.action, {
    method: 'POST', body: '14=)=!(%)$/ZP()GHIÖ',
    headers: { accept: 'text/html', 'content-type': 'application/x-www-form-urlencoded', 'x-csrf-token': form.csrf },
  })
  t.equal(flowIdOf(page), form.id)
  t.match(messagesOf(await readForm(gateway, 'registration', form.id))[0], /invalid URL escape/)
})

t.test('1.7 row 2 a submit without the id of a flow goes to the error page', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  for (const query of ['', '?request=', '?request=nonsense']) {
    const page = await visitor.submit(
      `${gateway.publicUrl}/auth/browser/methods/password/registration${query}`, { csrf_token: form.csrf },
    )
    t.match(await errorsOf(gateway, page), [{ code: 400, status: 'Bad Request', reason: 'The request Code is missing.' }])
  }
})

t.test('RP2 a flow that is no longer known goes to the error page', async t => {
  const visitor = newVisitor()
  await begin(visitor, gateway, 'registration')
  const id = '5b0c1e0e-3f0a-4a52-9d3c-0b1d7f2a9c11'
  // What its form carried before it was forgotten.
  const csrf = maskCsrfToken(csrfToken(visitor.jar.get('oathgate_csrf')?.value ?? '', id))

  const page = await visitor.submit(
    `${gateway.publicUrl}/auth/browser/methods/password/registration?request=${id}`, { csrf_token: csrf },
  )
  t.match(await errorsOf(gateway, page), [{ code: 404, status: 'Not Found', message: 'Unable to locate the resource' }])
})

t.test('RP2 the id of a login is no registration', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login')
  const page = await visitor.submit(
    `${gateway.publicUrl}/auth/browser/methods/password/registration?request=${form.id}`, { csrf_token: form.csrf },
  )
  t.match(await errorsOf(gateway, page), [{ code: 404 }])
})

t.test('RP3 an expired flow leads to a new one that says so', async t => {
  const other = await startTestGateway(t, { config: { selfservice: { registration: { request_lifespan: '1s' } } } })
  const visitor = newVisitor()
  const query = '?return_to=/reports'
  const form = await open(visitor, other, 'registration', query)
  await expiryOf(await readFlow(other, 'registration', form.id))
  t.equal((await visitor.fetch(`${other.publicUrl}${fetchPath}?request=${form.id}`)).status, 200, 'it can still be read')

  const page = await visitor.send(form.action, { method: 'POST', headers: { accept: 'text/html', 'x-csrf-token': form.csrf } })
  const id = flowIdOf(page)
  t.not(id, form.id)
  const document = await readFlow(other, 'registration', id)
  for (const { config } of Object.values(document.methods)) t.same(messagesOf(config), ['Your session expired, please try again.'])
  t.equal(document.request_url, `${other.publicUrl}/auth/browser/registration${query}`)
  t.not(openForm(document).action, form.action)

  const scripted = await visitor.submitJson(form.action, { csrf_token: form.csrf })
  t.equal(scripted.status, 410)
  const { error } = scripted.json()
  t.equal(error.reason, 'This request has expired.')
  t.equal(error.details.redirect_browser_to, `${ui}/auth/registration?request=${error.details.use_flow_id}`)
  t.match(messagesOf(await readForm(other, 'registration', error.details.use_flow_id)), [/expired/])
  t.equal(await countIdentities(other), 0)
})

t.test('RP3 the flow that replaces an expired one can be completed, and remembers where to go', async t => {
  const other = await startTestGateway(t, { config: { selfservice: { registration: { request_lifespan: '1s' } } } })
  const visitor = newVisitor()
  const form = await open(visitor, other, 'registration', '?return_to=/reports')
  await expiryOf(await readFlow(other, 'registration', form.id))

  const again = await readForm(other, 'registration', flowIdOf(await visitor.submit(form.action, { csrf_token: form.csrf })))
  const done = await visitor.submit(again.action, {
    csrf_token: again.csrf, password: goodPassword, 'traits.username': 'late', 'traits.foobar': 'bar',
  })
  t.equal(done.location, `${ui}/reports`)
})

async function expiryOf({ expires_at: expiresAt }: FlowDocument): Promise<void> {
  while (Date.now() <= Date.parse(expiresAt)) await new Promise(resolve => setTimeout(resolve, 20))
}

t.test('RP4 a password that everybody tries is refused, and what was typed stays', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  const page = await visitor.submit(form.action, {
    csrf_token: form.csrf, password: 'password', 'traits.username': 'rp4', 'traits.foobar': 'bar',
  })
  t.equal(flowIdOf(page), form.id)

  const shown = await readForm(gateway, 'registration', form.id)
  t.equal(shown.method, 'POST')
  t.equal(shown.action, form.action)
  t.same(shown.fields.map(({ name }) => name), ['csrf_token', 'password', 'traits.foobar', 'traits.username'])
  t.match(messagesOf(shown, 'password'), [/data breaches and must no longer be used\./])
  t.notOk(shown.errors)
  t.notOk('value' in (fieldOf(shown, 'password') ?? {}))
  t.match(fieldOf(shown, 'traits.username'), { type: 'text', value: 'rp4' })
  t.match(fieldOf(shown, 'traits.foobar'), { type: 'text', value: 'bar' })
})

t.test('RP5 a trait that is missing is named at its field', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  const page = await visitor.submit(form.action, { csrf_token: form.csrf, password: goodPassword, 'traits.username': 'rp5' })
  t.equal(flowIdOf(page), form.id)
  t.same(messagesOf(await readForm(gateway, 'registration', form.id), 'traits.foobar'), ['traits.foobar: foobar is required'])
})

t.test('1.7 rows 5 and 6 an empty body and an empty password are told', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  await visitor.send(form.action, { method: 'POST', headers: { accept: 'text/html', 'x-csrf-token': form.csrf } })
  t.same(messagesOf(await readForm(gateway, 'registration', form.id)), [
    'Unable to decode HTTP Request Body because its HTTP Header "Content-Length" is zero.',
  ])

  await visitor.submit(form.action, { csrf_token: form.csrf, password: '', 'traits.username': 'row6', 'traits.foobar': 'bar' })
  const shown = await readForm(gateway, 'registration', form.id)
  t.same(messagesOf(shown), [])
  t.same(messagesOf(shown, 'password'), ['password: password is required'])
})

t.test('RP6 a schema without identifier is the operator\'s mistake and creates nobody', async t => {
  const other = await startTestGateway(t, {
    schema: { type: 'object', properties: { foobar: { type: 'string', minLength: 2 }, username: { type: 'string' } } },
  })
  const page = await signUp(newVisitor(), other, 'rp6')
  t.match(await errorsOf(other, page), [{ code: 500, status: 'Internal Server Error', reason: /No login identifiers/ }])
  t.equal(await countIdentities(other), 0)
})

t.test('RP8 a complete form makes an identity, a session, and a redirect', async t => {
  const visitor = newVisitor()
  const done = await signUp(visitor, gateway, 'RP8')
  t.equal(done.status, 302)
  t.equal(done.location, `${ui}/dashboard`)
  t.equal(done.text, '')
  t.match(done.headers['set-cookie'], /^ory_kratos_session=/)
  t.equal(await usernameOf(visitor, gateway), 'RP8', 'traits stay as typed')
})

t.test('RP9 an identifier has one owner, however it is spelt', async t => {
  await signUp(newVisitor(), gateway, 'rp9')
  const before = await countIdentities(gateway)
  for (const username of ['rp9', 'RP9', ' rp9 ', 'ｒｐ９']) {
    const visitor = newVisitor()
    const form = await open(visitor, gateway, 'registration')
    const page = await visitor.submit(form.action, {
      csrf_token: form.csrf, password: goodPassword, 'traits.username': username, 'traits.foobar': 'bar',
    })
    t.equal(flowIdOf(page), form.id)
    const shown = await readForm(gateway, 'registration', form.id)
    t.same(messagesOf(shown), ['An account with the same identifier (email, phone, username, ...) exists already.'], username)
    t.equal(fieldOf(shown, 'traits.username')?.value, username)
    t.equal((await whoAmI(visitor, gateway)).status, 401)
  }
  t.equal(await countIdentities(gateway), before)
})

t.test('RP9 the same flow goes on with another identifier', async t => {
  await signUp(newVisitor(), gateway, 'rp9taken')
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  const submit = (username: string) => visitor.submit(form.action, {
    csrf_token: form.csrf, password: goodPassword, 'traits.username': username, 'traits.foobar': 'bar',
  })
  t.equal(flowIdOf(await submit('rp9taken')), form.id)
  t.equal((await submit('rp9free')).location, `${ui}/dashboard`)
})

t.test('RP10 a new submit clears the problems and values of the one before', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  await visitor.submit(form.action, { csrf_token: form.csrf, password: 'password', 'traits.username': 'rp10', 'traits.foobar': 'bar' })
  await visitor.submit(form.action, { csrf_token: form.csrf, password: goodPassword, 'traits.username': 'rp10b' })

  const shown = await readForm(gateway, 'registration', form.id)
  t.same(messagesOf(shown), [])
  t.same(messagesOf(shown, 'password'), [])
  t.equal(fieldOf(shown, 'traits.username')?.value, 'rp10b')
  t.notOk('value' in (fieldOf(shown, 'traits.foobar') ?? {}))
  t.same(messagesOf(shown, 'traits.foobar'), ['traits.foobar: foobar is required'])
})

t.test('RP11 a password of digits alone is a text', async t => {
  const visitor = newVisitor()
  t.equal((await signUp(visitor, gateway, 'rp11', '93172388957812344432')).location, `${ui}/dashboard`)
  await logOut(visitor, gateway)
  t.equal((await logIn(visitor, gateway, 'rp11', '93172388957812344432')).location, `${ui}/dashboard`)
})

t.test('RP12 the form at the beginning, under a public URL without a path', async t => {
  const other = await startTestGateway(t, { config: { urls: { self: { public: 'https://foo/' } } } })
  const begun = await newVisitor().visit(`${other.url}/auth/browser/registration`, { host: 'foo' })
  const id = flowIdOf(begun)
  const form = await readForm(other, 'registration', id)
  t.equal(form.action, `https://foo/auth/browser/methods/password/registration?request=${id}`)
  t.strictSame(form.fields.map(field => field.name === 'csrf_token' ? { ...field, value: '' } : field), [
    { name: 'csrf_token', type: 'hidden', required: true, value: '' },
    { name: 'password', type: 'password', required: true },
    { name: 'traits.foobar', type: 'text', required: true },
    { name: 'traits.username', type: 'text', required: true },
  ])
})

t.test('1.7 without a redirect job the answer is 200 and empty', async t => {
  const other = await startTestGateway(t, { config: { selfservice: { registration: { after: { password: [{ run: 'session' }] } } } } })
  const visitor = newVisitor()
  const page = await signUp(visitor, other, 'ada')
  t.equal(page.status, 200)
  t.equal(page.text, '')
  t.equal(await usernameOf(visitor, other), 'ada')
})

t.test('A10 a flow that was completed leads to a new one that says so', async t => {
  const other = await startTestGateway(t, { config: { selfservice: { registration: { after: { password: [] } } } } })
  const visitor = newVisitor()
  const form = await open(visitor, other, 'registration')
  const fields = { csrf_token: form.csrf, password: goodPassword, 'traits.username': 'ada', 'traits.foobar': 'bar' }
  t.equal((await visitor.submit(form.action, fields)).status, 200)

  const id = flowIdOf(await visitor.submit(form.action, { ...fields, 'traits.username': 'bob' }))
  t.not(id, form.id)
  t.same(messagesOf(await readForm(other, 'registration', id)), ['This form has been submitted already, please try again.'])

  const scripted = await visitor.submitJson(form.action, {
    csrf_token: form.csrf, password: goodPassword, traits: { username: 'bob', foobar: 'bar' },
  })
  t.equal(scripted.status, 410)
  t.match(scripted.json(), {
    error: {
      code: 410, status: 'Gone', reason: 'This request was already completed.',
      details: { use_flow_id: String, redirect_browser_to: /request=/ },
    },
  })
  t.equal(await countIdentities(other), 1)
})

t.test('D4 a script registers with JSON: the whole document with 400, then the same redirect', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  const refused = await visitor.submitJson(form.action, {
    csrf_token: form.csrf, password: 'password', traits: { username: 'd4', foobar: 'b', role: 'admin' },
  })
  t.equal(refused.status, 400)
  const shown = openForm(refused.json() as FlowDocument)
  t.equal(shown.id, form.id)
  t.same(messagesOf(shown, 'traits.foobar'), ['traits.foobar: String length must be greater than or equal to 2'])
  t.ok(shown.errors?.some(({ message }) => message === 'Additional property role is not allowed'), 'additionalProperties bites')
  t.notOk('value' in (fieldOf(shown, 'password') ?? {}))

  const done = await visitor.submitJson(form.action, {
    csrf_token: shown.csrf, password: goodPassword, traits: { username: 'd4', foobar: 'bar' },
  })
  t.equal(done.status, 302)
  t.equal(done.location, `${ui}/dashboard`)
  t.equal(await usernameOf(visitor, gateway), 'd4')
})

t.test('D8 what is not enabled is not offered and not accepted', async t => {
  const other = await startTestGateway(t, { config: { selfservice: { strategies: { password: { enabled: false } } } } })
  const visitor = newVisitor()
  const id = await begin(visitor, other, 'registration')
  t.same((await readFlow(other, 'registration', id)).methods, {})
  const csrf = maskCsrfToken(csrfToken(visitor.jar.get('oathgate_csrf')?.value ?? '', id))
  const page = await visitor.submit(`${other.publicUrl}/auth/browser/methods/password/registration?request=${id}`, {
    csrf_token: csrf, password: goodPassword, 'traits.username': 'd8', 'traits.foobar': 'bar',
  })
  t.match(await errorsOf(other, page), [{ code: 404 }])
  t.equal(await countIdentities(other), 0)
})
