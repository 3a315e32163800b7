/** The one line that is written about each request, and the id by which it is found. */
import { once } from 'node:events'
import t, { type Test } from 'tap'
import WebSocket from 'ws'

import { startApp } from '../helpers/app.js'
import { freePort, startTestGateway, type GatewayOptions, type TestGateway } from '../helpers/gateway.js'
import { sendRaw } from '../helpers/raw.js'

type Line = Readonly<Record<string, unknown>>

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Answers 200 with what it was told as a header, what `/public/status/N` says, and WebSockets. */
async function startUpstream(t: Test): Promise<string> {
  return startApp(t, (req, res) => {
    req.resume().once('end', () => {
      res.writeHead(Number(/status\/(\d+)/.exec(req.url ?? '')?.[1] ?? 200), { 'x-told': String(req.headers['x-request-id']) })
      if (!req.url?.endsWith('/cut')) res.end()
      else res.write('half', () => { res.destroy() })
    })
  })
}

async function start(t: Test, config: GatewayOptions['config'] = {}): Promise<TestGateway> {
  const upstream = await startUpstream(t)
  const down = `http://127.0.0.1:${await freePort()}`
  const rule = (path: string, authenticator: object, authorizer = 'allow', url = upstream): object => ({
    id: path, match: { url: `<https?>://<[^/]+>/${path}/<.*>`, methods: ['GET', 'POST'] }, upstream: { url },
    authenticators: [authenticator], authorizer: { handler: authorizer }, mutators: [{ handler: 'noop' }],
  })
  const guest = { handler: 'anonymous', config: { subject: 'guest' } }
  return startTestGateway(t, {
    config: { serve: { public: { limits: { body_bytes: 5 }, timeout: { read: '300ms' } }, admin: { timeout: { read: '300ms' } } }, ...config },
    rules: [
      rule('public', guest), rule('closed', { handler: 'unauthorized' }),
      { ...rule('quarrel', { handler: 'unauthorized' }), errors: [{ handler: 'json' }, { handler: 'www_authenticate' }] }, rule('forbidden', guest, 'deny'), rule('down', guest, 'allow', down),
    ],
  })
}

const linesOf = ({ logged }: TestGateway): Line[] =>
  logged.filter(({ msg }) => /^(request|upgrade)/.test(String(msg)))

/** The line is written when the response is closed, which may be after the client has it. */
async function linesWith(gateway: TestGateway, name: 'path' | 'request_id', value: unknown): Promise<Line[]> {
  for (let tries = 0; tries < 200; tries++) {
    const lines = linesOf(gateway).filter(line => line[name] === value)
    if (lines.length > 0) return lines
    await new Promise(resolve => { setTimeout(resolve, 10) })
  }
  return []
}

const lineFor = async (gateway: TestGateway, path: string): Promise<Line | undefined> => (await linesWith(gateway, 'path', path))[0]

t.test('a line has rule, decision, subject, both statuses and both durations, as far as the request came', async t => {
  const gateway = await start(t)
  const { host } = new URL(gateway.url)
  for (const path of ['/public/status/418?secret=1', '/closed/x', '/quarrel/x', '/forbidden/x', '/down/x', '/nothing', '/.ory/kratos/public/health/alive']) {
    await fetch(gateway.url + path)
  }
  const rest = { method: 'GET', host, client: '127.0.0.1', duration_ms: Number, request_id: uuid }
  t.match(await lineFor(gateway, '/public/status/418'), {
    ...rest, level: 30, msg: 'request', rule_id: 'public', decision: 'granted', subject: 'guest', status: 418, upstream_status: 418, upstream_ms: Number,
  })
  t.match(await lineFor(gateway, '/closed/x'), {
    ...rest, rule_id: 'closed', decision: 'denied', subject: undefined, status: 401, upstream_status: undefined, upstream_ms: undefined, error: 'unauthorized',
  })
  t.match(await lineFor(gateway, '/quarrel/x'), {
    ...rest, level: 50, msg: 'request failed', rule_id: 'quarrel', decision: 'denied', status: 500, error: 'unauthorized',
  }, 'the rule answers its own refusals with 500, as nobody meant it to')
  t.match(await lineFor(gateway, '/forbidden/x'), { ...rest, rule_id: 'forbidden', decision: 'denied', subject: 'guest', status: 403, error: 'forbidden' })
  t.match(await lineFor(gateway, '/down/x'), {
    ...rest, level: 50, msg: 'request failed', rule_id: 'down', decision: 'granted', subject: 'guest', status: 502, upstream_status: undefined,
    upstream_ms: Number, error: 'upstream_unreachable',
  })
  t.match(await lineFor(gateway, '/nothing'), { ...rest, rule_id: undefined, decision: 'denied', status: 404, error: 'no_rule' })
  t.match(await lineFor(gateway, '/.ory/kratos/public/health/alive'), { ...rest, rule_id: undefined, decision: undefined, status: 200 })
  await fetch(`${gateway.url}/public/cut`).then(answer => answer.text()).catch(() => undefined)
  t.match(await lineFor(gateway, '/public/cut'), { status: 200, upstream_status: 200, upstream_ms: Number, error: /^upstream_/ })
  t.equal(linesOf(gateway).length, 8)
})

