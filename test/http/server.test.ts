/** The public server and clients that stop in the middle (security D1, D2). */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'

import { start } from '../helpers/proxy-harness.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'
import { takesNothingFor } from '../helpers/recorder.js'

const get = 'GET /public/x HTTP/1.1\r\nHost: app.test\r\n\r\n'
const upgrade = 'GET /public/x HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'

async function timed<T>(work: Promise<T>): Promise<[result: T, ms: number]> {
  const before = Date.now()
  const result = await work
  return [result, Date.now() - before]
}

t.test('D1 a head that does not come is 408, a connection that says nothing is closed', async t => {
  const proxy = await start({ read: 500 })
  t.teardown(() => proxy.close())
  const [slow, slowMs] = await timed(sendRaw(proxy.port, 'GET /public/x HTTP/1.1\r\nHost: app'))
  t.equal(slow.status, 408)
  t.equal(slow.end, 'end')
  const [silent, silentMs] = await timed(sendRaw(proxy.port, ''))
  t.not(silent.end, 'open')
  t.ok(slowMs < 2500 && silentMs < 2500, `${slowMs} and ${silentMs} ms`)

  // One byte at a time keeps the socket busy, but not the head alive.
  const [dripping, drippingMs] = await timed(new Promise<string>(resolve => {
    let text = ''
    let drip: NodeJS.Timeout | undefined
    const client = connect(proxy.port, '127.0.0.1', () => {
      client.write('GET /public/x HTTP/1.1\r\n')
      drip = setInterval(() => client.write('a: b\r\n'), 50)
    })
    client.on('data', chunk => { text += chunk.toString('latin1') })
    client.on('error', () => undefined)
    client.on('close', () => {
      clearInterval(drip)
      resolve(text)
    })
  }))
  t.match(dripping, /^HTTP\/1\.1 408/)
  t.ok(drippingMs < 4000, `${drippingMs} ms`)
})

t.test('D1 what comes of a head after its 408 makes no request of it', async t => {
  for (const head of [get, upgrade]) {
    const proxy = await start({ read: 500 })
    t.teardown(() => proxy.close())
    const at = head.indexOf('Host')
    const client = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true }, () => client.write(head.slice(0, at)))
    client.on('error', () => undefined)
    t.match(String((await once(client, 'data'))[0]), /^HTTP\/1\.1 408/)
    client.write(head.slice(at))
    t.equal((await sendRaw(proxy.port, get, { until: oneAnswer })).status, 200)
    t.equal(proxy.recorder.bytes.length, 1, 'the upstream has met the other client only')
    client.destroy()
  }
})

t.test('D2 a body that stops is 408 and ends at the upstream, too', async t => {
  const proxy = await start({ read: 500 })
  t.teardown(() => proxy.close())
  const [answer, ms] = await timed(sendRaw(proxy.port, 'POST /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nhello'))
  t.equal(answer.status, 408)
  t.ok(ms < 2500, `${ms} ms`)
  t.same(proxy.recorder.requests, [])
  await proxy.recorder.disconnected()
  t.match(proxy.outcomes, [{ status: 499, end: 'client_gone' }])
})

t.test('D2 a body that is slow but comes is let through', async t => {
  const proxy = await start({ read: 400 })
  t.teardown(() => proxy.close())
  const answer = await new Promise<string>(resolve => {
    let text = ''
    const client = connect(proxy.port, '127.0.0.1', () => {
      client.write('POST /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\n')
      let sent = 0
      const drip = setInterval(() => {
        client.write('x')
        if (++sent === 10) clearInterval(drip)
      }, 120)
    })
    client.on('data', chunk => {
      text += chunk.toString('latin1')
      if (oneAnswer(text)) client.destroy()
    })
    client.on('close', () => resolve(text))
  })
  t.match(answer, /^HTTP\/1\.1 200/)
})

t.test('D2 a body that waits for the upstream is not the client\'s fault', async t => {
  const proxy = await start({ read: 300 })
  t.teardown(() => proxy.close())
  proxy.recorder.behave(takesNothingFor(1500))
  const body = 'x'.repeat(16 * 1024 * 1024)
  const { status } = await sendRaw(proxy.port, `POST /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`, { until: oneAnswer, waitMs: 20_000 })
  t.equal(status, 200)
})

