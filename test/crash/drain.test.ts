/** X12, L5, W10: a gateway that is told to stop finishes what it has begun, takes nothing new, and is soon gone. */
import { once } from 'node:events'
import { Agent, get, type IncomingMessage, type RequestListener } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import WebSocket from 'ws'

import { sayBack, startApp } from '../helpers/app.js'
import { signUp } from '../helpers/flows.js'
import type { TestGateway } from '../helpers/gateway.js'
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js'
import { redisSkip, startRedis } from '../helpers/redis.js'
import { newVisitor, type Visitor } from '../helpers/visitor.js'

const downloads = 100
const pieces = 10
const pieceMs = 200
const piece = 'x'.repeat(2_000)

/** Slow under `/slow`, at once elsewhere; a WebSocket is echoed. */
async function startUpstream(t: Test): Promise<string> {
  const answer: RequestListener = (req, res) => {
    if (req.url !== '/slow') {
      res.end(String(req.headers['x-user']))
      return
    }
    let left = pieces
    const timer = setInterval(() => {
      res.write(piece)
      left -= 1
      if (left === 0) res.end()
    }, pieceMs)
    res.once('close', () => { clearInterval(timer) })
  }
  return startApp(t, answer, sayBack)
}

interface Stopping {
  readonly drain: string
  readonly drainWait: string
  readonly dsn?: string
}

async function startGateway(t: Test, upstream: string, { drain, drainWait, dsn }: Stopping): Promise<GatewayProcess> {
  const rule = (path: string, authenticator: string): object => ({
    id: path, upstream: { url: upstream }, match: { url: `<https?://[^/]+>/${path}`, methods: ['GET', 'POST'] },
    authenticators: [{ handler: authenticator }], authorizer: { handler: 'allow' },
    mutators: [{ handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}' } } }],
  })
  const enabled = { enabled: true }
  return startGatewayProcess(t, {
    config: {
      serve: { public: { drain, drain_wait: drainWait } },
      authenticators: { cookie_session: enabled, anonymous: enabled }, authorizers: { allow: enabled },
      mutators: { header: { enabled: true, config: { headers: {} } } },
      ...(dsn === undefined ? {} : { dsn, secrets: { session: ['0123456789abcdef0123456789abcdef'] } }),
    },
    rules: [rule('slow', 'anonymous'), rule('quick', 'anonymous'), rule('live', 'anonymous'), rule('members', 'cookie_session')],
  })
}

interface Downloaded {
  readonly status: number | undefined
  readonly bytes: number
  readonly connection: string | undefined
}

/** Resolves to what came, whole or not; rejects when nothing did. `begun` is called with the head. */
async function download(url: string, agent: Agent, begun: () => void = () => undefined): Promise<Downloaded> {
  const [res] = await once(get(url, { agent }), 'response') as [IncomingMessage]
  begun()
  let bytes = 0
  res.on('data', (chunk: Buffer) => { bytes += chunk.length })
  await once(res, 'close')
  if (!res.complete) throw new Error(`cut after ${bytes} bytes`)
  return { status: res.statusCode, bytes, connection: res.headers.connection }
}

/** What a TCP client that comes now is told. */
async function outcome(url: string): Promise<string> {
  return download(url, new Agent()).then(({ status, connection }) => `${status}, ${connection}`, (error: NodeJS.ErrnoException) => error.code ?? error.message)
}

const isReady = async (gateway: GatewayProcess): Promise<boolean> =>
  (await newVisitor().fetch(`${gateway.adminUrl}/health/ready`).catch(() => undefined))?.status === 200

t.test(`X12 at SIGTERM ${downloads} slow downloads complete, each later answer is its connection's last, and the exit code is 0`, async t => {
  const gateway = await startGateway(t, await startUpstream(t), { drain: '30s', drainWait: '1s' })
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => { agent.destroy() })
  let began = 0
  let allBegan: () => void = () => undefined
  const underWay = new Promise<void>(resolve => { allBegan = resolve })
  const results = Array.from({ length: downloads }, () => download(`${gateway.url}/slow`, agent, () => {
    began += 1
    if (began === downloads) allBegan()
  }))
  await underWay
  await download(`${gateway.url}/quick`, agent)

  const told = performance.now()
  const exited = gateway.kill('SIGTERM')
  while (await isReady(gateway)) await pause(10)
  t.equal((await newVisitor().fetch(`${gateway.adminUrl}/health/alive`)).status, 200, 'alive, not ready')
  t.match(await download(`${gateway.url}/quick`, agent), { status: 200, connection: 'close' }, 'a connection that was kept alive')
  t.equal(await outcome(`${gateway.url}/quick`), '200, close', 'a new one')
  const last = download(`${gateway.url}/slow`, agent)
  await pause(1_200)
  t.equal(await outcome(`${gateway.url}/quick`), 'ECONNREFUSED', 'after drain_wait')

  const ended = await Promise.allSettled([...results, last])
  t.strictSame(ended.filter(({ status }) => status === 'rejected').slice(0, 3), [], 'nobody was cut')
  const bytes = pieces * piece.length
  t.ok(ended.every(result => result.status === 'fulfilled' && result.value.status === 200 && result.value.bytes === bytes), 'all came whole')
  t.equal(await exited, 0, 'exit code')
  t.comment(`gone ${Math.round(performance.now() - told)} ms after SIGTERM, with clients that keep their connections`)
  t.ok(performance.now() - told < 15_000, 'long before the drain was over')
})

