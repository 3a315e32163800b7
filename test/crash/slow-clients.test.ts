/**
 * L11, D1, D2: clients that are slow at everything keep nobody from being served, and are gone when their time is up. How fast the
 * others are served meanwhile is told only: all these clients and the upstream are one process, which has enough to do with itself.
 * `SLOW_CLIENTS=1000` makes a long run of it.
 */
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'

import { grouped, lengthOf, quantile, tellFigure } from '../helpers/figure.js'
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js'
import { keptConnection } from '../helpers/kept-connection.js'
import { startService } from '../helpers/service.js'

const slow = lengthOf('SLOW_CLIENTS', 150)
const limitMs = 3_000
/** A limit is looked at when it may be over, so twice its time can pass; and a busy machine first fills what the kernel takes. */
const goneWithinMs = limitMs * 2 + 4_000

const slowness = [
  { begin: 'GET /app/x HTTP/1.1\r\nHost: app.test\r\n', more: 'a: b\r\n' },
  { begin: 'POST /app/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000\r\n\r\n', more: 'x' },
] as const
/** One in so many reads nothing of an answer that is larger than what the kernel takes in its place, twice four mebibytes or so. */
const readsNothingEvery = 20
const mostDeaf = 5

/** A client that says a little every half second. Resolves to how long it was let, once it was connected. */
function slowClient(t: Test, port: number, { begin, more }: typeof slowness[number]): Promise<number> {
  let from = performance.now()
  const socket = connect(port, '127.0.0.1', () => {
    from = performance.now()
    socket.write(begin)
  })
  const saying = setInterval(() => { socket.write(more) }, 500)
  t.teardown(() => { socket.destroy() })
  return new Promise(resolve => {
    const gone = (): void => {
      clearInterval(saying)
      socket.destroy()
      resolve(performance.now() - from)
    }
    socket.on('error', gone).on('close', gone).on('end', gone).resume()
  })
}

/** A client that asks and never reads. It does not learn that it has been cut; the gateway's log tells. */
function deafClient(t: Test, port: number): void {
  const socket = connect(port, '127.0.0.1', () => socket.write('GET /app/big HTTP/1.1\r\nHost: app.test\r\n\r\n'))
  socket.on('error', () => undefined).pause()
  t.teardown(() => { socket.destroy() })
}

/** How long the gateway let those be that read nothing, once it has cut so many. */
async function cutReaders({ output }: GatewayProcess, count: number): Promise<number[]> {
  const cut = (): number[] => output.join('').split('\n').filter(line => line.includes('"path":"/app/big"') && line.includes('"status":499'))
    .map(line => (JSON.parse(line) as { duration_ms: number }).duration_ms)
  const deadline = performance.now() + goneWithinMs * 5
  while (cut().length < count && performance.now() < deadline) await pause(100)
  return cut()
}

t.test(`L11 D1 D2 ${slow} clients that are slow with heads, bodies and reading are gone in time, and the others are served`, async t => {
  const big = 'x'.repeat(16 << 20)
  const app = await startService(t, (res, { target }) => { res.end(target === '/app/big' ? big : 'here') })
  const gateway = await startGatewayProcess(t, {
    config: {
      serve: { public: { timeout: { read: `${limitMs}ms`, write: `${limitMs}ms` } } },
      proxy: { connections: slow + 10 }, // a slow upload holds one, and whoever finds none free waits for it
    },
    rules: [{
      id: 'app', upstream: { url: app.url }, match: { url: '<https?://[^/]+>/app/<.*>', methods: ['GET', 'POST'] },
      authenticators: [{ handler: 'anonymous' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
    }],
  })
  const port = Number(new URL(gateway.url).port)
  const connection = keptConnection(port)
  t.teardown(() => { connection.close() })
  const took: number[] = []
  let wrong = 0
  let over = false
  const good = (async () => {
    // Counted from when each is due: who waits for a late answer is late with the next requests, too.
    for (let due = performance.now(); !over; due += 10) {
      await pause(Math.max(0, due - performance.now()))
      const answer = await connection.ask('GET /app/x HTTP/1.1\r\nHost: app.test\r\n\r\n')
      took.push(performance.now() - due)
      if (answer?.status !== 200) wrong += 1
    }
  })()
  await pause(1_000)
  const idle = took.splice(0)

  const deaf = Math.min(mostDeaf, Math.ceil(slow / readsNothingEvery))
  for (let count = 0; count < deaf; count++) deafClient(t, port)
  const clients = Array.from({ length: slow - deaf }, (_, at) => slowClient(t, port, slowness[at % slowness.length] as typeof slowness[number]))
  const lasted = [...await Promise.all(clients), ...await cutReaders(gateway, deaf)]
  over = true
  await good

  const p99 = quantile(took, 0.99)
  tellFigure(t, 'L11', `${grouped(slow)} clients that are slow with heads and bodies, ${deaf} of them read nothing, limits of ${limitMs / 1000} s`, [
    `${grouped(took.length)} requests of others: ${wrong} failed, p99 ${Math.round(quantile(idle, 0.99))} ms before and ${Math.round(p99)} ms meanwhile`,
    `the last slow one gone after ${(Math.max(...lasted) / 1000).toFixed(1)} s`,
  ].join('; '))
  t.equal(lasted.length, slow, 'all slow ones were cut')
  t.equal(wrong, 0, 'all others are served')
  t.ok(Math.max(...lasted) < goneWithinMs, `the last slow one was gone after ${Math.round(Math.max(...lasted))} ms`)
})
