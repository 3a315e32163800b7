/** What is counted of requests and of people's flows: by rule and outcome, never by anything that a client chooses. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'

import { begin, logIn, logOut, signUp } from '../helpers/flows.js'
import { startTestGateway, type GatewayOptions, type TestGateway } from '../helpers/gateway.js'
import { samplesOf, scrape } from '../helpers/metrics.js'
import { sendRaw } from '../helpers/raw.js'
import { redisSkip, startRedis, until } from '../helpers/redis.js'
import { deadOrigin, startService, type Service } from '../helpers/service.js'
import { newVisitor } from '../helpers/visitor.js'

function rule(id: string, url: string | undefined, authenticator = 'noop', more: object = {}): object {
  return {
    id, match: { url: `<https?://[^/]+>/${encodeURIComponent(id)}/<.*>`, methods: ['GET', 'POST'] }, ...(url === undefined ? {} : { upstream: { url } }),
    authenticators: [{ handler: authenticator }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }], ...more,
  }
}

const toLogin = { errors: [{ handler: 'redirect', config: { to: 'http://ui.test/login' } }] }

async function gatewayBefore(t: Test, upstream: Service, options: GatewayOptions = {}): Promise<TestGateway> {
  return startTestGateway(t, {
    rules: [
      rule('open', upstream.url), rule('closed', upstream.url, 'cookie_session'), rule('page', upstream.url, 'cookie_session', toLogin),
      rule('dead', await deadOrigin(t)), rule('decisions-only', undefined),
    ],
    ...options,
  })
}

/** Counts are made when an exchange has ended on both sides, a moment after the client has its answer. */
async function counts(t: Test, gateway: TestGateway, name: string, expected: Record<string, number>): Promise<void> {
  await until(async () => JSON.stringify(await samplesOf(gateway, name)) === JSON.stringify(expected)).catch(() => undefined)
  t.strictSame(await samplesOf(gateway, name), expected)
}

async function countsOne(t: Test, gateway: TestGateway, name: string, labels: string, expected = 1): Promise<void> {
  await until(async () => (await samplesOf(gateway, name))[labels] === expected).catch(() => undefined)
  t.equal((await samplesOf(gateway, name))[labels], expected, `${name}${labels}`)
}

t.test('requests are counted by rule and by what became of them', async t => {
  const upstream = await startService(t, (res, { target }) => {
    if (target.endsWith('/cut')) res.writeHead(200, { 'content-length': '100' }).write('half', () => res.destroy())
    else if (!target.endsWith('/hang')) res.writeHead(target.endsWith('/broken') ? 500 : 200).end('ok')
  })
  const gateway = await gatewayBefore(t, upstream)
  const visitor = newVisitor()
  const get = async (path: string): Promise<number> => (await visitor.fetch(`${gateway.url}${path}`)).status
  const requests = 'oathgate_http_requests_total'

  t.equal(await get('/open/a'), 200)
  t.equal(await get('/open/b?c=d'), 200)
  await countsOne(t, gateway, requests, '{rule="open",outcome="forwarded",status="2xx"}', 2)
  t.equal(await get('/open/broken'), 500)
  await countsOne(t, gateway, requests, '{rule="open",outcome="forwarded",status="5xx"}')
  t.equal(await get('/closed/a'), 401)
  await countsOne(t, gateway, requests, '{rule="closed",outcome="denied",status="4xx"}')
  t.equal(await get('/page/a'), 302)
  await countsOne(t, gateway, requests, '{rule="page",outcome="redirected",status="3xx"}')
  t.equal(await get('/dead/a'), 502)
  await countsOne(t, gateway, requests, '{rule="dead",outcome="upstream_error",status="5xx"}')
  t.equal(await get('/nowhere'), 404)
  await countsOne(t, gateway, requests, '{rule="",outcome="not_found",status="4xx"}')
  t.equal(await get('/open/a%2fb%00'), 400)
  await countsOne(t, gateway, requests, '{rule="",outcome="bad_request",status="4xx"}')
  t.equal((await visitor.fetch(`${gateway.publicUrl}/health/alive`)).status, 200)
  await countsOne(t, gateway, requests, '{rule="",outcome="self_service",status="2xx"}')
  await t.rejects(get('/open/cut'))
  await countsOne(t, gateway, requests, '{rule="open",outcome="upstream_error",status="2xx"}')

  const leaving = connect(Number(new URL(gateway.url).port), '127.0.0.1')
  leaving.write('GET /open/hang HTTP/1.1\r\nHost: h\r\n\r\n')
  await until(() => upstream.asked.some(({ target }) => target.endsWith('/hang')))
  leaving.destroy()
  await countsOne(t, gateway, requests, '{rule="open",outcome="client_gone",status="4xx"}')

  const malformed = await sendRaw(Number(new URL(gateway.url).port), 'GET / HTTP/1.1\r\nHost : h\r\n\r\n')
  t.equal(malformed.status, 400)
  await counts(t, gateway, 'oathgate_http_malformed_total', { '{status="400"}': 1 })

  const samples = await scrape(gateway)
  t.equal(samples.get('oathgate_http_request_duration_seconds_count{rule="open",outcome="forwarded"}'), 3)
  t.equal(samples.get('oathgate_http_request_duration_seconds_bucket{le="+Inf",rule="open",outcome="forwarded"}'), 3)
  t.ok(Number(samples.get('oathgate_http_request_duration_seconds_sum{rule="open",outcome="forwarded"}')) > 0)
  t.equal(samples.get('oathgate_upstream_duration_seconds_count{rule="open",result="answered"}'), 3)
  t.equal(samples.get('oathgate_upstream_duration_seconds_count{rule="dead",result="upstream_unreachable"}'), 1)
  t.equal(samples.get('oathgate_decisions_total{via="proxy",result="unauthorized"}'), 2)
  t.equal(samples.get('oathgate_decisions_total{via="proxy",result="no_rule"}'), 1)
})

