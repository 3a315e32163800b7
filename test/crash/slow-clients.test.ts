/**
 * L11, D1, D2: clients that are slow at everything keep nobody from being served in time, and are gone when their time is up. They, the
 * gateway, the app behind it and whoever measures (this test) are a process each. `SLOW_CLIENTS=1000` makes a long run of it, which
 * holds the others' waiting to the promise, too.
 */
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'

import { startChild } from '../helpers/child.js'
import { grouped, lengthOf, quantile, tellFigure } from '../helpers/figure.js'
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js'
import { keptConnection } from '../helpers/kept-connection.js'
import type { Farewell } from './fixtures/slow-crowd.js'

const slow = lengthOf('SLOW_CLIENTS', 150)
/** Only where nothing else runs does the clock tell of the gateway alone. */
const measures = process.env['SLOW_CLIENTS'] !== undefined
const mayWaitMs = 200
const limitMs = 3_000
/** A limit is looked at when it may be over, so twice its time can pass; and a busy machine first fills what the kernel takes. */
const goneWithinMs = limitMs * 2 + 4_000

/** One in so many reads nothing: each takes megabytes of the kernel's memory, on both sides of the gateway. */
const readsNothingEvery = 10
const mostDeaf = 100

/** How long the gateway let those be that read nothing, once it has cut so many. */
async function cutReaders({ output }: GatewayProcess, count: number): Promise<number[]> {
  const cut = (): number[] => output.join('').split('\n').filter(line => line.includes('"path":"/app/big"') && line.includes('"status":499'))
    .map(line => (JSON.parse(line) as { duration_ms: number }).duration_ms)
  const deadline = performance.now() + goneWithinMs * 5
  while (cut().length < count && performance.now() < deadline) await pause(100)
  return cut()
}

/** Clients like any other: every ten milliseconds one of them asks, until they are told to stop. Resolves then to how many failed. */
function askSteadily(t: Test, port: number): { readonly took: number[], stop(): Promise<number> } {
  const connections = Array.from({ length: 50 }, () => keptConnection(port))
  t.teardown(() => { for (const connection of connections) connection.close() })
  const took: number[] = []
  let failed = 0
  let over = false
  // Each waits for its own answers alone. Counted from when one is due: who waits for a late answer is late with the next, too.
  const asking = connections.map(async (connection, at) => {
    for (let due = performance.now() + at * 10; !over; due += connections.length * 10) {
      await pause(Math.max(0, due - performance.now()))
      const answer = await connection.ask('GET /app/x HTTP/1.1\r\nHost: app.test\r\n\r\n')
      took.push(performance.now() - due)
      if (answer?.status !== 200) failed += 1
    }
  })
  return {
    took,
    async stop() {
      over = true
      await Promise.all(asking)
      return failed
    },
  }
}

t.test(`L11 D1 D2 ${slow} clients that are slow with heads, bodies and reading are gone in time, and the others are served in time`, async t => {
  const app = startChild(t, new URL('fixtures/slow-crowd-app.ts', import.meta.url), [])
  const gateway = await startGatewayProcess(t, {
    config: {
      serve: { public: { timeout: { read: `${limitMs}ms`, write: `${limitMs}ms` } } },
      proxy: { connections: slow + 60 }, // a slow upload holds one, and whoever finds none free waits for it
    },
    rules: [{
      id: 'app', upstream: { url: `http://127.0.0.1:${await app.firstLine()}` }, match: { url: '<https?://[^/]+>/app/<.*>', methods: ['GET', 'POST'] },
      authenticators: [{ handler: 'anonymous' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
    }],
  })
  const port = Number(new URL(gateway.url).port)
  const others = askSteadily(t, port)
  await pause(2_000)
  const before = others.took.splice(0)

  const deaf = Math.min(mostDeaf, Math.ceil(slow / readsNothingEvery))
  const heads = Math.ceil((slow - deaf) / 2)
  const crowd = startChild(t, new URL('fixtures/slow-crowd.ts', import.meta.url), [port, heads, slow - deaf - heads, deaf].map(String))
  await crowd.firstLine()
  while (crowd.lines[1] === undefined) await pause(50)
  const farewells = JSON.parse(crowd.lines[1]) as Farewell[]
  const readers = await cutReaders(gateway, deaf)
  const failed = await others.stop()

  const lasted = (kind: Farewell['kind']): number => Math.max(...farewells.filter(one => one.kind === kind).map(({ ms }) => ms))
  const lastMs = [lasted('head'), lasted('body'), Math.max(...readers)]
  const [beforeMs, meanwhileMs] = [quantile(before, 0.99), quantile(others.took, 0.99)]
  tellFigure(t, 'L11', `${grouped(slow)} clients that are slow with heads and bodies, ${deaf} of them read nothing, limits of ${limitMs / 1000} s`, [
    `${grouped(others.took.length)} requests of others: ${failed} failed, p99 ${Math.round(beforeMs)} ms before and ${Math.round(meanwhileMs)} ms meanwhile`,
    `the last slow head, body and reader gone after ${lastMs.map(ms => (ms / 1000).toFixed(1)).join(', ')} s`,
  ].join('; '))
  t.equal(farewells.length + readers.length, slow, 'all slow ones were cut')
  t.same([...new Set(farewells.map(({ status }) => status))], [408], 'and told why, where that can be told')
  t.equal(failed, 0, 'all others are served')
  t.ok(Math.max(...lastMs) < goneWithinMs, `the last slow one was gone after ${Math.round(Math.max(...lastMs))} ms`)
  if (measures) t.ok(meanwhileMs < mayWaitMs, `99 of 100 waited ${Math.round(meanwhileMs)} ms at most`)
})
