/** No single request kills the gateway, and no upstream's failure is taken for an answer (security P). */
import { connect } from 'node:net'
import t from 'tap'

import { start } from '../helpers/proxy-harness.js'
import { tellFigure } from '../helpers/figure.js'
import { startProcess, type ProxyProcess } from '../helpers/proxy-process.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'

let proxy: ProxyProcess
t.before(async () => { proxy = await startProcess({ read: 1500, response: 1000 }) })
t.teardown(() => proxy.close())

const get = 'GET /public/x HTTP/1.1\r\nHost: app.test\r\n\r\n'

/** Sends, and resets the connection after so many milliseconds. */
function sendAndReset(bytes: string, afterMs: number): Promise<void> {
  return new Promise(resolve => {
    const socket = connect(proxy.port, '127.0.0.1', () => {
      socket.write(Buffer.from(bytes, 'latin1'))
      setTimeout(() => socket.resetAndDestroy(), afterMs)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve())
    socket.resume()
  })
}

async function stillServes(): Promise<boolean> {
  proxy.assertAlive()
  proxy.recorder.reset()
  const { status } = await sendRaw(proxy.port, get, { until: oneAnswer })
  return status === 200
}

t.test('P1 single requests that have killed others', async t => {
  const upgrade = (target: string): string =>
    `GET ${target} HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`
  const killers: readonly (readonly [name: string, bytes: string])[] = [
    ['Trailer', 'GET /public/x HTTP/1.1\r\nHost: app.test\r\nTrailer: x\r\n\r\n'],
    ['Trailer with a length', 'POST /public/x HTTP/1.1\r\nHost: app.test\r\nTrailer: x\r\nContent-Length: 1\r\n\r\nx'],
    ['bad authority', 'GET http://[::1/p HTTP/1.1\r\nHost: app.test\r\n\r\n'],
    ['upgrade with a bad authority', upgrade('http://[::1/')],
    ['upgrade to nothing', upgrade('/public/ws')],
    ['HEAD with a chunked body', 'HEAD /public/x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
    ['HEAD', 'HEAD /public/x HTTP/1.1\r\nHost: app.test\r\n\r\n'],
    ['Upgrade to something else', 'GET /public/x HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n'],
    ['Upgrade of a POST to something else', 'POST /public/x HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello'],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: app.test\r\n\r\n'],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'],
    ['bad chunk', 'POST /public/x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['odd authority', 'GET http://xn--i/ HTTP/1.1\r\nHost: xn--i\r\n\r\n'],
    ['bad status phrase', 'GET /public/weird HTTP/1.1\r\nHost: app.test\r\n\r\n'],
  ]
  for (const [name, bytes] of killers) {
    if (name === 'bad status phrase') proxy.recorder.behave({ answer: socket => socket.write('HTTP/1.1 999 we\x01ird\r\n\r\n') })
    const { status } = await sendRaw(proxy.port, bytes, { waitMs: 500 })
    t.not(status, 500, `${name}: ${status}`)
    await sendAndReset(bytes, 2)
    t.ok(await stillServes(), name)
  }
})

t.test('P1 clients that reset at every moment', async t => {
  const big = `HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(300_000)}`
  const requests = [
    get, 'HEAD /public/x HTTP/1.1\r\nHost: app.test\r\n\r\n', 'POST /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000\r\n\r\nhello',
    'POST /public/x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', get + get + get,
  ]
  for (let round = 0; round < 120; round++) {
    if (round % 2 === 0) proxy.recorder.behave({ answer: socket => socket.write(big) })
    else proxy.recorder.behave({})
    await Promise.all(requests.map((bytes, index) => sendAndReset(bytes, (round + index) % 6)))
    proxy.assertAlive()
  }
  t.ok(await stillServes(), '600 resets')
})

t.test('P2 an answer that is not whole is never presented as whole', async t => {
  const cases: readonly (readonly [name: string, bytes: string, reset: boolean])[] = [
    ['a length cut by RST', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', true],
    ['a length cut by FIN', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', false],
    ['chunks cut by RST', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', true],
    ['chunks cut by FIN', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', false],
    ['a chunk cut in the middle', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello', false],
    ['an end-delimited answer cut by RST', 'HTTP/1.1 200 OK\r\n\r\nhello', true],
  ]
  tellFigure(t, 'L13', 'answers that the upstream cuts, by RST and FIN, to HTTP/1.1 and 1.0', `0 of ${cases.length * 2} presented as whole`)
  for (const [name, bytes, reset] of cases) {
    for (const version of ['1.1', '1.0']) {
      proxy.recorder.behave({ answer: socket => socket.write(bytes, () => setTimeout(() => reset ? socket.resetAndDestroy() : socket.end(), 20)) })
      const { text, end } = await sendRaw(proxy.port, `GET /public/x HTTP/${version}\r\nHost: app.test\r\n\r\n`)
      t.not(end, 'open', `${name}: closed`)
      const [head = '', body = ''] = text.split('\r\n\r\n', 2)
      const isWhole = /^content-length/im.test(head) ? body.length === 10 : /^transfer-encoding/im.test(head) ? text.endsWith('\r\n0\r\n\r\n') : end === 'end'
      t.notOk(isWhole, `${name} over ${version}: ${end}`)
      proxy.assertAlive()
    }
  }
})

t.test('P2 silence is 504, answers without or beyond a body are one answer', async t => {
  proxy.recorder.behave({ answer: () => undefined })
  const before = Date.now()
  t.equal((await sendRaw(proxy.port, get, { until: oneAnswer })).status, 504)
  t.ok(Date.now() - before < 4000)

  const table: readonly (readonly [name: string, bytes: string, status: number, body: string])[] = [
    ['101 unasked', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', 502, ''],
    ['204 with a body', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello', 204, ''],
    ['304 with a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 304, ''],
    ['103, then 200', 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 200, 'ok'],
    ['without a length, ended', 'HTTP/1.0 200 OK\r\n\r\nok', 200, '2\r\nok\r\n0\r\n\r\n'],
  ]
  for (const [name, bytes, status, body] of table) {
    proxy.recorder.behave({ answer: socket => bytes.startsWith('HTTP/1.0') ? socket.end(bytes) : socket.write(bytes) })
    const { text, statuses } = await sendRaw(proxy.port, get, { waitMs: 300 })
    t.same(statuses, [status], name)
    if (status !== 502) t.equal(text.slice(text.indexOf('\r\n\r\n') + 4), body, name)
    t.notMatch(text, /content-length: 5[^]*204|204[^]*content-length: 5/i)
    t.ok(await stillServes())
  }
})

t.test('P3 an upstream that is down is 502 at once', async t => {
  const down = await start({ upstream: { origin: 'http://127.0.0.1:1' } })
  t.teardown(() => down.close())
  for (const method of ['GET', 'POST']) {
    const before = Date.now()
    const { status } = await sendRaw(down.port, `${method} /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n`, { until: oneAnswer })
    t.equal(status, 502)
    t.ok(Date.now() - before < 1000)
  }
})

t.test('P3 L14 what a dead pooled connection swallowed is repeated once, and only if it changes nothing', async t => {
  const aged = await start()
  t.teardown(() => aged.close())
  const send = (method: string, fields = ''): ReturnType<typeof sendRaw> =>
    sendRaw(aged.port, `${method} /public/x HTTP/1.1\r\nHost: app.test\r\n${fields}\r\n`, { until: oneAnswer })
  const served = new Map<number, number>()

  for (const [method, status, seen] of [['GET', 200, 2], ['OPTIONS', 200, 2], ['POST', 502, 1], ['DELETE', 502, 1], ['PUT', 502, 1]] as const) {
    aged.recorder.reset()
    served.clear()
    // Every connection serves one request well, and resets at the second.
    aged.recorder.behave({ answer: (socket, { connection }) => {
      const count = (served.get(connection) ?? 0) + 1
      served.set(connection, count)
      if (count === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      else socket.resetAndDestroy()
    } })
    t.equal((await send('GET')).status, 200)
    t.equal((await send(method)).status, status, method)
    t.equal(aged.recorder.requests.length, 1 + seen, method)
  }

  aged.recorder.reset()
  aged.recorder.behave({ answer: socket => socket.resetAndDestroy() })
  t.equal((await send('GET')).status, 502, 'a new connection that fails is no reason to repeat')
  t.equal(aged.recorder.requests.length, 1)
})