t.test('the decision API and WebSocket handshakes are counted as what they are', async t => {
  const gateway = await gatewayBefore(t, await startService(t))
  const ask = (path: string): Promise<{ status: number }> => newVisitor().fetch(`${gateway.adminUrl}/decisions${path}`)
  t.equal((await ask('/open/a')).status, 200)
  t.equal((await ask('/closed/a')).status, 401)
  const handshake = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`
  t.equal((await sendRaw(Number(new URL(gateway.url).port), handshake('/closed/a'))).status, 401)
  await counts(t, gateway, 'oathgate_decisions_total', {
    '{via="decisions",result="allowed"}': 1, '{via="decisions",result="unauthorized"}': 1, '{via="upgrade",result="unauthorized"}': 1,
  })
})

t.test('no label is a client\'s choice, however hostile its requests; whatever a rule is called, the text stays well-formed', async t => {
  const hostile = 'a"b\\c\nd{e="f"} 1'
  const upstream = await startService(t)
  const gateway = await startTestGateway(t, { rules: [{ ...rule('x', upstream.url), id: hostile }] })
  t.equal((await newVisitor().fetch(`${gateway.url}/x/a`)).status, 200)
  const port = Number(new URL(gateway.url).port)
  for (let at = 0; at < 30; at++) {
    await sendRaw(port, `M${at} /p${at} HTTP/1.1\r\nHost: h${at}\r\nX-Forwarded-Method: Q${at}\r\nConnection: close\r\n\r\n`)
    await newVisitor().fetch(`${gateway.publicUrl}/path-${at}?q=${at}`)
    await newVisitor().fetch(`${gateway.adminUrl}/decisions/p${at}`, { 'x-forwarded-method': `M${at}` })
  }
  await countsOne(t, gateway, 'oathgate_http_requests_total', '{rule="a\\"b\\\\c\\nd{e=\\"f\\"} 1",outcome="forwarded",status="2xx"}')
  const series = Object.keys(await samplesOf(gateway, 'oathgate_http_requests_total'))
  t.ok(series.length <= 4, series.join(' '))
})

t.test('only so many rules have series of their own, and those that are gone leave with their rules', async t => {
  const upstream = await startService(t)
  const gateway = await startTestGateway(t, {
    config: { metrics: { max_rules: 2 } }, rules: ['a', 'b', 'c', 'd'].map(id => rule(id, upstream.url)),
  })
  const visitor = newVisitor()
  for (const id of ['a', 'b', 'c', 'd', 'd']) await visitor.fetch(`${gateway.url}/${id}/x`)
  const forwarded = (id: string): string => `{rule="${id}",outcome="forwarded",status="2xx"}`
  await counts(t, gateway, 'oathgate_http_requests_total', { [forwarded('a')]: 1, [forwarded('b')]: 1, [forwarded('other')]: 3 })

  await writeFile(join(gateway.folder, 'rules.yml'), JSON.stringify([rule('b', upstream.url), rule('d', upstream.url)]))
  await countsOne(t, gateway, 'oathgate_access_rules_reloads_total', '{result="loaded"}')
  await visitor.fetch(`${gateway.url}/d/x`)
  await counts(t, gateway, 'oathgate_http_requests_total', { [forwarded('b')]: 1, [forwarded('other')]: 3, [forwarded('d')]: 1 })

  await writeFile(join(gateway.folder, 'rules.yml'), '[{ id: broken')
  await until(async () => ((await samplesOf(gateway, 'oathgate_access_rules_reloads_total'))['{result="refused"}'] ?? 0) >= 1)
  t.pass('refused reloads are counted')
})

t.test('flows are counted by kind, method and reason; sessions as they begin and end', async t => {
  const gateway = await gatewayBefore(t, await startService(t))
  const ada = newVisitor()
  await signUp(ada, gateway, 'ada')
  await logOut(ada, gateway)
  await logIn(ada, gateway, 'ada', 'something else entirely')
  await logIn(ada, gateway, 'ada')
  await signUp(newVisitor(), gateway, 'ada')
  await newVisitor().submit(`${gateway.publicUrl}/auth/browser/methods/password/login?request=${await begin(newVisitor(), gateway, 'login')}`, {})

  await counts(t, gateway, 'oathgate_flows_started_total', { '{kind="registration"}': 2, '{kind="login"}': 3 })
  await counts(t, gateway, 'oathgate_flows_completed_total', { '{kind="registration",method="password"}': 1, '{kind="login",method="password"}': 1 })
  await counts(t, gateway, 'oathgate_flows_failed_total', {
    '{kind="login",method="password",reason="invalid_credentials"}': 1,
    '{kind="registration",method="password",reason="identifier_taken"}': 1,
    '{kind="login",method="password",reason="csrf_invalid"}': 1,
  })
  await counts(t, gateway, 'oathgate_sessions_created_total', { '': 2 })
  await counts(t, gateway, 'oathgate_sessions_ended_total', { '{reason="revoked"}': 1 })
})

t.test('jobs that fail and limits that refuse are counted', async t => {
  const gateway = await gatewayBefore(t, await startService(t), {
    config: {
      selfservice: {
        registration: { after: { password: [{ run: 'web_hook', config: { url: `${await deadOrigin(t)}/hook` } }] } },
        login: { before: [{ run: 'restrict_ip', config: { deny: ['127.0.0.1/32'] } }] },
      },
      security: { rate_limits: { enabled: true, flows_per_address: { burst: 4, interval: '1h' } } },
    },
  })
  await signUp(newVisitor(), gateway, 'ada')
  await newVisitor().visit(`${gateway.publicUrl}/auth/browser/login`)
  await counts(t, gateway, 'oathgate_job_failures_total', {
    '{run="web_hook",kind="registration",code="upstream_unreachable"}': 1, '{run="restrict_ip",kind="login",code="forbidden"}': 1,
  })
  for (let round = 0; round < 3; round++) await newVisitor().visit(`${gateway.publicUrl}/auth/browser/registration`)
  await until(async () => ((await samplesOf(gateway, 'oathgate_rate_limited_total'))['{limit="flows"}'] ?? 0) >= 1)
  t.pass('a limit that refused somebody')
})

t.test('the store and the look-ups that the session cache spared it are measured, and its failures', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const gateway = await gatewayBefore(t, await startService(t), { config: { dsn: redis.url, secrets: { session: ['a secret of at least thirty-two letters'] } } })
  const ada = newVisitor()
  await signUp(ada, gateway, 'ada')
  for (let round = 0; round < 4; round++) t.equal((await ada.fetch(`${gateway.publicUrl}/sessions/whoami`)).status, 200)
  const lookUps = await samplesOf(gateway, 'oathgate_session_cache_lookups_total')
  t.ok(Number(lookUps['{result="hit"}']) >= 3, JSON.stringify(lookUps))
  t.equal((await samplesOf(gateway, 'oathgate_store_operation_duration_seconds_count'))['{operation="createIdentity"}'], 1)
  t.strictSame(await samplesOf(gateway, 'oathgate_store_up'), { '': 1 })

  await redis.kill('SIGKILL')
  t.equal((await newVisitor().visit(`${gateway.publicUrl}/auth/browser/login`)).status, 503)
  await until(async () => (await samplesOf(gateway, 'oathgate_store_up'))[''] === 0)
  const errors = await samplesOf(gateway, 'oathgate_store_errors_total')
  t.ok(Number(errors['{operation="saveFlow",code="store_unavailable"}']) >= 1, JSON.stringify(errors))
})

t.test('connections and WebSockets that are open are told', async t => {
  const gateway = await gatewayBefore(t, await startService(t), { config: { serve: { public: { limits: { connections_per_address: 2 } } } } })
  const port = Number(new URL(gateway.url).port)
  const sockets = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  await Promise.all(sockets.map(socket => once(socket, 'connect')))
  await counts(t, gateway, 'oathgate_connections', { '': 2 })
  const third = connect(port, '127.0.0.1').on('error', () => undefined)
  await once(third, 'close')
  await counts(t, gateway, 'oathgate_connections_dropped_total', { '{limit="connections_per_address"}': 1 })
  for (const socket of sockets) socket.destroy()
  await counts(t, gateway, 'oathgate_connections', { '': 0 })
  await counts(t, gateway, 'oathgate_tunnels', { '': 0 })
})