t.test('a WebSocket and a decision have the same line', async t => {
  const gateway = await start(t)
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/public/live`)
  await once(socket, 'open')
  socket.terminate()
  t.match(await lineFor(gateway, '/public/live'), {
    msg: 'upgraded', request_id: uuid, method: 'GET', client: '127.0.0.1', rule_id: 'public', decision: 'granted', subject: 'guest', status: 101, upstream_status: 101,
    duration_ms: Number, upstream_ms: Number,
  })
  const refused = new WebSocket(`${gateway.url.replace('http', 'ws')}/forbidden/live`)
  await once(refused, 'error')
  t.match(await lineFor(gateway, '/forbidden/live'), { msg: 'upgrade refused', rule_id: 'forbidden', decision: 'denied', subject: 'guest', status: 403 })

  await fetch(`${gateway.adminUrl}/decisions/closed/x`)
  t.match(await lineFor(gateway, '/closed/x'), { rule_id: 'closed', decision: 'denied', status: 401 })
})

/** What the gateway refuses at every depth: the socket, the parser, the reader, the rules, the proxy. */
const refusals: Readonly<Record<string, { readonly status: number, readonly bytes: (host: string) => string }>> = {
  'a malformed head': { status: 400, bytes: host => `GET /public/x HTTP/1.1\r\nHost: ${host}\r\nno colon\r\n\r\n` },
  'no HTTP at all': { status: 400, bytes: () => '\x16\x03\x01\x02\x00' },
  'a head too large': { status: 431, bytes: host => `GET /public/x HTTP/1.1\r\nHost: ${host}\r\nA: ${'a'.repeat(20_000)}\r\n\r\n` },
  'a head too late': { status: 408, bytes: host => `GET /public/x HTTP/1.1\r\nHost: ${host}\r\n` },
  'a body too late': { status: 408, bytes: host => `POST /public/x HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 4\r\n\r\nab` },
  'a malformed body': { status: 400, bytes: host => `POST /public/x HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n` },
  'CONNECT': { status: 405, bytes: host => `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n` },
  'TRACE': { status: 405, bytes: host => `TRACE /public/x HTTP/1.1\r\nHost: ${host}\r\n\r\n` },
  'two hosts': { status: 400, bytes: host => `GET /public/x HTTP/1.1\r\nHost: ${host}\r\nHost: ${host}\r\n\r\n` },
  'a dot segment': { status: 400, bytes: host => `GET /public/../x HTTP/1.1\r\nHost: ${host}\r\n\r\n` },
  'no rule': { status: 404, bytes: host => `GET /nothing HTTP/1.1\r\nHost: ${host}\r\n\r\n` },
  'nobody': { status: 401, bytes: host => `GET /closed/x HTTP/1.1\r\nHost: ${host}\r\n\r\n` },
  'no right': { status: 403, bytes: host => `GET /forbidden/x HTTP/1.1\r\nHost: ${host}\r\n\r\n` },
  'a body too large': { status: 413, bytes: host => `POST /public/x HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 9\r\n\r\n123456789` },
  'an upstream that is down': { status: 502, bytes: host => `GET /down/x HTTP/1.1\r\nHost: ${host}\r\n\r\n` },
  'no WebSocket handshake': { status: 426, bytes: host => `GET /public/x HTTP/1.1\r\nHost: ${host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n` },
  'self-service': { status: 404, bytes: host => `GET /.ory/kratos/public/nothing HTTP/1.1\r\nHost: ${host}\r\n\r\n` },
}

/** The id in an answer's body, be it JSON or a page. */
const idIn = (text: string): string | undefined => /"request":"([^"]+)"/.exec(text)?.[1] ?? /Request ([0-9a-f-]+)</.exec(text)?.[1]

t.test('every error says an id in its body, and one line in the log has it', async t => {
  const gateway = await start(t)
  const { host, port } = new URL(gateway.url)
  for (const [name, { status, bytes }] of Object.entries(refusals)) {
    const answer = await sendRaw(Number(port), bytes(host), { until: text => /\r\n\r\n[{<].*[}>]\s*$/s.test(text) })
    t.equal(answer.status, status, name)
    const id = idIn(answer.text)
    t.match(id, uuid, `${name}: ${answer.text}`)
    t.match(await linesWith(gateway, 'request_id', id), [{ status, client: '127.0.0.1', error: String }], name)
  }
  t.equal(linesOf(gateway).length, Object.keys(refusals).length, 'and no other line')
})

t.test('the admin listener does the same', async t => {
  const gateway = await start(t)
  const { host, port } = new URL(gateway.adminUrl)
  const asked: Readonly<Record<string, number>> = {
    [`GET /nothing HTTP/1.1\r\nHost: ${host}\r\n\r\n`]: 404,
    [`GET /identities HTTP/1.1\r\nHost: evil.test\r\n\r\n`]: 403,
    [`GET /decisions/closed/x HTTP/1.1\r\nHost: ${host}\r\n\r\n`]: 401,
    [`GET / HTTP/1.1\r\nno colon\r\n\r\n`]: 400,
    [`GET / HTTP/1.1\r\n`]: 408,
    [`GET /nothing HTTP/1.1\r\nHost: ${host}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`]: 404,
  }
  for (const [bytes, status] of Object.entries(asked)) {
    const answer = await sendRaw(Number(port), bytes, { until: text => /\r\n\r\n\{.*\}\s*$/s.test(text) })
    t.equal(answer.status, status, bytes)
    const id = idIn(answer.text)
    t.match(id, uuid, answer.text)
    t.match(await linesWith(gateway, 'request_id', id), [{ status, error: String }], bytes)
  }
})

t.test('an id is taken from a trusted proxy alone, in words that are harmless, and goes to the upstream, the body and the log', async t => {
  const trusting = await start(t, { serve: { public: { trusted_proxies: ['127.0.0.1/32'] } } })
  const distrusting = await start(t)
  const ask = async (url: string, id: string): Promise<string> => {
    const answer = await fetch(url, { headers: { 'x-request-id': id } })
    return answer.headers.get('x-told') ?? idIn(await answer.text()) ?? 'none'
  }
  for (const path of ['/public/x', '/closed/x', '/public/..%2fx', '/nothing']) {
    t.equal(await ask(trusting.url + path, 'chosen-1'), 'chosen-1', path)
    t.match(await ask(distrusting.url + path, 'chosen-1'), uuid, path)
    t.match(await ask(trusting.url + path, 'a"b'), uuid, path)
    t.match(await ask(trusting.url + path, 'a'.repeat(129)), uuid, path)
  }
  t.equal(await ask(`${trusting.adminUrl}/nothing`, 'chosen-2'), 'chosen-2')
  t.match(await ask(`${distrusting.adminUrl}/nothing`, 'chosen-2'), uuid)
  t.equal(await ask(`${distrusting.adminUrl}/decisions/closed/x`, 'chosen-3'), 'chosen-3', 'who may ask for decisions is a proxy')
  t.match(await ask(`${distrusting.adminUrl}/decisions/closed/x`, 'a"b'), uuid)

  const ids = (gateway: TestGateway): unknown[] => linesOf(gateway).map(line => line['request_id']).filter(id => !uuid.test(String(id)))
  t.same(ids(trusting), ['chosen-1', 'chosen-1', 'chosen-1', 'chosen-1', 'chosen-2'])
  t.same(ids(distrusting), ['chosen-3'])
})
