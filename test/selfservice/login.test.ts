import { join } from 'node:path'
import t, { type Test } from 'tap'

import { csrfToken, maskCsrfToken } from '../../src/http/csrf.js'
import { openStore } from '../../src/store/open.js'
import type { Identity } from '../../src/store/records.js'
import {
  begin, errorsOf, fieldOf, flowIdOf, goodPassword, logIn, messagesOf, open, openForm, readFlow, readForm, signUp, usernameOf, whoAmI,
  type FlowDocument,
} from '../helpers/flows.js'
import { startTestGateway, ui, type TestGateway } from '../helpers/gateway.js'
import { newVisitor } from '../helpers/visitor.js'

const gateway = await startTestGateway(t)
const submitUrl = `${gateway.publicUrl}/auth/browser/methods/password/login`
const fetchPath = '/auth/browser/requests/login'
const invalid = 'The provided credentials are invalid. Check for spelling mistakes in your password or username, email address, '
  + 'or phone number.'

await signUp(newVisitor(), gateway, 'Ada')

t.test('1.8 a login begins like a registration, on its own page', async t => {
  const visitor = newVisitor()
  const begun = await visitor.visit(`${gateway.publicUrl}/auth/browser/login?return_to=/reports`)
  t.equal(begun.status, 302)
  const id = flowIdOf(begun)
  t.equal(begun.location, `${ui}/auth/login?request=${id}`)

  const document = await readFlow(gateway, 'login', id)
  t.equal(document.request_url, `${gateway.publicUrl}/auth/browser/login?return_to=/reports`)
  const form = openForm(document)
  t.equal(form.action, `${submitUrl}?request=${id}`)
  t.strictSame(form.fields.map(field => field.name === 'csrf_token' ? { ...field, value: '' } : field), [
    { name: 'csrf_token', type: 'hidden', required: true, value: '' },
    { name: 'identifier', type: 'text', required: true },
    { name: 'password', type: 'password', required: true },
  ])
})

t.test('1.0 the spelling of v0.1 leads to the same flow', async t => {
  const visitor = newVisitor()
  const id = flowIdOf(await visitor.visit(`${gateway.publicUrl}/self-service/browser/flows/login`))
  const page = await visitor.fetch(`${gateway.publicUrl}/self-service/browser/flows/requests/login?request=${id}`)
  const done = await visitor.submit(`${gateway.publicUrl}/self-service/browser/flows/login/strategies/password?request=${id}`, {
    csrf_token: openForm(page.json() as FlowDocument).csrf, identifier: 'ada', password: goodPassword,
  })
  t.equal(done.location, `${ui}/dashboard`)
})

t.test('L1 a body that is no form comes back as a problem of the form', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login')
  const page = await visitor.send(form.action, {
    method: 'POST', body: '14=)=!(%)$/ZP()GHIÖ',
    headers: { accept: 'text/html', 'content-type': 'application/x-www-form-urlencoded', 'x-csrf-token': form.csrf },
  })
  t.equal(flowIdOf(page), form.id)
  t.match(messagesOf(await readForm(gateway, 'login', form.id))[0], /invalid URL escape/)
})

t.test('L2 a submit without the id of a flow goes to the error page', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login')
  for (const query of ['', '?request=', '?request=nonsense']) {
    const page = await visitor.submit(`${submitUrl}${query}`, { csrf_token: form.csrf, identifier: 'ada', password: goodPassword })
    t.match(await errorsOf(gateway, page), [{ code: 400, reason: 'The request query parameter is missing or invalid.' }])
  }
})

t.test('L3 a flow that is not known, or no login, goes to the error page', async t => {
  const visitor = newVisitor()
  const registration = await open(visitor, gateway, 'registration')
  const unknown = '5b0c1e0e-3f0a-4a52-9d3c-0b1d7f2a9c11'
  for (const id of [unknown, registration.id]) {
    const csrf = maskCsrfToken(csrfToken(visitor.jar.get('oathgate_csrf')?.value ?? '', id))
    const page = await visitor.submit(`${submitUrl}?request=${id}`, { csrf_token: csrf, identifier: 'ada', password: goodPassword })
    t.match(await errorsOf(gateway, page), [{ code: 404, status: 'Not Found', message: 'Unable to locate the resource' }])
  }
})

