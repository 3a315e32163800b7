import t, { type Test } from 'tap'

import { begin, errorsOf, logIn, open, goodPassword, signUp } from '../helpers/flows.js'
import { startTestGateway, ui } from '../helpers/gateway.js'
import { newVisitor } from '../helpers/visitor.js'

const target = 'https://app.test/fallback'
const jobs = [{ run: 'session' }, { run: 'redirect', config: { default_redirect_url: target, allow_user_defined_redirect: true } }]
const whitelist = ['https://app.test/some/path', 'https://apis.app.test', 'http://plain.test:8080']
const config = {
  urls: { whitelisted_return_to_domains: whitelist },
  selfservice: { registration: { after: { password: jobs } }, login: { after: { password: jobs } } },
}
const gateway = await startTestGateway(t, { config })
await signUp(newVisitor(), gateway, 'ada')
let people = 0

const kinds = ['registration', 'login'] as const

/** Where somebody ends up who began with this (encoded) query. */
async function destination(kind: typeof kinds[number], query: string): Promise<string | undefined> {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, kind, query)
  const fields = kind === 'login' ? { identifier: 'ada' } : { 'traits.username': `person ${++people}`, 'traits.foobar': 'bar' }
  const done = await visitor.submit(form.action, {
    ...fields as Record<string, string>, password: goodPassword, csrf_token: form.csrf,
  })
  t.equal(done.status, 302)
  return done.headers['location'] as string | undefined
}

const allowed: [wish: string, location: string][] = [
  ['/foo', 'https://app.test/foo'],
  ['/', 'https://app.test/'],
  ['/foo?a=b&c=%2F#top', 'https://app.test/foo?a=b&c=%2F#top'],
  ['https://app.test/foo', 'https://app.test/foo'],
  ['https://app.test', 'https://app.test/'],
  ['https://apis.app.test/foo?x=1', 'https://apis.app.test/foo?x=1'],
  ['http://plain.test:8080/x', 'http://plain.test:8080/x'],
  // R4: the same origin, spelt otherwise.
  ['https://APP.TEST/x', 'https://app.test/x'],
  ['HTTPS://app.test:443/x', 'https://app.test/x'],
  // R6: absolute and on the host of the job, whatever a browser would make of the path alone.
  ['/.//evil.test', 'https://app.test//evil.test'],
  ['/x/..//evil.test', 'https://app.test//evil.test'],
  ['/x/../../evil.test', 'https://app.test/evil.test'],
  ['/@evil.test', 'https://app.test/@evil.test'],
  ['/:8080/evil.test', 'https://app.test/:8080/evil.test'],
]

for (const kind of kinds) {
  t.test(`RT1 RT2 RT3 R4 R6 R9 ${kind}: allowed wishes are followed`, async t => {
    t.equal(await destination(kind, ''), target, 'without a wish to where the job says')
    for (const [wish, location] of allowed) t.equal(await destination(kind, `?return_to=${encodeURIComponent(wish)}`), location, wish)
  })
}

const malformed = 'The return_to parameter must be a path that begins with a single "/" or a complete http(s) URL.'
const refused: [row: string, wishes: string[]][] = [
  ['R1', ['//evil.test', '///evil.test', '/\\evil.test', '\\/evil.test', '\\\\evil.test', 'http:///evil.test', '\t//evil.test',
    '/\n/evil.test', '/\t/evil.test', ' //evil.test', '\u0000//evil.test', '//evil.test\u0000', '/foo\r\nSet-Cookie: a=b']],
  ['R2', ['https:evil.test', 'https:/evil.test', 'https:\\evil.test', 'https:\\\\evil.test', 'http:app.test', 'https:/\\app.test']],
  ['R3', ['https://app.test@evil.test', 'https://app.test:pw@evil.test', 'https://user@app.test', 'https://evil.test\\@app.test',
    'https://evil.test#@app.test', 'https://evil.test?@app.test', 'https://app.test%2f@evil.test', 'https://app.test\\.evil.test']],
  ['R4', ['https://evil。test', 'https://app.test.evil.test', 'https://evilapp.test', 'https://app.test․evil.test', 'https://app.test:8443',
    'https://ⓐpp.test', 'https://app.test.', 'http://app.test', 'https://sub.app.test', 'http://plain.test', 'https://xn--pp-1ia.test']],
  ['R5', ['javascript:alert(1)', 'javascript://app.test/%0aalert(1)', 'data:text/html,x', 'blob:https://app.test/x', 'vbscript:x',
    'file:///etc/passwd', 'ftp://app.test/', 'about:blank']],
  ['RT4 RT5', ['http://app.test/foo', 'https://not-app.test/foo', 'foo', '', '?foo', '#foo', 'app.test/foo', './foo']],
  ['R7', [`/${'a'.repeat(2048)}`, `https://app.test/${'a'.repeat(2048)}`, '/a%', '/a%zz', '/%u0041', 'https://app.test/%', '/é']],
]

