import t from 'tap'

import { newCsrfCookie } from '../../src/http/csrf.js'
import { createTokens } from '../../src/session/token.js'
import {
  begin, goodPassword, identitiesOf, logIn, open, openForm, signUp, usernameOf, whoAmI, type FlowDocument,
} from '../helpers/flows.js'
import { startTestGateway, ui } from '../helpers/gateway.js'
import { newVisitor, type Visitor } from '../helpers/visitor.js'

const gateway = await startTestGateway(t)
const cookie = 'ory_kratos_session'

t.test('S1 whoami is 401 for nobody and 200 for somebody', async t => {
  const visitor = newVisitor()
  const nobody = await whoAmI(visitor, gateway)
  t.equal(nobody.status, 401)
  const { request, ...error } = nobody.json().error
  t.type(request, 'string')
  t.same(error, {
    code: 401, status: 'Unauthorized', reason: 'No valid session cookie found.', message: 'The request could not be authorized',
  })

  const before = Date.now()
  await signUp(visitor, gateway, 's1')
  const page = await whoAmI(visitor, gateway)
  t.equal(page.status, 200)
  t.equal(page.headers['content-type'], 'application/json; charset=utf-8')
  const document = page.json()
  t.same(Object.keys(document), ['sid', 'expires_at', 'authenticated_at', 'issued_at', 'identity'])
  t.match(document.sid, /^[0-9a-f-]{36}$/)
  t.equal(Date.parse(document.expires_at) - Date.parse(document.issued_at), 86_400_000)
  t.ok(Date.parse(document.authenticated_at) >= before && Date.parse(document.authenticated_at) <= Date.now())

  const identity = (await identitiesOf(gateway)).find(({ traits }) => traits['username'] === 's1')
  t.strictSame(document.identity, identity)
  t.strictSame(identity, {
    id: identity?.id, traits_schema_id: 'default', traits_schema_url: `${gateway.publicUrl}/schemas/default`,
    traits: { foobar: 'bar', username: 's1' },
  })
  t.equal((await visitor.fetch(`${gateway.publicUrl}/sessions/me`)).text, page.text, 'the spelling of the seed\'s day')
})

t.test('S2 a cookie that nobody issued is nobody\'s, and is taken away', async t => {
  const genuine = newVisitor()
  await signUp(genuine, gateway, 's2')
  const value = genuine.jar.get(cookie)?.value ?? ''
  const [random = '', signature = ''] = value.split('.')
  const forged = [
    '', 'x', random, `${random}.`, `${random}.${'A'.repeat(43)}`, `${'A'.repeat(43)}.${signature}`, `${value}.`, `${value}A`,
    `"${value}"`,
  ]

  for (const token of forged) {
    const visitor = newVisitor()
    visitor.jar.set(cookie, { value: token, path: '/' })
    t.equal((await whoAmI(visitor, gateway)).status, 401, token)
    t.notOk(visitor.jar.has(cookie), `whoami takes "${token}" away`)

    visitor.jar.set(cookie, { value: token, path: '/' })
    t.type(await begin(visitor, gateway, 'login'), 'string')
    t.notOk(visitor.jar.has(cookie))
  }
})

t.test('C2 two session cookies count as none, whichever comes first', async t => {
  const visitor = newVisitor()
  await signUp(visitor, gateway, 'c2')
  const value = visitor.jar.get(cookie)?.value ?? ''
  const ask = (header: string) => newVisitor().fetch(`${gateway.publicUrl}/sessions/whoami`, { cookie: header })
  t.equal((await ask(`${cookie}=${value}`)).status, 200)
  t.equal((await ask(`a=b; ${cookie}=${value}; c=d`)).status, 200)
  t.equal((await ask(`${cookie}=${value}; ${cookie}=a`)).status, 401)
  t.equal((await ask(`${cookie}=a; ${cookie}=${value}`)).status, 401)
  t.equal((await ask(`${cookie}=${value}; ${cookie}=${value}`)).status, 401)
  t.equal((await ask(`x${cookie}=${value}`)).status, 401)
})

t.test('S3 S4 pages for visitors send on whoever is logged in, pages for members refuse everybody else', async t => {
  const member = newVisitor()
  await signUp(member, gateway, 's3')
  for (const kind of ['registration', 'login'] as const) {
    t.equal((await member.visit(`${gateway.publicUrl}/auth/browser/${kind}`)).location, `${ui}/`)
    t.type(await begin(newVisitor(), gateway, kind), 'string')
  }
  t.equal((await whoAmI(member, gateway)).status, 200)
  t.equal((await whoAmI(newVisitor(), gateway)).status, 401)
})

