/** The proxy cases of contract oathkeeper 7.7 through the whole gateway; where we differ on purpose, what we do instead. */
import t, { type Test } from 'tap'

import { startTestGateway, type GatewayOptions, type TestGateway } from '../helpers/gateway.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'
import { startRecorder } from '../helpers/recorder.js'
import { newVisitor, type Page } from '../helpers/visitor.js'

const upstream = await startRecorder()
t.teardown(() => upstream.close())

const digits = { regexp: '<[0-9]+>', glob: '<[0-9]*>' }
const anyHost = { regexp: '<[^/]+>', glob: '<{**}>' }
type Strategy = keyof typeof digits

interface RuleParts {
  readonly url?: string
  readonly authenticators?: readonly object[]
  readonly authorizer?: object
  readonly mutators?: readonly object[]
  readonly errors?: readonly object[]
  readonly upstream?: object
}

const handler = (name: string, config?: object): object => ({ handler: name, ...(config === undefined ? {} : { config }) })

function rule(id: string, path: string, parts: RuleParts = {}): object {
  const { url = `http://127.0.0.1:4455${path}`, ...over } = parts
  return {
    id, match: { url, methods: ['GET'] }, upstream: { url: upstream.origin },
    authenticators: [handler('noop')], authorizer: handler('allow'), mutators: [handler('noop')], ...over,
  }
}

function get(gateway: TestGateway, path: string, headers: Record<string, string> = {}): Promise<Page> {
  return newVisitor().send(`${gateway.url}${path}`, { headers: { host: '127.0.0.1:4455', ...headers } })
}

async function whyNoStart(t: Test, options: GatewayOptions): Promise<string> {
  return startTestGateway(t, options).then(() => 'it started', (error: Error) => error.message)
}

for (const strategy of ['regexp', 'glob'] as const satisfies readonly Strategy[]) {
  const number = digits[strategy]
  const config = { access_rules: { matching_strategy: strategy } }
  const bearer = { authorization: 'bearer token' }

  t.test(`proxy (${strategy})`, async t => {
    const gateway = await startTestGateway(t, { config, rules: [
      rule('twice:1', `/twice/${number}`), rule('twice:2', `/twice/${number}`),
      rule('noop', `/authn-noop/${number}`),
      rule('strip', `/strip-path/authn-noop/${number}`, { upstream: { url: upstream.origin, strip_path: '/strip-path/', preserve_host: true } }),
      rule('anonymous', `/authn-anon/authz-allow/${number}`, { authenticators: [handler('anonymous')] }),
      rule('deny', `/authz-deny/${number}`, { authorizer: handler('deny') }),
      rule('asks', `/asks/${number}`, { authorizer: handler('deny'), errors: [handler('www_authenticate')] }),
      rule('broken', `/authn-broken/${number}`, { authenticators: [handler('unauthorized')] }),
    ] })

    t.test('P-1 without a rule it is 404', async t => {
      t.equal((await get(gateway, '/invalid')).status, 404)
    })

    t.test('P-2 with two of them it is 500', async t => {
      const before = upstream.requests.length
      t.equal((await get(gateway, '/twice/1234')).status, 500)
      t.equal(upstream.requests.length, before)
    })

    t.test('P-3 noop passes credentials on; the upstream is called by its own name', async t => {
      t.equal((await get(gateway, '/authn-noop/1234', bearer)).status, 200)
      t.same(upstream.field('authorization'), ['bearer token'])
      t.same(upstream.field('host'), [upstream.origin.slice('http://'.length)])
      t.equal(upstream.requests.at(-1)?.target, '/authn-noop/1234')
    })

    t.test('P-4 strip_path and preserve_host', async t => {
      t.equal((await get(gateway, '/strip-path/authn-noop/1234', bearer)).status, 200)
      t.same(upstream.field('host'), ['127.0.0.1:4455'])
      t.equal(upstream.requests.at(-1)?.target, '/authn-noop/1234')
    })

    t.test('P-5 anonymous is not responsible for whoever brings credentials: 401', async t => {
      t.equal((await get(gateway, '/authn-anon/authz-allow/1234', bearer)).status, 401)
    })

    t.test('P-7 anonymous passes', async t => {
      t.equal((await get(gateway, '/authn-anon/authz-allow/1234')).status, 200)
      t.same(upstream.field('authorization'), [])
    })

    t.test('P-9 X-Forwarded-Host of anybody is not passed on', async t => {
      t.equal((await get(gateway, '/authn-noop/1234', { 'x-forwarded-host': 'foobar.com' })).status, 200)
      t.same(upstream.field('x-forwarded-host'), ['127.0.0.1:4455'])
    })

    t.test('P-10 P-11 P-12 refusals: 403, 401 where the rule asks for credentials, 401', async t => {
      t.equal((await get(gateway, '/authz-deny/1234')).status, 403)
      const asked = await get(gateway, '/asks/1234')
      t.equal(asked.status, 401)
      t.match(asked.headers['www-authenticate'], /^Basic realm=/)
      t.equal((await get(gateway, '/authn-broken/1234')).status, 401)
    })

    t.test('P-8 X-Forwarded-Host of a trusted proxy reaches the upstream', async t => {
      const trusting = await startTestGateway(t, {
        config: { ...config, serve: { public: { trusted_proxies: ['127.0.0.1/32'] } } },
        rules: [rule('any', '', { url: `http://${anyHost[strategy]}/authn-noop/${number}` })],
      })
      t.equal((await get(trusting, '/authn-noop/1234', { 'x-forwarded-host': 'foobar.com' })).status, 200)
      t.same(upstream.field('x-forwarded-host'), ['foobar.com'])
    })

    t.test('P-6 P-13 P-14 P-15 a rule without mutators, or with one that does not exist, is refused at the start', async t => {
      const cases: [RuleParts, RegExp][] = [
        [{ authenticators: [handler('anonymous')], mutators: [] }, /Value of "mutators" must be set/],
        [{ mutators: [handler('noop'), handler('broken')] }, /Value "broken" of "mutators\[1\]" is not in list of supported mutators/],
        [{ mutators: [handler('broken')] }, /Value "broken" of "mutators\[0\]" is not in list of supported mutators/],
      ]
      for (const [parts, why] of cases) t.match(await whyNoStart(t, { config, rules: [rule('bad', `/bad/${number}`, parts)] }), why)
    })
  })
}

