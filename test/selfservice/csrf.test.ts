import t, { type Test } from 'tap'

import {
  begin, countIdentities, goodPassword, messagesOf, open, readForm, signUp, whoAmI, type Kind, type OpenForm,
} from '../helpers/flows.js'
import { startTestGateway, ui } from '../helpers/gateway.js'
import { newVisitor, type Page, type Visitor } from '../helpers/visitor.js'

const gateway = await startTestGateway(t, { config: { urls: { whitelisted_return_to_domains: [ui, 'https://*.partner.test'] } } })
await signUp(newVisitor(), gateway, 'ada')

const fields: Record<Kind, Record<string, string>> = {
  registration: { password: goodPassword, 'traits.username': 'eve', 'traits.foobar': 'bar' },
  login: { identifier: 'ada', password: goodPassword },
}

/** The answer is the 400 of the contract, whatever was asked for, and nothing happened. */
async function refused(t: Test, page: Page, visitor: Visitor, form: OpenForm, kind: Kind, what: string): Promise<void> {
  t.equal(page.status, 400, what)
  t.match(page.headers['content-type'], /^application\/json/, what)
  const { request, ...error } = page.json().error
  t.type(request, 'string')
  t.same(error, {
    code: 400, status: 'Bad Request', reason: 'CSRF token is missing or invalid.',
    message: 'The request was malformed or contained invalid parameters',
  }, what)
  t.equal((await whoAmI(visitor, gateway)).status, 401, what)
  t.same(messagesOf(await readForm(gateway, kind, form.id)), [], what)
  t.equal(await countIdentities(gateway), 1, what)
}

for (const kind of ['registration', 'login'] as const) {
  t.test(`C3 ${kind}: a submit needs the token of its flow`, async t => {
    const visitor = newVisitor()
    const form = await open(visitor, gateway, kind)
    const otherFlow = await open(visitor, gateway, kind)
    const otherBrowser = await open(newVisitor(), gateway, kind)
    const flipped = Buffer.from(form.csrf, 'base64')
    flipped[63] = (flipped[63] ?? 0) ^ 1
    const tokens = [
      '', otherFlow.csrf, otherBrowser.csrf, form.csrf.slice(0, 84), `${form.csrf}AAAA`, flipped.toString('base64'), 'A'.repeat(88),
      form.csrf.toLowerCase(),
    ]

    await refused(t, await visitor.submit(form.action, fields[kind]), visitor, form, kind, 'none')
    for (const token of tokens) {
      await refused(t, await visitor.submit(form.action, { ...fields[kind], csrf_token: token }), visitor, form, kind, token)
      await refused(
        t, await visitor.submit(form.action, fields[kind], { 'x-csrf-token': token }), visitor, form, kind, `header ${token}`,
      )
    }
  })

  t.test(`C3 ${kind}: the token does not count in the query, and the header goes before the body`, async t => {
    const visitor = newVisitor()
    const form = await open(visitor, gateway, kind)
    const inQuery = await visitor.submit(`${form.action}&csrf_token=${encodeURIComponent(form.csrf)}`, fields[kind])
    await refused(t, inQuery, visitor, form, kind, 'query')
    const wrongHeader = await visitor.submit(form.action, { ...fields[kind], csrf_token: form.csrf }, { 'x-csrf-token': 'x' })
    await refused(t, wrongHeader, visitor, form, kind, 'header')
  })

  t.test(`C3 C4 ${kind}: the token is worth nothing without the cookie it was made from`, async t => {
    const attacker = newVisitor()
    const form = await open(attacker, gateway, kind)
    const csrfCookie = attacker.jar.get('oathgate_csrf')
    const cookies: (string | undefined)[] = [undefined, '', 'A'.repeat(44), `${'A'.repeat(43)}=`]
    for (const cookie of cookies) {
      const victim = newVisitor()
      if (cookie !== undefined) victim.jar.set('oathgate_csrf', { value: cookie, path: '/' })
      await refused(
        t, await victim.submit(form.action, { ...fields[kind], csrf_token: form.csrf }), victim, form, kind, `cookie ${cookie}`,
      )
    }

    const victim = newVisitor()
    await begin(victim, gateway, kind)
    await refused(
      t, await victim.submit(form.action, { ...fields[kind], csrf_token: form.csrf }), victim, form, kind,
      'a browser with a flow of its own',
    )

    // Which of two cookies is ours nobody can tell.
    for (const cookie of [`oathgate_csrf=${csrfCookie?.value}; oathgate_csrf=x`, `oathgate_csrf=x; oathgate_csrf=${csrfCookie?.value}`]) {
      const page = await newVisitor().submit(form.action, { ...fields[kind], csrf_token: form.csrf }, { cookie })
      await refused(t, page, newVisitor(), form, kind, 'two cookies')
    }
  })

  t.test(`C3 ${kind}: a form on another site is refused, whatever it carries`, async t => {
    const visitor = newVisitor()
    const form = await open(visitor, gateway, kind)
    const complete = { ...fields[kind], csrf_token: form.csrf }
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.test' },
      { origin: 'null' },
      { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'null', 'sec-fetch-site': 'cross-site', referer: `${ui}/` },
      { origin: `${ui}.evil.test` },
      { origin: 'https://ui.test' },
      { origin: 'https://a.b.partner.test' },
      { origin: 'http://shop.partner.test' },
      { 'sec-fetch-site': 'cross-site', referer: 'https://evil.test/?http://ui.test/' },
    ]
    for (const headers of foreign) {
      await refused(t, await visitor.submit(form.action, complete, headers), visitor, form, kind, JSON.stringify(headers))
    }
  })

  t.test(`C3 ${kind}: JSON in a text/plain body is no submit`, async t => {
    const visitor = newVisitor()
    const form = await open(visitor, gateway, kind)
    const body = JSON.stringify({
      csrf_token: form.csrf, identifier: 'ada', password: goodPassword, traits: { username: 'eve', foobar: 'bar' },
    })
    for (const type of [
      'text/plain', 'text/plain;charset=UTF-8', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencoded',
    ]) {
      const page = await visitor.send(form.action, {
        method: 'POST', body, headers: { 'content-type': type, accept: 'application/json' },
      })
      await refused(t, page, visitor, form, kind, type)
    }
    const untyped = await visitor.send(form.action, { method: 'POST', body, headers: { accept: 'application/json' } })
    await refused(t, untyped, visitor, form, kind, 'no type')
  })
}

