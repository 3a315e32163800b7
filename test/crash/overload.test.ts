/** X17: more than the gateway can answer in time is turned away at once, and a process that stood still says so. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import WebSocket from 'ws'

import { sayBack, startApp } from '../helpers/app.js'
import { startTestGateway, type GatewayOptions, type TestGateway } from '../helpers/gateway.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { samplesOf } from '../helpers/metrics.js'
import { until } from '../helpers/redis.js'
import { newVisitor, type Page } from '../helpers/visitor.js'

const most = 3
const atOnceMs = 1_000

interface Slow {
  readonly gateway: TestGateway
  /** What the app has been asked and has not answered. */
  readonly held: ServerResponse[]
  ask(path?: string, options?: Parameters<ReturnType<typeof newVisitor>['send']>[1]): Promise<Page>
  inFlight(count: number): Promise<void>
}

/** A gateway that answers three requests at a time, before an app that answers `/slow` when the test says so. */
async function startSlow(t: Test, options: GatewayOptions = {}): Promise<Slow> {
  const held: ServerResponse[] = []
  const app = await startApp(t, (req, res) => {
    if (req.url === '/slow') held.push(res)
    else res.end('ok')
  }, sayBack)
  const gateway = await startTestGateway(t, {
    config: { serve: { public: { limits: { in_flight: most } } }, authenticators: { anonymous: { enabled: true } } },
    rules: [{
      id: 'app', upstream: { url: app }, match: { url: '<https?://[^/]+>/<.*>', methods: ['GET', 'POST'] },
      authenticators: [{ handler: 'anonymous' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
    }],
    ...options,
  })
  return {
    gateway, held,
    ask: (path = '/slow', options) => newVisitor().send(`${gateway.url}${path}`, options),
    async inFlight(count) {
      await until(async () => (await samplesOf(gateway, 'oathgate_requests_in_flight'))[''] === count)
    },
  }
}

t.test('X17 requests beyond those that may be answered at once get 503 at once, and those before them their answer', async t => {
  const { gateway, held, ask, inFlight } = await startSlow(t)
  const admitted = Array.from({ length: most }, () => ask())
  await until(() => held.length === most)
  await inFlight(most)

  const began = performance.now()
  const refused = await Promise.all([
    ...Array.from({ length: 20 }, () => ask()), ask('/fast'), ask('/slow', { method: 'POST', body: Buffer.alloc(100_000) }),
    newVisitor().visit(`${gateway.publicUrl}/auth/browser/login`),
  ])
  t.ok(performance.now() - began < atOnceMs)
  for (const { status, headers } of refused) t.strictSame([status, headers['retry-after']], [503, '1'])
  t.match(refused[0]?.json(), { error: { code: 503, message: 'The service is busy, please try again later' } })
  t.equal(held.length, most, 'the app is not asked')
  t.equal((await newVisitor().fetch(`${gateway.adminUrl}/health/ready`)).status, 200, 'operators are answered')

  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/socket`)
  const [error] = await once(socket, 'error') as [Error]
  t.match(error.message, /503/)

  await inFlight(most)
  for (const res of held.splice(0)) res.end('late')
  t.strictSame((await Promise.all(admitted)).map(({ status, text }) => [status, text]), Array.from({ length: most }, () => [200, 'late']))
  await inFlight(0)
  t.equal((await ask('/fast')).status, 200)
  const outcomes = await samplesOf(gateway, 'oathgate_http_requests_total')
  t.equal(outcomes['{rule="",outcome="overloaded",status="5xx"}'], refused.length + 1)
  t.ok(gateway.logged.some(({ error, detail }) => error === 'overloaded' && String(detail).includes('serve.public.limits.in_flight')))
})

t.test('X17 whoever goes away makes room, and so does a WebSocket once it is open', async t => {
  const { gateway, held, ask, inFlight } = await startSlow(t)
  const leaving = new AbortController()
  const left = Array.from({ length: most }, () => fetch(`${gateway.url}/slow`, { signal: leaving.signal }).catch(() => 'gone'))
  await until(() => held.length === most)
  leaving.abort()
  t.strictSame(await Promise.all(left), Array.from({ length: most }, () => 'gone'))
  await inFlight(0)

  const sockets = Array.from({ length: most }, () => new WebSocket(`${gateway.url.replace('http', 'ws')}/socket`))
  t.teardown(() => { for (const socket of sockets) socket.terminate() })
  await Promise.all(sockets.map(socket => once(socket, 'open')))
  await inFlight(0)
  t.equal((await ask('/fast')).status, 200)
})

t.test('X17 with 0 nobody is turned away', async t => {
  const { held, ask } = await startSlow(t, { config: { serve: { public: { limits: { in_flight: 0 } } }, authenticators: { anonymous: { enabled: true } } } })
  const admitted = Array.from({ length: 50 }, () => ask())
  await until(() => held.length === 50)
  for (const res of held.splice(0)) res.end()
  t.ok((await Promise.all(admitted)).every(({ status }) => status === 200))
})

t.test('X17 a process that stood still says for how long, unless nobody wants to know', async t => {
  const stall = async (warning: string): Promise<{ lines: { stalled_ms: number }[], seconds: number }> => {
    const gateway = await startGatewayProcess(t, { config: { log: { stall_warning: warning } } })
    await delay(300) // so that the stall is none of its start
    process.kill(gateway.pid, 'SIGSTOP')
    await delay(2_000)
    process.kill(gateway.pid, 'SIGCONT')
    await delay(300)
    const seconds = (await samplesOf(gateway, 'oathgate_stalled_seconds_total'))[''] ?? 0
    const lines = gateway.output.join('').split('\n').filter(line => line.includes('stood still')).map(line => JSON.parse(line) as { stalled_ms: number })
    await gateway.kill('SIGKILL')
    return { lines, seconds }
  }
  const told = await stall('1500ms')
  t.equal(told.lines.length, 1)
  t.ok((told.lines[0]?.stalled_ms ?? 0) > 1_500 && told.seconds > 1.5, JSON.stringify(told))
  t.strictSame(await stall('0s'), { lines: [], seconds: 0 })
})