async function isRefused(t: Test, kind: typeof kinds[number], query: string, what: string): Promise<void> {
  const visitor = newVisitor()
  const page = await visitor.visit(`${gateway.publicUrl}/auth/browser/${kind}?${query}`)
  const [error] = await errorsOf(gateway, page)
  t.equal(error?.code, 400, what)
  t.ok(
    error?.reason === malformed || error?.reason?.endsWith('is not a whitelisted return domain') === true,
    `${what}: ${error?.reason}`,
  )

  const scripted = await visitor.fetch(`${gateway.publicUrl}/auth/browser/${kind}?${query}`)
  t.equal(scripted.status, 400, what)
  t.equal(scripted.location, undefined, what)
}

for (const [row, wishes] of refused) {
  for (const kind of kinds) {
    t.test(`${row} R9 ${kind}: wishes that lead elsewhere are refused before anything exists`, async t => {
      for (const wish of wishes) await isRefused(t, kind, `return_to=${encodeURIComponent(wish)}`, JSON.stringify(wish))
    })
  }
}

t.test('RT4 a host that is not whitelisted is named', async t => {
  const page = await newVisitor().fetch(`${gateway.publicUrl}/auth/browser/registration?return_to=https://not-allowed/foo`)
  t.equal(page.json().error.reason, 'Requested return_to domain "not-allowed" is not a whitelisted return domain')
})

t.test('D11 as far as a name can be long: what is repeated is kept with the error', async t => {
  const page = await newVisitor().fetch(`${gateway.publicUrl}/auth/browser/registration?return_to=https://${'a'.repeat(2000)}/foo`)
  t.equal(page.json().error.reason, `Requested return_to domain "${'a'.repeat(253)}" is not a whitelisted return domain`)
})

t.test('R7 of two wishes the first counts, an encoded one as it reads, and bytes that are no text are refused', async t => {
  t.equal(await destination('login', '?return_to=/first&return_to=https://evil.test'), 'https://app.test/first')
  await isRefused(t, 'login', 'return_to=https://evil.test&return_to=/second', 'the first one is bad')
  t.equal(await destination('login', '?return_to[]=https://evil.test'), target, 'a list is no wish')
  t.equal(await destination('login', '?%72eturn_to=%2Ffoo'), 'https://app.test/foo')
  await isRefused(t, 'login', 'return_to=%ff', 'no UTF-8')
  await isRefused(t, 'login', 'return_to=/%', 'no escape')
  await isRefused(t, 'login', 'return_to=%252F%252Fevil.test', 'escaped twice')
})

t.test('R7 a wish of a megabyte does not get far', async t => {
  const page = await newVisitor().fetch(
    `${gateway.publicUrl}/auth/browser/login?return_to=/${'a'.repeat(1_000_000)}`,
  ).catch((error: unknown) => error as Error)
  t.ok(page instanceof Error || page.status === 431 || page.status === 400, 'the head is too large')
  t.equal((await newVisitor().visit(`${gateway.publicUrl}/auth/browser/login`)).status, 302, 'and nobody else notices')
})

t.test('1.13 only a redirect job that says so follows a wish', async t => {
  const strict = [{ run: 'session' }, { run: 'redirect', config: { default_redirect_url: target } }]
  const other = await startTestGateway(t, {
    config: { ...config, selfservice: { registration: { after: { password: strict } }, login: { after: { password: strict } } } },
  })
  const visitor = newVisitor()
  const form = await open(visitor, other, 'registration', '?return_to=/foo')
  const done = await visitor.submit(form.action, {
    csrf_token: form.csrf, password: goodPassword, 'traits.username': 'ada', 'traits.foobar': 'bar',
  })
  t.equal(done.location, target)
  t.equal((await logIn(newVisitor(), other, 'ada')).location, target)
})

t.test('1.13 the wish of a submit does not count', async t => {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login')
  const done = await visitor.submit(`${form.action}&return_to=/elsewhere`, {
    csrf_token: form.csrf, identifier: 'ada', password: goodPassword, return_to: '/elsewhere',
  })
  t.equal(done.location, target)
})

t.test('R8 a whitelist that means everybody is refused at start', async t => {
  for (const entry of ['https://*foo.com', 'https://*.com', 'https://*.github.io', '*', 'https://*', 'example.org', 'javascript:x']) {
    await t.rejects(
      startTestGateway(t, { config: { urls: { whitelisted_return_to_domains: [entry] } } }),
      { message: /whitelisted_return_to_domains/ }, entry,
    )
  }
})

t.test('C9 a host that a client makes up is in no redirect', async t => {
  const page = await newVisitor().visit(`${gateway.publicUrl}/auth/browser/login`, {
    'x-forwarded-host': 'evil.test', 'x-forwarded-proto': 'https',
  })
  t.ok(page.location?.startsWith(`${ui}/auth/login`))
  t.notMatch(JSON.stringify(page), /evil\.test/)
  await begin(newVisitor(), gateway, 'login')
})
