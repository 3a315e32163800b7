/** Connections to upstreams: which of them serves another request, and what is never taken for its answer. */
import { connect, type Socket } from 'node:net'
import t from 'tap'

import { start, type Proxy, type ProxyOptions } from '../helpers/proxy-harness.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'

async function startFor(t: { teardown: (end: () => Promise<void>) => void }, options: ProxyOptions = {}): Promise<Proxy> {
  const proxy = await start(options)
  t.teardown(() => proxy.close())
  return proxy
}

const get = 'GET /public/x HTTP/1.1\r\nHost: app.test\r\n\r\n'
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const ask = (port: number): ReturnType<typeof sendRaw> => sendRaw(port, get, { until: oneAnswer })
const pause = (ms: number): Promise<void> => new Promise(next => setTimeout(next, ms))

t.test('S21 what comes on a connection that nobody asked on is nobody\'s answer, and the end of it', async t => {
  const { port, recorder } = await startFor(t)
  let first: Socket | undefined
  recorder.behave({ answer: socket => {
    first ??= socket
    socket.write(ok)
  } })
  t.equal((await ask(port)).status, 200)
  first?.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad')
  await recorder.disconnected()
  const { status, text } = await ask(port)
  t.match([status, text.slice(-2)], [200, 'ok'])
  t.same(recorder.requests.map(({ connection }) => connection), [0, 1])
})

t.test('an answer that says close, or is of HTTP/1.0, or ends with its connection, is the last one of it', async t => {
  for (const [bytes, ends] of [
    ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok', false], ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', false],
    ['HTTP/1.1 200 OK\r\n\r\nok', true], ['HTTP/1.1 204 No Content\r\nConnection: Close\r\n\r\n', false],
  ] as const) {
    const { port, recorder } = await startFor(t)
    recorder.behave({ answer: socket => ends ? socket.end(bytes) : socket.write(bytes) })
    const whole = (text: string): boolean => text.endsWith('ok') || text.endsWith('0\r\n\r\n') || text.includes(' 204 ')
    for (let round = 0; round < 2; round++) await sendRaw(port, get, { until: whole })
    t.same(recorder.requests.map(({ connection }) => connection), [0, 1], bytes)
    await recorder.disconnected()
  }
})

t.test('HTTP/1.0 with keep-alive goes on', async t => {
  const { port, recorder } = await startFor(t)
  recorder.behave({ answer: socket => socket.write('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok') })
  for (let round = 0; round < 2; round++) await ask(port)
  t.same(recorder.requests.map(({ connection }) => connection), [0, 0])
})

t.test('idle connections end before the upstream ends them, by our time or by its own word', async t => {
  const ours = await startFor(t, { keepAlive: 300 })
  t.equal((await ask(ours.port)).status, 200)
  await ours.recorder.disconnected()
  t.equal((await ask(ours.port)).status, 200)

  for (const [hint, connections] of [['timeout=1', [0, 1]], ['timeout=60', [0, 0]], ['max=5, timeout=1', [0, 1]]] as const) {
    const { port, recorder } = await startFor(t)
    recorder.behave({ answer: socket => socket.write(`HTTP/1.1 200 OK\r\nKeep-Alive: ${hint}\r\nContent-Length: 2\r\n\r\nok`) })
    for (let round = 0; round < 2; round++) await ask(port)
    t.same(recorder.requests.map(({ connection }) => connection), connections, hint)
  }
})

t.test('L14 a connection that its upstream closes while it is idle is not used', async t => {
  const { port, recorder } = await startFor(t)
  recorder.behave({ answer: socket => socket.write(ok, () => setTimeout(() => socket.end(), 20)) })
  for (let round = 0; round < 3; round++) {
    t.equal((await sendRaw(port, 'POST /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n', { until: oneAnswer })).status, 200)
    await recorder.disconnected()
    await pause(20)
  }
  t.same(recorder.requests.map(({ connection }) => connection), [0, 1, 2])
})

t.test('P2 a client that leaves in the middle of an answer takes the connection along, and the next one gets its own', async t => {
  const { port, recorder } = await startFor(t, { connections: 1 })
  recorder.behave({ answer: (socket, { target }) => {
    if (target === '/public/first') {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfir')
    } else socket.write(ok)
  } })
  const client = connect(port, '127.0.0.1', () => client.write('GET /public/first HTTP/1.1\r\nHost: app.test\r\n\r\n'))
  await new Promise(heard => client.once('data', heard))
  client.destroy()
  await recorder.disconnected()
  t.match((await ask(port)).text, /\r\n\r\nok$/)
  t.same(recorder.requests.map(({ connection }) => connection), [0, 1])
})

t.test('big answers keep their bytes while others are under way, each on its connection', async t => {
  const { port, recorder } = await startFor(t)
  recorder.behave({ answer: (socket, { target }) => {
    const letter = target.at(-1) ?? ''
    const body = letter.repeat(500_000)
    socket.write(letter > 'm' ? `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  } })
  for (let round = 0; round < 3; round++) {
    await Promise.all([...'ghijklmnopqrstuvwxyz'].map(async letter => {
      const { text } = await sendRaw(port, `GET /public/${letter} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n`)
      const body = text.slice(text.indexOf('\r\n\r\n') + 4)
      t.ok((letter > 'm' ? body.replace(/[0-9a-f\r\n]/g, '') : body) === letter.repeat(500_000), letter)
    }))
  }
})