t.test('S5 deleting an identity ends its sessions', async t => {
  const visitor = newVisitor()
  await signUp(visitor, gateway, 's5')
  const { identity } = (await whoAmI(visitor, gateway)).json()
  t.equal((await newVisitor().send(`${gateway.adminUrl}/identities/${identity.id}`, { method: 'DELETE' })).status, 204)
  t.equal((await whoAmI(visitor, gateway)).status, 401)
  t.type(await begin(visitor, gateway, 'login'), 'string', 'and the browser can begin anew')
})

t.test('S6 C5 a session has a new token at each login, and none that the client brought', async t => {
  const planted = newVisitor()
  planted.jar.set(cookie, { value: `${'A'.repeat(43)}.${'A'.repeat(43)}`, path: '/' })
  await signUp(planted, gateway, 's6')
  const first = planted.jar.get(cookie)?.value ?? ''
  t.match(first, /^[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{43}$/)
  t.notMatch(first, /^A{43}/)

  const again = newVisitor()
  await logIn(again, gateway, 's6')
  t.not(again.jar.get(cookie)?.value, first)
  const [sidOfFirst, sidOfSecond] = [(await whoAmI(planted, gateway)).json().sid, (await whoAmI(again, gateway)).json().sid]
  t.not(sidOfFirst, sidOfSecond)
})

t.test('A11 ten thousand tokens share no beginning', async t => {
  const tokens = createTokens(['s'.repeat(32)])
  const prefixes = new Set(Array.from({ length: 10_000 }, () => tokens.issue().slice(0, 12)))
  t.equal(prefixes.size, 10_000)
})

t.test('S7 revoke_active_sessions ends all sessions there were, and the new one lives', async t => {
  const jobs = [{ run: 'revoke_active_sessions' }, { run: 'session' }]
  const other = await startTestGateway(t, {
    config: {
      selfservice: {
        registration: { after: { password: [{ run: 'session' }] } }, login: { after: { password: [{ run: 'session' }] } },
      },
    },
  })
  t.equal((await countSessions(other, 5)).filter(alive => alive).length, 5, 'without the job they all live')

  const revoking = await startTestGateway(t, {
    config: { selfservice: { registration: { after: { password: [{ run: 'session' }] } }, login: { after: { password: jobs } } } },
  })
  t.same(await countSessions(revoking, 5), [false, false, false, false, true])

  async function countSessions(target: typeof gateway, count: number): Promise<boolean[]> {
    const visitors: Visitor[] = [newVisitor()]
    await signUp(visitors[0] as Visitor, target, 'ada')
    while (visitors.length < count) {
      const visitor = newVisitor()
      await logIn(visitor, target, 'ada')
      visitors.push(visitor)
    }
    const answers = await Promise.all(visitors.map(visitor => whoAmI(visitor, target)))
    return answers.map(({ status }) => status === 200)
  }
})

t.test('8 a session ends when its time is over', async t => {
  const other = await startTestGateway(t, { config: { session: { lifespan: '1s' } } })
  const visitor = newVisitor()
  const done = await signUp(visitor, other, 'ada')
  t.match([done.headers['set-cookie']].flat()[0], /Max-Age=1;/)
  const { expires_at: expiresAt } = (await whoAmI(visitor, other)).json()
  while (Date.now() <= Date.parse(expiresAt)) await new Promise(resolve => setTimeout(resolve, 20))
  t.equal((await whoAmI(visitor, other)).status, 401)
})

t.test('8 a session that is not used ends sooner, one that is used does not', async t => {
  const other = await startTestGateway(t, { config: { session: { idle_lifespan: '1s' } } })
  const [busy, idle] = [newVisitor(), newVisitor()]
  await signUp(busy, other, 'busy')
  await signUp(idle, other, 'idle')
  const over = Date.now() + 1200
  while (Date.now() < over) {
    t.equal((await whoAmI(busy, other)).status, 200)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  t.equal((await whoAmI(idle, other)).status, 401)
  t.equal((await whoAmI(busy, other)).status, 200)
})

t.test('session.max_per_identity ends the oldest', async t => {
  const other = await startTestGateway(t, { config: { session: { max_per_identity: 2 } } })
  const visitors = [newVisitor(), newVisitor(), newVisitor()] as const
  await signUp(visitors[0], other, 'ada')
  await logIn(visitors[1], other, 'ada')
  await logIn(visitors[2], other, 'ada')
  t.same(await Promise.all(visitors.map(visitor => usernameOf(visitor, other))), [undefined, 'ada', 'ada'])
})

t.test('K2 a second secret goes on verifying what it signed', async t => {
  const [old, next] = ['an old secret of at least 32 letters', 'a new secret of at least 32 letters!']
  const first = await startTestGateway(t, { config: { secrets: { session: [old] } } })
  const visitor = newVisitor()
  await signUp(visitor, first, 'ada')
  await first.stop()

  const data = { dsn: `embedded://${first.folder}/data` }
  const rotated = await startTestGateway(t, { config: { ...data, secrets: { session: [next, old] } } })
  t.equal(await usernameOf(visitor, rotated), 'ada')
  await rotated.stop()
  const retired = await startTestGateway(t, { config: { ...data, secrets: { session: [next] } } })
  t.equal(await usernameOf(visitor, retired), undefined)
})

t.test('C1 cookies as a browser gets them: over https Secure, always HttpOnly and SameSite', async t => {
  const other = await startTestGateway(t, { config: { urls: { self: { public: 'https://example.org/.ory/kratos/public' } } } })
  const host = { host: 'example.org' }
  const local = (url: string) => url.replace('https://example.org', other.url)
  const visitor = newVisitor()
  const begun = await visitor.visit(`${other.publicUrl}/auth/browser/registration`, host)
  const id = new URL(begun.location ?? '').searchParams.get('request')
  const document = await visitor.fetch(`${other.publicUrl}/auth/browser/requests/registration?request=${id}`, host)
  const form = openForm(document.json() as FlowDocument)
  const done = await visitor.submit(local(form.action), {
    csrf_token: form.csrf, password: goodPassword, 'traits.username': 'ada', 'traits.foobar': 'bar',
  }, host)
  const out = await visitor.visit(`${other.publicUrl}/auth/browser/logout`, host)

  t.match(
    begun.headers['set-cookie'],
    /^__Host-oathgate_csrf=[A-Za-z0-9+/]{43}=; Path=\/; Max-Age=31536000; HttpOnly; SameSite=Lax; Secure$/,
  )
  t.match(done.headers['set-cookie'], /^ory_kratos_session=[\w.-]+; Path=\/; Max-Age=(86400|8639\d); HttpOnly; SameSite=Lax; Secure$/)
  for (const { headers } of [begun, done, out]) {
    for (const field of [headers['set-cookie'] ?? []].flat()) t.match(field, /; HttpOnly; SameSite=Lax; Secure$/)
  }
})

t.test('C2 over https a cookie without the prefix, which a sibling subdomain can plant, is none', async t => {
  const other = await startTestGateway(t, { config: { urls: { self: { public: 'https://example.org/.ory/kratos/public' } } } })
  const planted = newCsrfCookie()
  const begun = await newVisitor().visit(`${other.publicUrl}/auth/browser/login`, { host: 'example.org', cookie: `oathgate_csrf=${planted}` })
  t.match(begun.headers['set-cookie'], /^__Host-oathgate_csrf=/, 'the browser gets one of its own')
  const id = new URL(begun.location ?? '').searchParams.get('request')
  const read = await newVisitor().fetch(`${other.publicUrl}/auth/browser/requests/login?request=${id}`, { host: 'example.org', cookie: `oathgate_csrf=${planted}` })
  t.equal(read.status, 403)
})

t.test('C1 name, domain, SameSite and persistence of the session cookie are configured', async t => {
  const other = await startTestGateway(t, {
    config: { session: { cookie: { name: 'gw_session', same_site: 'Strict', persistent: false } } },
  })
  const visitor = newVisitor()
  const done = await signUp(visitor, other, 'ada')
  t.match(done.headers['set-cookie'], /^gw_session=[\w.-]+; Path=\/; HttpOnly; SameSite=Strict$/)
  t.equal(await usernameOf(visitor, other), 'ada')
})

t.test('C8 everything that self-service says is neither framed, sniffed nor kept', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login')
  const answers = [
    await visitor.visit(`${gateway.publicUrl}/auth/browser/login`),
    await visitor.fetch(`${gateway.publicUrl}/auth/browser/requests/login?request=${form.id}`),
    await visitor.submit(form.action, { csrf_token: form.csrf }),
    await visitor.submit(form.action, {}),
    await visitor.visit(`${gateway.publicUrl}/sessions/whoami`),
    await visitor.fetch(`${gateway.publicUrl}/sessions/whoami`),
    await visitor.fetch(`${gateway.publicUrl}/nothing`),
    await visitor.visit(`${gateway.publicUrl}/schemas/default`),
    await visitor.visit(`${gateway.publicUrl}/auth/browser/logout`),
  ]
  for (const { status, headers } of answers) {
    t.match(headers, {
      'cache-control': /no-store/,
      'content-security-policy': /frame-ancestors 'none'/,
      'cross-origin-opener-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'vary': /Cookie/,
    }, String(status))
    t.notOk('x-powered-by' in headers)
  }
})

t.test('a browser that opens a data endpoint gets JSON too (contract 1.6, 8)', async t => {
  const gateway = await startTestGateway(t)
  for (const path of ['/sessions/whoami', '/auth/browser/requests/registration?request=unknown', '/errors?error=unknown', '/schemas/unknown']) {
    const page = await newVisitor().visit(`${gateway.publicUrl}${path}`)
    t.match(page.headers['content-type'], /^application\/json/, path)
    t.ok((page.json() as { error: unknown }).error, path)
  }
})