t.test('X12 a second SIGTERM is obeyed at once', async t => {
  const gateway = await startGateway(t, await startUpstream(t), { drain: '30s', drainWait: '30s' })
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => { agent.destroy() })
  const waiting = download(`${gateway.url}/slow`, agent).then(() => 'whole', () => 'cut')
  await download(`${gateway.url}/quick`, agent)
  const first = gateway.kill('SIGTERM')
  while (await isReady(gateway)) await pause(10)
  const from = performance.now()
  t.equal(await gateway.kill('SIGTERM'), 0, 'exit code')
  t.ok(performance.now() - from < 1_500, `gone after ${Math.round(performance.now() - from)} ms`)
  await first
  t.equal(await waiting, 'cut', 'what was in flight is cut')
})

t.test('W10 a WebSocket stays until the drain is over, and is closed then', async t => {
  const gateway = await startGateway(t, await startUpstream(t), { drain: '2s', drainWait: '0s' })
  const sockets = await Promise.all(Array.from({ length: 50 }, async () => {
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/live`)
    t.teardown(() => { socket.terminate() })
    await once(socket, 'open')
    return socket
  }))
  const from = performance.now()
  const closed = Promise.all(sockets.map(async socket => {
    await once(socket, 'close')
    return performance.now() - from
  }))
  const code = await gateway.kill('SIGTERM')
  const tookMs = await closed
  t.equal(code, 0, 'exit code')
  t.ok(Math.min(...tookMs) >= 1_900 && Math.max(...tookMs) < 5_000, `closed after ${Math.round(Math.max(...tookMs))} ms`)
})

/** A balancer without retries: by turns to those that were ready when they were last asked, ten times a second. */
function balance(gateways: readonly GatewayProcess[]): { next(): GatewayProcess, stop(): void } {
  const ready = new Set(gateways)
  let turn = 0
  const asking = setInterval(() => {
    for (const gateway of gateways) {
      void isReady(gateway).then(yes => yes ? ready.add(gateway) : ready.delete(gateway))
    }
  }, 100)
  return {
    next() {
      const all = [...ready]
      const gateway = all[turn++ % all.length]
      if (gateway === undefined) throw new Error('no gateway is ready')
      return gateway
    },
    stop: () => { clearInterval(asking) },
  }
}

t.test('L5 a rolling restart of two gateways over one Redis fails no request', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const upstream = await startUpstream(t)
  // The balancer may be a whole second late on a machine that is busy.
  const stopping = { drain: '10s', drainWait: '1500ms', dsn: redis.url }
  const gateways = [await startGateway(t, upstream, stopping), await startGateway(t, upstream, stopping)]
  const ann = newVisitor()
  await signUp(ann, gateways[0] as unknown as TestGateway, 'ann')
  const { next, stop } = balance(gateways)
  t.teardown(stop)

  const failed: string[] = []
  let requests = 0
  let over = false
  async function client(visitor: Visitor, expected: RegExp, path: string, method: string): Promise<void> {
    while (!over) {
      requests += 1
      const result = await visitor.send(`${next().url}/${path}`, { method }).then(({ status, text }) => `${status} ${text}`, String)
      if (!expected.test(result)) failed.push(`${method} /${path}: ${result}`)
      await pause(5)
    }
  }
  const clients = [
    ...['GET', 'POST'].flatMap(method => [client(ann, /^200 [0-9a-f-]{36}$/, 'members', method), client(newVisitor(), /^200 anonymous$/, 'quick', method)]),
    client(newVisitor(), /^200 x+$/, 'slow', 'GET'),
  ]
  await pause(300)
  for (const gateway of gateways) {
    t.equal(await gateway.kill('SIGTERM'), 0, 'stopped')
    await gateway.start()
    await pause(500) // until the balancer has seen it
  }
  over = true
  await Promise.all(clients)
  t.strictSame(failed.slice(0, 3), [], `${failed.length} of ${requests} requests failed`)
})