t.test('D2 a client that takes nothing of its answer is cut', async t => {
  const proxy = await start({ read: 300, write: 900 })
  t.teardown(() => proxy.close())
  proxy.recorder.behave({ answer: socket => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${32 * 1024 * 1024}\r\n\r\n${'x'.repeat(32 * 1024 * 1024)}`) })
  const before = Date.now()
  const client = connect(proxy.port, '127.0.0.1', () => client.write(get))
  client.pause()
  while (proxy.outcomes.length === 0 && Date.now() - before < 5000) await new Promise(next => setTimeout(next, 20))
  t.match(proxy.outcomes, [{ status: 200, end: 'client_gone' }])
  t.ok(Date.now() - before >= 900)
  client.destroy()
})

t.test('an idle connection waits for its next request, and not for ever', async t => {
  const proxy = await start({ read: 300 })
  t.teardown(() => proxy.close())
  const [{ statuses, end }, ms] = await timed(new Promise<Awaited<ReturnType<typeof sendRaw>>>(resolve => {
    void sendRaw(proxy.port, get, { waitMs: 8000 }).then(resolve)
  }))
  t.same([statuses, end], [[200], 'end'])
  t.ok(ms > 4000 && ms < 8000, `keep-alive took ${ms} ms`)
})

t.test('connections beyond the limit are closed at once, and the others served', async t => {
  const proxy = await start({ clients: 2 })
  t.teardown(() => proxy.close())
  const held = [0, 1].map(() => connect(proxy.port, '127.0.0.1'))
  await Promise.all(held.map(socket => new Promise(open => socket.once('connect', open))))
  const { statuses, end } = await sendRaw(proxy.port, get)
  t.same(statuses, [])
  t.not(end, 'open')
  held[0]?.write(get)
  const [chunk] = await new Promise<Buffer[]>(data => held[0]?.once('data', (...chunks: Buffer[]) => data(chunks)))
  t.match(String(chunk), /^HTTP\/1\.1 200/)
  for (const socket of held) socket.destroy()
})

t.test('D1 one address holds so many connections and no more, and gets new ones for those it gives up', async t => {
  const proxy = await start({ clientsPerAddress: 2 })
  t.teardown(() => proxy.close())
  const open = (localAddress: string) => new Promise<Socket>(resolve => {
    const socket = connect({ port: proxy.port, host: '127.0.0.1', localAddress }, () => resolve(socket))
    socket.on('error', () => undefined)
    t.teardown(() => socket.destroy())
  })
  const answered = (socket: Socket) => new Promise<boolean>(resolve => {
    socket.once('data', () => resolve(true))
    socket.once('close', () => resolve(false))
    socket.write(get)
  })
  const [first, second] = [await open('127.0.0.1'), await open('127.0.0.1')]
  t.equal(await answered(await open('127.0.0.1')), false)
  t.equal(await answered(await open('127.0.0.2')), true, 'of another address')
  t.same([await answered(first), await answered(second)], [true, true])

  await new Promise(closed => first.once('close', closed).destroy())
  // The gateway may hear of it a moment after its client.
  let again = false
  for (let tries = 0; tries < 50 && !again; tries++) again = await answered(await open('127.0.0.1'))
  t.equal(again, true)
})

t.test('D1 a trusted proxy holds connections for everybody behind it', async t => {
  const proxy = await start({ clientsPerAddress: 1, trustedProxies: ['127.0.0.0/8'] })
  t.teardown(() => proxy.close())
  const answers = await Promise.all([1, 2, 3].map(() => sendRaw(proxy.port, get, { until: oneAnswer })))
  t.same(answers.map(({ status }) => status), [200, 200, 200])
})

t.test('D1 a connection that asks for other protocols counts once', async t => {
  const proxy = await start({ clientsPerAddress: 2 })
  t.teardown(() => proxy.close())
  const socket = await new Promise<Socket>(resolve => {
    const opened = connect(proxy.port, '127.0.0.1', () => resolve(opened))
  })
  t.teardown(() => socket.destroy())
  for (let asked = 0; asked < 5; asked++) {
    socket.write('GET /public/x HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n')
    t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200/)
  }
  const again = await sendRaw(proxy.port, get, { until: oneAnswer })
  t.equal(again.status, 200)
})

t.test('more pipelined requests than any client has are no client\'s', async t => {
  const proxy = await start()
  t.teardown(() => proxy.close())
  proxy.recorder.behave({ answer: () => undefined })
  t.equal((await sendRaw(proxy.port, get.repeat(50), { waitMs: 300 })).end, 'open')
  t.equal(proxy.recorder.requests.length, 1, 'only the first is asked for before it is answered')
  t.not((await sendRaw(proxy.port, get.repeat(1000))).end, 'open')
})
