/** Bodies that come, but so slowly that each holds an upstream connection for ever (security D2). */
import { connect } from 'node:net'
import t from 'tap'

import { start as startGateway } from '../helpers/gateway-harness.js'
import { start } from '../helpers/proxy-harness.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'
import { takesNothingFor } from '../helpers/recorder.js'

interface Dripped {
  readonly status: number
  readonly ms: number
}

/** Sends the head, then a piece every so often until there is an answer or the connection is gone. */
function drip(port: number, head: string, pieces: Iterable<string>, everyMs: number): Promise<Dripped> {
  return new Promise(resolve => {
    const began = Date.now()
    const rest = pieces[Symbol.iterator]()
    let text = ''
    let dripping: NodeJS.Timeout | undefined
    const client = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
      client.write(head)
      dripping = setInterval(() => { // not before: what is written while it connects goes out ahead of the head
        const next = rest.next()
        if (next.done !== true && client.writable) client.write(next.value)
      }, everyMs)
    })
    client.on('data', chunk => {
      text += chunk.toString('latin1')
      if (oneAnswer(text)) client.destroy()
    })
    client.on('error', () => undefined)
    client.on('close', () => {
      clearInterval(dripping)
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), ms: Date.now() - began })
    })
  })
}

const post = (path: string, length: number): string => `POST ${path} HTTP/1.1\r\nHost: app.test\r\nContent-Length: ${length}\r\n\r\n`
const times = (count: number, piece: string): string[] => Array<string>(count).fill(piece)

t.test('D2 a body of a byte now and then is 408, though it never pauses for long, and frees the upstream', async t => {
  const proxy = await start({ read: 400, minBodyRate: 1000 })
  t.teardown(() => proxy.close())
  const { status, ms } = await drip(proxy.port, post('/public/x', 1000), times(1000, 'x'), 50)
  t.equal(status, 408)
  t.ok(ms >= 400 && ms < 3000, `${ms} ms`)
  await proxy.recorder.disconnected()
  t.match(proxy.outcomes, [{ status: 499, end: 'client_gone' }])
})

t.test('D2 neither does a chunked body, whose framing is most of it', async t => {
  const proxy = await start({ read: 400, minBodyRate: 1000 })
  t.teardown(() => proxy.close())
  const head = 'POST /public/x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n'
  t.equal((await drip(proxy.port, head, times(1000, '1\r\nx\r\n'), 50)).status, 408)
})

t.test('D2 what was sent fast at first buys nobody more than the grace', async t => {
  const proxy = await start({ read: 400, minBodyRate: 1000 })
  t.teardown(() => proxy.close())
  const { status, ms } = await drip(proxy.port, post('/public/x', 1_000_000), ['x'.repeat(500_000), ...times(1000, 'x')], 50)
  t.equal(status, 408)
  t.ok(ms < 3000, `${ms} ms`)
})

t.test('D2 a slow client that keeps the pace is let through, and may pause besides', async t => {
  const proxy = await start({ read: 600, minBodyRate: 1000 })
  t.teardown(() => proxy.close())
  // 2000 bytes per second, with nothing for 400 ms in the middle.
  const pieces = [...times(12, 'x'.repeat(100)), ...times(8, ''), ...times(12, 'x'.repeat(100))]
  t.equal((await drip(proxy.port, post('/public/x', 2400), pieces, 50)).status, 200)
})

t.test('D2 while the upstream takes nothing, nobody blames the client', async t => {
  const proxy = await start({ read: 300, minBodyRate: 1_000_000 })
  t.teardown(() => proxy.close())
  proxy.recorder.behave(takesNothingFor(1500))
  const body = 'x'.repeat(16 * 1024 * 1024)
  const { status } = await sendRaw(proxy.port, post('/public/x', body.length) + body, { until: oneAnswer, waitMs: 20_000 })
  t.equal(status, 200)
})

t.test('D2 a form for the gateway itself has the same limits', async t => {
  const gateway = await startGateway({ read: 500 })
  t.teardown(() => gateway.close())
  const login = '/.ory/kratos/public/auth/browser/methods/password/login?request=3fa85f64-5717-4562-b3fc-2c963f66afa6'
  const head = `POST ${login} HTTP/1.1\r\nHost: 127.0.0.1:${gateway.port}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n\r\n`
  t.equal((await drip(gateway.port, head, times(1000, 'x'), 50)).status, 408)
  t.equal((await drip(gateway.port, head, [], 50)).status, 408)
  t.same(gateway.recorder.requests, [])
})

t.test('D2 so has a body that a rule reads before it decides', async t => {
  const gateway = await startGateway({ read: 500 })
  t.teardown(() => gateway.close())
  const dripped = await drip(gateway.port, post('/judged/x', 5000), times(1000, 'x'), 50)
  t.equal(dripped.status, 408)
  t.ok(dripped.ms < 4000, `${dripped.ms} ms`)
  const stalled = await drip(gateway.port, post('/judged/x', 5000), ['hello'], 50)
  t.equal(stalled.status, 408)
  t.ok(stalled.ms < 4000, `${stalled.ms} ms`)
})