t.test('L4 an expired flow leads to a new one that says so', async t => {
  const other = await startTestGateway(t, { config: { selfservice: { login: { request_lifespan: '1s' } } } })
  await signUp(newVisitor(), other, 'ada')
  const visitor = newVisitor()
  const form = await open(visitor, other, 'login', '?return_to=/reports')
  const { expires_at: expiresAt } = await readFlow(other, 'login', form.id)
  while (Date.now() <= Date.parse(expiresAt)) await new Promise(resolve => setTimeout(resolve, 20))

  const fields = { csrf_token: form.csrf, identifier: 'ada', password: goodPassword }
  const scripted = await visitor.submitJson(form.action, fields)
  t.equal(scripted.status, 410)
  t.equal(scripted.json().error.details.redirect_browser_to, `${ui}/auth/login?request=${scripted.json().error.details.use_flow_id}`)

  const page = await visitor.submit(form.action, fields)
  const id = flowIdOf(page)
  t.not(id, form.id)
  t.equal(page.location, `${ui}/auth/login?request=${id}`)
  const document = await readFlow(other, 'login', id)
  for (const { config } of Object.values(document.methods)) t.same(messagesOf(config), ['Your session expired, please try again.'])
  t.equal((await whoAmI(visitor, other)).status, 401, 'nobody is logged in')

  const again = openForm(document)
  const done = await visitor.submit(again.action, { ...fields, csrf_token: again.csrf })
  t.equal(done.location, `${ui}/reports`)
})

t.test('L5 L8 an unknown name and a wrong password are told alike', async t => {
  for (const [identifier, password] of [
    ['nobody', goodPassword], ['ada', 'not her password'], ['\u0000', goodPassword], ['x'.repeat(5000), goodPassword],
  ]) {
    const visitor = newVisitor()
    const form = await open(visitor, gateway, 'login')
    const page = await visitor.submit(form.action, { csrf_token: form.csrf, identifier: identifier ?? '', password: password ?? '' })
    t.equal(flowIdOf(page), form.id)
    const shown = await readForm(gateway, 'login', form.id)
    t.same(messagesOf(shown), [invalid])
    t.equal(fieldOf(shown, 'identifier')?.value, identifier)
    t.notOk('value' in (fieldOf(shown, 'password') ?? {}))
    t.notOk(visitor.jar.has('ory_kratos_session'))
  }
})

t.test('L6 a missing identifier is named at its field', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login')
  t.equal(flowIdOf(await visitor.submit(form.action, { csrf_token: form.csrf, password: goodPassword })), form.id)
  const shown = await readForm(gateway, 'login', form.id)
  t.same(messagesOf(shown, 'identifier'), ['identifier: identifier is required'])
  t.notOk('value' in (fieldOf(shown, 'password') ?? {}))
})

t.test('L7 a missing password is named at its field, and the identifier stays', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login')
  t.equal(flowIdOf(await visitor.submit(form.action, { csrf_token: form.csrf, identifier: 'ada', password: '' })), form.id)
  const shown = await readForm(gateway, 'login', form.id)
  t.same(messagesOf(shown, 'password'), ['password: password is required'])
  t.equal(fieldOf(shown, 'identifier')?.value, 'ada')
  t.equal(shown.csrf.length, 88)
  t.notOk('value' in (fieldOf(shown, 'password') ?? {}))
})

t.test('L9 the right password logs in, under every spelling of the identifier', async t => {
  for (const identifier of ['Ada', 'ada', ' ADA ', 'Ａｄａ']) {
    const visitor = newVisitor()
    const done = await logIn(visitor, gateway, identifier)
    t.equal(done.status, 302)
    t.equal(done.location, `${ui}/dashboard`)
    t.equal(await usernameOf(visitor, gateway), 'Ada', identifier)
  }
})

t.test('L9 a wrong password leaves the flow open for the right one', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login', '?return_to=/reports')
  await visitor.submit(form.action, { csrf_token: form.csrf, identifier: 'ada', password: 'not her password' })
  const done = await visitor.submit(form.action, { csrf_token: form.csrf, identifier: 'ada', password: goodPassword })
  t.equal(done.location, `${ui}/reports`)
})

t.test('L10 a new submit clears the problems and values of the one before', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login')
  await visitor.submit(form.action, { csrf_token: form.csrf, identifier: 'nobody', password: goodPassword })
  t.same(messagesOf(await readForm(gateway, 'login', form.id)), [invalid])

  await visitor.submit(form.action, { csrf_token: form.csrf, identifier: 'ada', password: '' })
  const shown = await readForm(gateway, 'login', form.id)
  t.same(messagesOf(shown), [])
  t.same(messagesOf(shown, 'password'), ['password: password is required'])
  t.equal(fieldOf(shown, 'identifier')?.value, 'ada')
})

t.test('L11 L12 whoever is logged in is sent on', async t => {
  const visitor = newVisitor()
  const stillOpen = await open(visitor, gateway, 'login')
  await logIn(visitor, gateway, 'ada')
  const session = visitor.jar.get('ory_kratos_session')?.value

  const begun = await visitor.visit(`${gateway.publicUrl}/auth/browser/login`)
  t.equal(begun.location, `${ui}/`)
  const submitted = await visitor.submit(stillOpen.action, { csrf_token: stillOpen.csrf, identifier: 'ada', password: goodPassword })
  t.equal(submitted.location, `${ui}/`)
  t.equal(visitor.jar.get('ory_kratos_session')?.value, session)
})