t.test('P-16 Connection does not take off what a rule sets', async t => {
  const gateway = await startTestGateway(t, { rules: [rule('header', '/', { mutators: [handler('header', { headers: { 'X-Arbitrary': 'foo' } })] })] })
  t.equal((await get(gateway, '/', { connection: 'x-arbitrary' })).status, 200)
  t.same(upstream.field('x-arbitrary'), ['foo'])
})

t.test('P-17 a session service that limits is passed on with its fields', async t => {
  const limits = { 'retry-after': '30', 'x-ratelimit-limit': '100', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1709042400' }
  const sessions = await startRecorder()
  t.teardown(() => sessions.close())
  const head = Object.entries(limits).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  sessions.behave({ answer: socket => socket.write(`HTTP/1.1 429 Too Many Requests\r\n${head}Content-Length: 0\r\n\r\n`) })

  const gateway = await startTestGateway(t, { rules: [rule('limited', '/limited', { authenticators: [handler('cookie_session', { check_session_url: `${sessions.origin}/whoami` })] })] })
  const page = await get(gateway, '/limited', { cookie: 'sid=1' })
  t.equal(page.status, 429)
  for (const [name, value] of Object.entries(limits)) t.equal(page.headers[name], value, name)
})

t.test('P-18 X-Forwarded-Proto of anybody does not choose the rule', async t => {
  const gateway = await startTestGateway(t, { rules: [
    rule('tls', '', { url: 'https://127.0.0.1:4455/https-only' }),
    rule('plain', '', { url: 'http://127.0.0.1:4455/https-only', authorizer: handler('deny') }),
  ] })
  t.equal((await get(gateway, '/https-only')).status, 403)
  t.equal((await get(gateway, '/https-only', { 'x-forwarded-proto': 'https' })).status, 403)
})

t.test('P-19 X-Forwarded-* of anybody does not choose where the browser comes back to', async t => {
  const gateway = await startTestGateway(t, {
    config: { errors: { fallback: ['redirect'], handlers: { redirect: { config: { to: 'http://example.com/error', return_to_query_param: 'return_to' } } } } },
  })
  const page = await get(gateway, '/https-only/404', { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.test', 'x-forwarded-uri': '/evil' })
  t.equal(page.status, 302)
  t.equal(page.location, `http://example.com/error?return_to=${encodeURIComponent('http://127.0.0.1:4455/https-only/404')}`)
})

t.test('X-1 X-Forwarded-Proto of a trusted proxy chooses the rule', async t => {
  const gateway = await startTestGateway(t, {
    config: { serve: { public: { trusted_proxies: ['127.0.0.1/32'] } } },
    rules: [rule('http', '', { url: 'http://app.test/http' }), rule('https', '', { url: 'https://app.test/https' })],
  })
  const ask = async (path: string, proto?: string): Promise<number> => (
    (await get(gateway, path, { host: 'app.test', ...(proto === undefined ? {} : { 'x-forwarded-proto': proto }) })).status
  )
  t.same([await ask('/http'), await ask('/http', 'http'), await ask('/http', 'https')], [200, 200, 404])
  t.same([await ask('/https'), await ask('/https', 'http'), await ask('/https', 'https')], [404, 404, 200])
})

t.test('B-1 to B-7 where requests go: base path, strip_path however it is written, Host', async t => {
  const own = upstream.origin.slice('http://'.length)
  const cases = [
    { id: 'B-1', upstream: { url: `${upstream.origin}/` }, path: '/api/users/1234', host: own },
    { id: 'B-2', upstream: { url: `${upstream.origin}/`, preserve_host: true }, path: '/api/users/1234', host: 'b-2.test:3000' },
    ...['/api/', 'api/', '/api', 'api'].map((prefix, at) => (
      { id: `B-${at + 3}`, upstream: { url: `${upstream.origin}/`, strip_path: prefix, preserve_host: true }, path: '/users/1234', host: `b-${at + 3}.test:3000` }
    )),
    { id: 'B-7', upstream: { url: `${upstream.origin}/foo/`, strip_path: 'api', preserve_host: true }, path: '/foo/users/1234', host: 'b-7.test:3000' },
  ]
  const rules = cases.map(({ id, upstream }) => rule(id, '', { url: `http://${id.toLowerCase()}.test:3000/api/<.*>`, upstream }))
  const gateway = await startTestGateway(t, { rules })
  for (const { id, path, host } of cases) {
    t.equal((await get(gateway, '/api/users/1234', { host: `${id}.test:3000` })).status, 200, id)
    t.same([upstream.requests.at(-1)?.target, upstream.field('host')], [path, [host]], id)
  }
})

t.test('B-8 R-4 a path with dot segments is refused, not cleaned', async t => {
  const gateway = await startTestGateway(t, { rules: [rule('all', '/<.*>')] })
  for (const path of ['/api/../users/1234', '/public/../admin/secrets']) {
    const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:4455\r\n\r\n`
    t.equal((await sendRaw(Number(new URL(gateway.url).port), request, { until: oneAnswer })).status, 400, path)
  }
})
