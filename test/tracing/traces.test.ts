/** Traces as a collector gets them: what the spans of a request are, what is in them and what is not. */
import { once } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http'
import t, { type Test } from 'tap'
import WebSocket from 'ws'

import { startApp } from '../helpers/app.js'
import { signUp } from '../helpers/flows.js'
import { startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '../helpers/otlp-receiver.js'
import { until } from '../helpers/redis.js'
import { newVisitor } from '../helpers/visitor.js'

const theirs = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const theirTrace = '4bf92f3577b34da6a3ce929d0e0e4736'
const theirSpan = '00f067aa0ba902b7'

interface Service { readonly url: string, readonly asked: IncomingHttpHeaders[] }

/** Vouches for everybody as ann, and takes WebSockets. */
async function startService(t: Test): Promise<Service> {
  const asked: IncomingHttpHeaders[] = []
  const url = await startApp(t, (req, res) => {
    asked.push(req.headers)
    res.writeHead(200, { 'content-type': 'application/json' }).end('{"subject":"ann"}')
  }, (_socket, req) => { asked.push(req.headers) })
  return { url, asked }
}

interface Traced {
  readonly gateway: TestGateway
  readonly receiver: OtlpReceiver
  readonly upstream: Service
  readonly whoami: Service
}

interface Options { readonly tracing?: object, readonly trustedProxies?: readonly string[] }

async function start(t: Test, { tracing = {}, trustedProxies = [] }: Options = {}): Promise<Traced> {
  const [receiver, upstream, whoami] = [await startOtlpReceiver(t), await startService(t), await startService(t)]
  const rule = (path: string, authenticator: object, authorizer = 'allow'): object => ({
    id: path, match: { url: `<https?>://<[^/]+>/${path}`, methods: ['GET'] }, upstream: { url: upstream.url }, authenticators: [authenticator],
    authorizer: { handler: authorizer }, mutators: [{ handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}' } } }],
  })
  const gateway = await startTestGateway(t, {
    config: {
      tracing: { enabled: true, endpoint: receiver.url, headers: { 'x-key': 'key-of-the-collector' }, ...tracing },
      serve: { public: { trusted_proxies: trustedProxies } },
    },
    rules: [
      rule('members', { handler: 'cookie_session', config: { check_session_url: `${whoami.url}/whoami?key=canary-service`, preserve_path: true, preserve_query: true } }),
      rule('open', { handler: 'anonymous' }), rule('closed', { handler: 'unauthorized' }), rule('forbidden', { handler: 'anonymous' }, 'deny'),
    ],
  })
  return { gateway, receiver, upstream, whoami }
}

/** The spans of a trace, as `name < name of its parent`, in alphabetical order. */
function tree(spans: readonly ReceivedSpan[]): string[] {
  const byId = new Map(spans.map(span => [span.spanId, span]))
  return spans.map(({ name, parentSpanId }) => `${name}${byId.has(parentSpanId) ? ` < ${byId.get(parentSpanId)?.name}` : ''}`).sort()
}

const named = (receiver: OtlpReceiver, name: string): ReceivedSpan => {
  const span = receiver.spans.find(span => span.name === name)
  if (span === undefined) throw new Error(`no span ${name} among ${receiver.spans.map(({ name }) => name).join(', ')}`)
  return span
}

/** The last span of a request to come is its own, since it ends last. */
const received = (receiver: OtlpReceiver, name: string): Promise<void> => until(() => receiver.spans.some(span => span.name === name))

t.test('a request is one trace: its stages are parts of it, and whoever is asked learns which part', async t => {
  const { gateway, receiver, upstream, whoami } = await start(t)
  const secret = { cookie: 'ory_kratos_session=canary-cookie', authorization: 'Bearer canary-token', 'x-request-id': 'canary-id' }
  await fetch(`${gateway.url}/members?token=canary-query`, { headers: secret })
  await received(receiver, 'GET members')

  const service = new URL(whoami.url).host
  t.same(new Set(receiver.spans.map(({ traceId }) => traceId)).size, 1)
  t.strictSame(tree(receiver.spans), [
    'GET members', 'authenticate cookie_session < GET members', 'authorize allow < GET members', `fetch ${service} < authenticate cookie_session`,
    'mutate header < GET members', 'upstream < GET members',
  ])
  const { host, port, hostname } = new URL(gateway.url)
  const whole = named(receiver, 'GET members')
  t.match(whole, {
    kind: 'server', parentSpanId: '', failed: false, links: [],
    attributes: {
      'http.request.method': 'GET', 'http.response.status_code': 200, 'url.path': '/members', 'url.scheme': 'http', 'server.address': hostname,
      'server.port': Number(port), 'client.address': '127.0.0.1', 'network.protocol.version': '1.1', 'oathgate.rule_id': 'members',
      'oathgate.decision': 'granted', 'oathgate.request_id': /^[0-9a-f-]{36}$/,
    },
    resource: { 'service.name': 'oathgate', 'service.version': /^\d/ },
  })
  t.match(named(receiver, 'upstream'), {
    kind: 'client', attributes: {
      'http.request.method': 'GET', 'url.full': `${upstream.url}/members`, 'server.address': '127.0.0.1', 'server.port': Number(new URL(upstream.url).port),
      'http.response.status_code': 200,
    },
  })
  t.match(named(receiver, `fetch ${service}`), { kind: 'client', attributes: { 'url.full': `${whoami.url}/whoami`, 'http.response.status_code': 200 } })
  const ms = 1_000_000n // beginnings are whole ones
  for (const { name, startNs, endNs } of receiver.spans) t.ok(whole.startNs <= startNs && startNs <= endNs && endNs <= whole.endNs + ms, `${name} lies within`)

  t.equal(upstream.asked[0]?.['traceparent'], `00-${whole.traceId}-${named(receiver, 'upstream').spanId}-01`)
  t.equal(whoami.asked[0]?.['traceparent'], `00-${whole.traceId}-${named(receiver, `fetch ${service}`).spanId}-01`)
  t.match(gateway.logged.find(({ msg }) => msg === 'request'), { trace_id: whole.traceId, rule_id: 'members' })
  t.equal(receiver.headers()['x-key'], 'key-of-the-collector')
  t.notMatch(receiver.bytes() + host, /canary/, 'no query, cookie or header value is told')
})

t.test('refusals and failures are told by their code; only failures of ours count as such', async t => {
  const { gateway, receiver } = await start(t)
  for (const path of ['closed', 'forbidden', 'nothing']) await fetch(`${gateway.url}/${path}`)
  await received(receiver, 'GET')
  t.match(named(receiver, 'GET closed'), { failed: false, attributes: { 'http.response.status_code': 401, 'error.type': 'unauthorized', 'oathgate.decision': 'denied' } })
  t.match(named(receiver, 'authenticate unauthorized'), { failed: false, attributes: { 'error.type': 'unauthorized' } })
  t.match(named(receiver, 'authorize deny'), { failed: false, attributes: { 'error.type': 'forbidden' } })
  t.match(named(receiver, 'GET'), { failed: false, attributes: { 'http.response.status_code': 404, 'error.type': 'no_rule' } })

  const down = await startTestGateway(t, {
    config: { tracing: { enabled: true, endpoint: receiver.url } },
    rules: [{
      id: 'down', match: { url: '<https?>://<[^/]+>/down', methods: ['GET'] }, upstream: { url: 'http://127.0.0.1:1' },
      authenticators: [{ handler: 'noop' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
    }],
  })
  await fetch(`${down.url}/down`)
  await received(receiver, 'GET down')
  t.match(named(receiver, 'GET down'), { failed: true, attributes: { 'http.response.status_code': 502, 'error.type': 'upstream_unreachable' } })
  t.match(receiver.spans.find(({ name, failed }) => name === 'upstream' && failed), { attributes: { 'error.type': 'upstream_unreachable' } })
})

t.test('a trace is continued for a trusted proxy, tracestate included; others begin one of their own that links to theirs', async t => {
  const trusting = await start(t, { trustedProxies: ['127.0.0.1/32'] })
  await fetch(`${trusting.gateway.url}/open`, { headers: { traceparent: theirs, tracestate: 'vendor=1' } })
  await received(trusting.receiver, 'GET open')
  t.match(named(trusting.receiver, 'GET open'), { traceId: theirTrace, parentSpanId: theirSpan, traceState: 'vendor=1', links: [] })
  t.match(trusting.upstream.asked[0], { traceparent: new RegExp(`^00-${theirTrace}-(?!${theirSpan})[0-9a-f]{16}-01$`), tracestate: 'vendor=1' })

  const { gateway, receiver, upstream } = await start(t)
  await fetch(`${gateway.url}/open`, { headers: { traceparent: theirs, tracestate: 'vendor=1' } })
  await received(receiver, 'GET open')
  const own = named(receiver, 'GET open')
  t.not(own.traceId, theirTrace)
  t.match(own, { parentSpanId: '', links: [{ traceId: theirTrace, spanId: theirSpan }] })
  t.equal(upstream.asked[0]?.['traceparent'], `00-${own.traceId}-${named(receiver, 'upstream').spanId}-01`)
  t.notOk('tracestate' in (upstream.asked[0] ?? {}))
})

t.test('what is no traceparent is nobody\'s', async t => {
  const { gateway, receiver, upstream } = await start(t, { trustedProxies: ['127.0.0.1/32'] })
  const invalid = ['', 'x', theirs.toUpperCase(), theirs.replace('00-', 'ff-'), `${theirs}-x`, theirs.replace(theirTrace, '0'.repeat(32)), theirs.replace(theirSpan, '0'.repeat(16)), `${theirs}, ${theirs}`]
  for (const traceparent of invalid) await fetch(`${gateway.url}/open`, { headers: { traceparent } })
  await until(() => receiver.spans.filter(({ name }) => name === 'GET open').length === invalid.length)
  for (const span of receiver.spans.filter(({ name }) => name === 'GET open')) t.match(span, { parentSpanId: '', links: [] })
  t.notOk(upstream.asked.some(({ traceparent }) => String(traceparent).includes(theirTrace)))

  await fetch(`${gateway.url}/open`, { headers: { traceparent: `${theirs.replace('00-', 'cc-')}-what-comes-later` } })
  await until(() => receiver.spans.some(({ parentSpanId }) => parentSpanId === theirSpan)) // a version to come is read as far as it is known
})

t.test('what is not sampled is not sent, and the upstream is told so', async t => {
  const { gateway, receiver, upstream } = await start(t, { tracing: { sampling_ratio: 0 }, trustedProxies: ['127.0.0.1/32'] })
  await fetch(`${gateway.url}/open`)
  t.match(upstream.asked[0]?.['traceparent'], /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  await fetch(`${gateway.url}/open`, { headers: { traceparent: theirs } })
  await received(receiver, 'GET open')
  t.same(receiver.spans.filter(({ traceId }) => traceId !== theirTrace), [], 'but what the proxy samples is')
})

t.test('a registration shows the password hash and what is asked of the store', async t => {
  const { gateway, receiver } = await start(t)
  await signUp(newVisitor(), gateway, 'ada')
  const name = 'POST /auth/browser/methods/password/registration'
  await received(receiver, name)
  const whole = named(receiver, name)
  const parts = tree(receiver.spans.filter(({ traceId }) => traceId === whole.traceId))
  for (const part of ['hash password', 'store consumeFlow', 'store createIdentity', 'store createSession']) {
    t.ok(parts.includes(`${part} < ${name}`), part)
  }
  t.match(whole.attributes, { 'http.route': '/auth/browser/methods/password/registration', 'http.response.status_code': 302 })
  t.notMatch(receiver.bytes(), /ada|argon2|request=/)
})

t.test('WebSockets and decisions are traced, other requests to the admin listener are not', async t => {
  const { gateway, receiver, upstream } = await start(t)
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/open`)
  await once(socket, 'open')
  socket.terminate()
  await received(receiver, 'GET open')
  t.match(named(receiver, 'GET open').attributes, { 'http.response.status_code': 101 })
  t.match(named(receiver, 'upstream').attributes, { 'http.response.status_code': 101 })
  t.equal(upstream.asked[0]?.['traceparent'], `00-${named(receiver, 'GET open').traceId}-${named(receiver, 'upstream').spanId}-01`)

  await fetch(`${gateway.adminUrl}/health/ready`)
  await fetch(`${gateway.adminUrl}/decisions/closed`)
  await received(receiver, 'GET closed')
  t.equal(receiver.spans.filter(({ kind }) => kind === 'server').length, 2)
})

t.test('off, a client\'s traceparent passes untouched, and nothing is sent', async t => {
  const { gateway, receiver, upstream } = await start(t, { tracing: { enabled: false } })
  await fetch(`${gateway.url}/open`, { headers: { traceparent: theirs, tracestate: 'vendor=1' } })
  t.match(upstream.asked[0], { traceparent: theirs, tracestate: 'vendor=1' })
  await gateway.stop()
  t.match(gateway.logged.find(({ msg }) => msg === 'request'), { trace_id: undefined })
  t.equal(receiver.bytes(), '')
})