t.test('L16 L17 L18 the admin listener and the browser that began it read the form, nobody else does', async t => {
  const visitor = newVisitor()
  const id = await begin(visitor, gateway, 'login')
  t.equal((await newVisitor().fetch(`${gateway.adminUrl}${fetchPath}?request=${id}`)).status, 200)
  t.equal((await visitor.fetch(`${gateway.publicUrl}${fetchPath}?request=${id}`)).status, 200)
  t.equal(
    (await visitor.fetch(`${gateway.publicUrl}/auth/browser/requests/registration?request=${id}`)).status, 403,
    'not as a registration',
  )

  const stranger = await newVisitor().fetch(`${gateway.publicUrl}${fetchPath}?request=${id}`)
  t.equal(stranger.status, 403)
  t.match(stranger.json().error.reason, /csrf_token/)
})

t.test('D4 a script logs in with JSON', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login')
  const refused = await visitor.submitJson(form.action, { csrf_token: form.csrf, identifier: 'ada', password: 'not her password' })
  t.equal(refused.status, 400)
  const shown = openForm(refused.json() as FlowDocument)
  t.equal(shown.id, form.id)
  t.same(messagesOf(shown), [invalid])

  const done = await visitor.submitJson(form.action, { identifier: 'ada', password: goodPassword }, { 'x-csrf-token': shown.csrf })
  t.equal(done.status, 302)
  t.equal(done.location, `${ui}/dashboard`)
  t.equal(await usernameOf(visitor, gateway), 'Ada')
})

t.test('A10 a login that was completed leads to a new one that says so', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login')
  const fields = { csrf_token: form.csrf, identifier: 'ada', password: goodPassword }
  t.equal((await visitor.submit(form.action, fields)).location, `${ui}/dashboard`)
  visitor.jar.delete('ory_kratos_session')

  const id = flowIdOf(await visitor.submit(form.action, fields))
  t.not(id, form.id)
  t.same(messagesOf(await readForm(gateway, 'login', id)), ['This form has been submitted already, please try again.'])
  t.notOk(visitor.jar.has('ory_kratos_session'))
  const scripted = await visitor.submitJson(form.action, fields)
  t.equal(scripted.status, 410)
  t.equal(scripted.json().error.reason, 'This request was already completed.')
})

t.test('A8 a hash that was made with less than the current parameters is made anew when its owner logs in', async t => {
  const weak = { hashers: { argon2: { memory: 1024, iterations: 1 } } }
  const before = await startTestGateway(t, { config: weak })
  await signUp(newVisitor(), before, 'ada')
  const old = await storedHash(t, before)
  t.match(old, /^\$argon2id\$v=19\$m=1024,t=1,p=1\$/)

  const dsn = `embedded://${join(before.folder, 'data')}`
  const after = await startTestGateway(t, { config: { dsn, hashers: { argon2: { memory: 2048, iterations: 2 } } } })
  t.equal((await logIn(newVisitor(), after, 'ada', 'not her password')).location?.startsWith(`${ui}/auth/login`), true)
  t.equal((await logIn(newVisitor(), after, 'ada')).location, `${ui}/dashboard`)
  t.equal((await logIn(newVisitor(), after, 'ada')).location, `${ui}/dashboard`, 'and once more, with the new one')
  await after.stop()
  const renewed = await withIdentity(t, before, ({ credentials }) => credentials.password?.hash)
  t.match(renewed, /^\$argon2id\$v=19\$m=2048,t=2,p=1\$/)
})

t.test('1.8 row 9 a stored hash that is none is the operator\'s trouble, and logs nobody in', async t => {
  const before = await startTestGateway(t)
  await signUp(newVisitor(), before, 'ada')
  await storedHash(t, before, 'not a hash')

  const after = await startTestGateway(t, { config: { dsn: `embedded://${join(before.folder, 'data')}` } })
  const visitor = newVisitor()
  const [error] = await errorsOf(after, await logIn(visitor, after, 'ada'))
  t.match(error, { code: 500, status: 'Internal Server Error' })
  t.notOk(error?.reason)
  t.equal((await whoAmI(visitor, after)).status, 401)
})

/** The hash of the one identity that a gateway knows, which is stopped for it; `instead` takes its place. */
async function storedHash(t: Test, gateway: TestGateway, instead?: string): Promise<string | undefined> {
  await gateway.stop()
  return withIdentity(t, gateway, async (identity, store) => {
    const { password } = identity.credentials
    if (instead !== undefined && password !== undefined) {
      await store.updateIdentity({ ...identity, credentials: { password: { ...password, hash: instead } }, version: identity.version + 1 })
    }
    return password?.hash
  })
}

async function withIdentity<Result>(
  t: Test, { folder }: TestGateway, use: (identity: Identity, store: Awaited<ReturnType<typeof openStore>>) => Result | Promise<Result>,
): Promise<Result> {
  const store = await openStore({
    dsn: `embedded://${join(folder, 'data')}`, timeoutMs: 1000, keyPrefix: '', durability: 'none', warn: message => t.comment(message),
  })
  const [identity] = await store.listIdentities({ limit: 1, offset: 0 })
  if (identity === undefined) throw new Error('there is no identity')
  const result = await use(identity, store)
  await store.close()
  return result
}
