import t from 'tap'

import { begin, logOut, open, signUp, usernameOf, whoAmI, goodPassword, errorsOf } from '../helpers/flows.js'
import { startTestGateway, ui } from '../helpers/gateway.js'
import { newVisitor } from '../helpers/visitor.js'

const gateway = await startTestGateway(t)
const url = `${gateway.publicUrl}/auth/browser/logout`

t.test('S8 logout takes the session cookie away, changes the CSRF cookie and redirects', async t => {
  const visitor = newVisitor()
  await signUp(visitor, gateway, 's8')
  const csrf = visitor.jar.get('oathgate_csrf')?.value

  const page = await logOut(visitor, gateway)
  t.equal(page.status, 302)
  t.equal(page.location, `${ui}/auth/login`)
  t.notOk(visitor.jar.has('ory_kratos_session'))
  t.match([page.headers['set-cookie']].flat(), [/^ory_kratos_session=; .*Max-Age=0; Expires=Thu, 01 Jan 1970/, /^oathgate_csrf=/])
  t.ok(visitor.jar.has('oathgate_csrf'))
  t.not(visitor.jar.get('oathgate_csrf')?.value, csrf)
  t.equal((await whoAmI(visitor, gateway)).status, 401)
})

t.test('C6 a copy of the cookie is worth nothing after logout', async t => {
  const visitor = newVisitor()
  await signUp(visitor, gateway, 'c6')
  const copy = newVisitor()
  copy.jar.set('ory_kratos_session', { value: visitor.jar.get('ory_kratos_session')?.value ?? '', path: '/' })
  t.equal(await usernameOf(copy, gateway), 'c6')

  await logOut(visitor, gateway)
  t.equal((await whoAmI(copy, gateway)).status, 401)
})

t.test('C6 logout ends one session, not those of other browsers', async t => {
  const [first, second] = [newVisitor(), newVisitor()]
  await signUp(first, gateway, 'c6two')
  const form = await open(second, gateway, 'login')
  await second.submit(form.action, { csrf_token: form.csrf, identifier: 'c6two', password: goodPassword })

  await logOut(first, gateway)
  t.equal(await usernameOf(second, gateway), 'c6two')
})

t.test('1.10 logout works without a session, and as a POST', async t => {
  const nobody = await newVisitor().visit(url)
  t.equal(nobody.location, `${ui}/auth/login`)

  const visitor = newVisitor()
  await signUp(visitor, gateway, 'post')
  t.equal(
    (await visitor.submit(`${gateway.publicUrl}/self-service/browser/flows/logout`, {}, { origin: gateway.url })).location,
    `${ui}/auth/login`,
  )
  t.equal((await whoAmI(visitor, gateway)).status, 401)
})

t.test('C6 another site can not log anybody out', async t => {
  const visitor = newVisitor()
  await signUp(visitor, gateway, 'c6foreign')
  const foreign = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'cross-site', referer: 'https://evil.test/' },
    { 'sec-fetch-site': 'same-site', referer: 'http://127.0.0.1:1/' },
    { origin: 'https://evil.test' },
    { origin: 'null', 'sec-fetch-site': 'cross-site' },
  ]
  for (const headers of foreign) {
    const page = await visitor.visit(url, headers)
    t.match(await errorsOf(gateway, page), [{ code: 403, reason: /Another site/ }])
    t.equal((await visitor.submit(url, {}, { accept: 'application/json', ...headers })).status, 403)
    t.equal(await usernameOf(visitor, gateway), 'c6foreign', JSON.stringify(headers))
  }
})

t.test('C6 links of our own pages log out, also when the pages have an origin of their own', async t => {
  const own = [
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'cross-site', referer: `${ui}/` },
    { 'sec-fetch-site': 'same-site', referer: `${ui}/dashboard` },
    {},
  ]
  for (const headers of own) {
    const visitor = newVisitor()
    await begin(visitor, gateway, 'login')
    t.equal((await visitor.visit(url, headers as Record<string, string>)).location, `${ui}/auth/login`, JSON.stringify(headers))
  }
})

t.test('C6 HEAD logs nobody out', async t => {
  const visitor = newVisitor()
  await signUp(visitor, gateway, 'head')
  t.equal((await visitor.send(url, { method: 'HEAD' })).status, 405)
  t.equal(await usernameOf(visitor, gateway), 'head')
})

t.test('S8 a form that was open before logout is refused, and a new one works', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  await logOut(visitor, gateway)
  const fields = { password: goodPassword, 'traits.username': 'afterlogout', 'traits.foobar': 'bar' }
  t.equal((await visitor.submit(form.action, { ...fields, csrf_token: form.csrf })).status, 400)
  const fresh = await open(visitor, gateway, 'registration')
  t.equal((await visitor.submit(fresh.action, { ...fields, csrf_token: fresh.csrf })).location, `${ui}/dashboard`)
})
