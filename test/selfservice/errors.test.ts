import t from 'tap'

import { begin, errorsOf, logOut } from '../helpers/flows.js'
import { startTestGateway, ui } from '../helpers/gateway.js'
import { newVisitor, type Page, type Visitor } from '../helpers/visitor.js'

const gateway = await startTestGateway(t)
const reason = 'The return_to parameter must be a path that begins with a single "/" or a complete http(s) URL.'

function fail(visitor: Visitor): Promise<Page> {
  return visitor.visit(`${gateway.publicUrl}/auth/browser/login?return_to=//evil.test`)
}

function errorIdOf(page: Page): string {
  return new URL(page.location ?? '').searchParams.get('error') ?? ''
}

t.test('E1 E2 E3 E4 an error of a visit is shown by the error page and told as a bare list', async t => {
  const page = await fail(newVisitor())
  t.equal(page.status, 302)
  t.match(page.location, /^http:\/\/ui\.test\/error\?error=[0-9a-f-]{36}$/)

  for (const url of [gateway.publicUrl, gateway.adminUrl]) {
    const answer = await newVisitor().fetch(`${url}/errors?error=${errorIdOf(page)}`)
    t.equal(answer.status, 200)
    t.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
    const { request, ...error } = answer.json()[0]
    t.type(request, 'string')
    t.same(error, { code: 400, status: 'Bad Request', reason, message: 'The request was malformed or contained invalid parameters' })
    t.equal(answer.json().length, 1)
    t.equal((await newVisitor().fetch(`${url}/errors?error=${errorIdOf(page)}`)).text, answer.text, 'it can be read again')
  }
})

t.test('1.12 an unknown error is 404', async t => {
  for (const url of [`${gateway.publicUrl}/errors`, `${gateway.adminUrl}/errors`, `${gateway.adminUrl}/self-service/errors`]) {
    for (const id of ['5b0c1e0e-3f0a-4a52-9d3c-0b1d7f2a9c11', 'nonsense', '', '<script>']) {
      const answer = await newVisitor().fetch(`${url}?error=${encodeURIComponent(id)}`)
      t.equal(answer.status, 404, url)
      t.match(answer.json(), { error: { code: 404, message: 'Unable to locate the resource' } })
      t.notMatch(answer.text, /script/)
    }
  }
})

t.test('E5 the browser that an error happened to reads it as an object, and no other does', async t => {
  const visitor = newVisitor()
  await begin(visitor, gateway, 'login')
  const id = errorIdOf(await fail(visitor))
  const read = (someone: Visitor, error = id) => someone.fetch(`${gateway.publicUrl}/self-service/errors?error=${error}`)

  const answer = await read(visitor)
  t.equal(answer.status, 200)
  t.match(answer.json(), { id, errors: [{ code: 400, reason }] })
  t.same(Object.keys(answer.json()), ['id', 'errors'])

  const forbidden = { error: { code: 403, reason: 'A request failed due to a missing or invalid csrf_token value.' } }
  const other = newVisitor()
  await begin(other, gateway, 'login')
  for (const refused of [
    await read(other), await read(newVisitor()), await read(visitor, '5b0c1e0e-3f0a-4a52-9d3c-0b1d7f2a9c11'),
    await read(visitor, 'nonsense'),
  ]) {
    t.equal(refused.status, 403)
    t.match(refused.json(), forbidden)
  }
  await logOut(visitor, gateway)
  t.equal((await read(visitor)).status, 403, 'nor does it after its cookie has changed')

  const asAdmin = await newVisitor().fetch(`${gateway.adminUrl}/self-service/errors?error=${id}`)
  t.equal(asAdmin.status, 200)
  t.match(asAdmin.json(), { id, errors: [{ code: 400, reason }] })
})

t.test('E5 an error on the very first visit can be read by that browser', async t => {
  const visitor = newVisitor()
  const id = errorIdOf(await fail(visitor))
  t.equal((await visitor.fetch(`${gateway.publicUrl}/self-service/errors?error=${id}`)).status, 200)
  t.equal((await newVisitor().fetch(`${gateway.publicUrl}/self-service/errors?error=${id}`)).status, 403)
})

t.test('1.4 the error page keeps the query that it is configured with', async t => {
  const other = await startTestGateway(t, { config: { urls: { error_ui: `${ui}/error?theme=dark` } } })
  const page = await newVisitor().visit(`${other.publicUrl}/auth/browser/login?return_to=nonsense`)
  const url = new URL(page.location ?? '')
  t.equal(url.searchParams.get('theme'), 'dark')
  t.match(url.searchParams.get('error'), /^[0-9a-f-]{36}$/)
})

t.test('1.4 a script is told its error at once', async t => {
  for (const accept of ['application/json', '*/*', 'application/json, text/plain, */*', 'text/html;q=0.5,application/json']) {
    const page = await newVisitor().fetch(`${gateway.publicUrl}/auth/browser/login?return_to=nonsense`, { accept })
    t.equal(page.status, 400, accept)
    t.match(page.json(), { error: { code: 400, reason } })
  }
  for (const accept of ['', 'text/html', 'text/*', 'image/*', 'application/json;q=0.5,text/html']) {
    const page = await newVisitor().fetch(`${gateway.publicUrl}/auth/browser/login?return_to=nonsense`, { accept })
    t.match(await errorsOf(gateway, page), [{ code: 400 }], accept)
  }
})

t.test('C11 what a visitor typed comes back as JSON that no browser takes for a page', async t => {
  const visitor = newVisitor()
  const page = await visitor.fetch(
    `${gateway.publicUrl}/auth/browser/login?return_to=${encodeURIComponent('https://"><script>alert(1)</script>/')}`,
  )
  t.equal(page.status, 400)
  t.equal(page.headers['content-type'], 'application/json; charset=utf-8')
  t.equal(page.headers['x-content-type-options'], 'nosniff')

  const shown = await visitor.visit(`${gateway.publicUrl}/auth/browser/${encodeURIComponent('<script>alert(1)</script>')}`)
  t.equal(shown.status, 404)
  t.notMatch(shown.text, /<script/)
})