t.test('C3 our own pages, trusted origins and clients that are no browser may submit', async t => {
  const trusted: Record<string, string>[] = [
    {},
    { origin: gateway.url },
    { origin: ui },
    { origin: ui, 'sec-fetch-site': 'cross-site' },
    { origin: 'https://shop.partner.test', 'sec-fetch-site': 'cross-site' },
    { origin: gateway.url, 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
  ]
  for (const headers of trusted) {
    const visitor = newVisitor()
    const form = await open(visitor, gateway, 'login')
    const page = await visitor.submit(form.action, { ...fields.login, csrf_token: form.csrf }, headers)
    t.equal(page.location, `${ui}/dashboard`, JSON.stringify(headers))
  }
})

t.test('1.1 the token may come in the header, with a form and with JSON', async t => {
  for (const submit of ['submit', 'submitJson'] as const) {
    const visitor = newVisitor()
    const form = await open(visitor, gateway, 'login')
    const page = await visitor[submit](form.action, fields.login, { 'x-csrf-token': form.csrf })
    t.equal(page.location, `${ui}/dashboard`)
  }
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login')
  t.equal((await visitor.submitJson(form.action, { ...fields.login, csrf_token: form.csrf })).location, `${ui}/dashboard`)
  t.equal((await newVisitor().submitJson(form.action, { ...fields.login, csrf_token: 7 })).status, 400)
})

t.test('1.1 the token looks different each time, and every one is good', async t => {
  const visitor = newVisitor()
  const first = await open(visitor, gateway, 'login')
  const again = await Promise.all(Array.from({ length: 20 }, () => readForm(gateway, 'login', first.id)))
  const tokens = [first, ...again].map(({ csrf }) => csrf)
  t.equal(new Set(tokens).size, tokens.length)
  for (const token of tokens) {
    t.match(token, /^[A-Za-z0-9+/]{86}==$/)
    const page = await visitor.submit(first.action, { identifier: 'ada', password: 'not hers', csrf_token: token })
    t.equal(page.status, 302)
  }
})

t.test('1.1 the cookie stays from flow to flow, so forms in several tabs work', async t => {
  const visitor = newVisitor()
  const tabs = [
    await open(visitor, gateway, 'registration'), await open(visitor, gateway, 'login'), await open(visitor, gateway, 'login'),
  ]
  const cookie = visitor.jar.get('oathgate_csrf')?.value
  t.match(cookie, /^[A-Za-z0-9+/]{43}=$/)
  t.equal(visitor.jar.get('oathgate_csrf')?.path, '/.ory/kratos/public', 'sent to self-service paths alone')
  await visitor.submit(tabs[2]?.action ?? '', { identifier: 'ada', password: 'not hers', csrf_token: tabs[2]?.csrf ?? '' })
  const done = await visitor.submit(tabs[1]?.action ?? '', {
    identifier: 'ada', password: goodPassword, csrf_token: tabs[1]?.csrf ?? '',
  })
  t.equal(done.location, `${ui}/dashboard`)
  t.equal(visitor.jar.get('oathgate_csrf')?.value, cookie)
})

t.test('1.1 a cookie that was not made here is replaced when a flow begins', async t => {
  for (const value of ['', 'x', 'A'.repeat(43), `${'A'.repeat(42)}-=`]) {
    const visitor = newVisitor()
    visitor.jar.set('oathgate_csrf', { value, path: '/.ory/kratos/public' })
    await begin(visitor, gateway, 'login')
    t.match(visitor.jar.get('oathgate_csrf')?.value, /^[A-Za-z0-9+/]{43}=$/)
    t.not(visitor.jar.get('oathgate_csrf')?.value, value)
  }
})

t.test('C7 a flow can not be read or submitted by a guess: its id alone opens nothing', async t => {
  const visitor = newVisitor()
  const id = await begin(visitor, gateway, 'registration')
  const stranger = newVisitor()
  await begin(stranger, gateway, 'registration')
  for (const someone of [newVisitor(), stranger]) {
    t.equal((await someone.fetch(`${gateway.publicUrl}/auth/browser/requests/registration?request=${id}`)).status, 403)
    t.equal(
      (
        await someone.submit(`${gateway.publicUrl}/auth/browser/methods/password/registration?request=${id}`, fields.registration)
      ).status,
      400,
    )
  }
})
