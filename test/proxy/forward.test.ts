/** Forwarding as a client and an upstream see it: bytes as they come, limits where they are, and how an exchange ends. */
import { connect, type Socket } from 'node:net'
import t from 'tap'

import { start, type Proxy, type ProxyOptions } from '../helpers/proxy-harness.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'

type Started = (options?: ProxyOptions) => Promise<Proxy>

/** A proxy that ends with its test. */
function startFor(t: { teardown: (end: () => Promise<void>) => void }): Started {
  return async options => {
    const proxy = await start(options)
    t.teardown(() => proxy.close())
    return proxy
  }
}

async function until(condition: () => boolean, ms = 3000): Promise<void> {
  const deadline = Date.now() + ms
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it never came true')
    await new Promise(next => setTimeout(next, 5))
  }
}

const get = 'GET /public/x HTTP/1.1\r\nHost: app.test\r\n\r\n'

t.test('a request reaches the upstream and its answer the client', async t => {
  const { port, recorder, outcomes } = await startFor(t)()
  const answer = await sendRaw(port, 'GET /public/a?b=c HTTP/1.1\r\nHost: app.test\r\nX-Thing: 1\r\nx-thing: 2\r\n\r\n', { until: oneAnswer })
  t.equal(answer.status, 200)
  t.match(answer.text, /\r\n\r\nok$/)
  t.equal(recorder.requests[0]?.target, '/public/a?b=c')
  t.same(recorder.requests[0]?.fields.filter(([name]) => /thing/i.test(name)), [['X-Thing', '1'], ['x-thing', '2']])
  t.same(outcomes, [{ status: 200, end: 'complete' }])
})

t.test('connections on both sides are used again', async t => {
  const { port, recorder } = await startFor(t)()
  for (let round = 0; round < 3; round++) await sendRaw(port, get, { until: oneAnswer })
  t.same(recorder.requests.map(({ connection }) => connection), [0, 0, 0])
  const { statuses } = await sendRaw(port, [get, get, get], { until: text => (text.match(/ok/g) ?? []).length === 3 })
  t.same(statuses, [200, 200, 200])
})

t.test('bodies keep their framing and their bytes', async t => {
  const { port, recorder } = await startFor(t)()
  const binary = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 256))
  await sendRaw(port, [`PUT /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: ${binary.length}\r\n\r\n`, binary], { until: oneAnswer })
  t.equal(recorder.requests[0]?.body, binary.toString('latin1'))
  t.same([recorder.field('content-length'), recorder.field('transfer-encoding')], [['100000'], []])

  await sendRaw(port, 'POST /public/x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n', { until: oneAnswer })
  t.equal(recorder.requests[1]?.body, 'abcde')
  t.same([recorder.field('content-length'), recorder.field('transfer-encoding')], [[], ['chunked']])

  await sendRaw(port, 'POST /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n', { until: oneAnswer })
  t.same([recorder.field('content-length'), recorder.field('transfer-encoding')], [['0'], []])
  await sendRaw(port, 'POST /public/x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', { until: oneAnswer })
  t.equal(recorder.requests[3]?.body, '')
})

t.test('HEAD, 204 and 304 end with their head, and the connection goes on', async t => {
  const { port, recorder } = await startFor(t)()
  recorder.behave({ answer: (socket, { target }) => {
    if (target.endsWith('/head')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n')
    else if (target.endsWith('/204')) socket.write('HTTP/1.1 204 No Content\r\n\r\n')
    else if (target.endsWith('/304')) socket.write('HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n')
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  } })
  const request = (method: string, path: string): string => `${method} /public/${path} HTTP/1.1\r\nHost: app.test\r\n\r\n`
  const { text, statuses } = await sendRaw(
    port, [request('HEAD', 'head'), request('GET', '204'), request('GET', '304'), request('GET', 'x')], { until: text => text.endsWith('ok') },
  )
  t.same(statuses, [200, 204, 304, 200])
  t.match(text, /Content-Length: 1234/)
  t.match(text, /ETag: "x"/)
  t.notMatch(text, /transfer-encoding/i)
})

t.test('the head of an answer does not wait for its body', async t => {
  const { port, recorder } = await startFor(t)()
  let upstream: Socket | undefined
  recorder.behave({ answer: socket => {
    upstream = socket
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n')
  } })
  const seen: string[] = []
  const answer = sendRaw(port, get, { until: text => seen.push(text) > 0 && text.includes('data: 2') })
  await until(() => seen.some(text => text.includes('text/event-stream')))
  upstream?.write('data: 1\n\n')
  await until(() => seen.some(text => text.includes('data: 1')))
  upstream?.write('data: 2\n\n')
  t.match((await answer).text, /data: 2/)
})

t.test('an event stream that is alive outlives the client\'s timeouts', async t => {
  const { port, recorder } = await startFor(t)({ read: 200, write: 200 })
  recorder.behave({ answer: socket => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n')
    setTimeout(() => socket.write('data: late\n\n'), 1200)
  } })
  t.match((await sendRaw(port, get, { until: text => text.includes('late') })).text, /data: late/)
})

t.test('fields that were set before stay, and repeated ones stay repeated', async t => {
  const { port, recorder } = await startFor(t)({ responseFields: { 'Access-Control-Allow-Origin': 'https://a.test', Vary: 'Origin' } })
  recorder.behave({ answer: socket => socket.write('HTTP/1.1 201 Made\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nVary: Accept\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n') })
  const { text } = await sendRaw(port, get, { until: oneAnswer })
  t.match(text, /^HTTP\/1\.1 201 Made\r\n/)
  t.same(text.match(/^access-control-allow-origin: .*$/gim), ['Access-Control-Allow-Origin: https://a.test'], 'one, the gateway\'s')
  t.same(text.match(/^set-cookie: .=./gim), ['Set-Cookie: a=1', 'Set-Cookie: b=2'])
  t.match(text, /Vary: Origin\r\nVary: Accept/)
})

t.test('HTTP/1.0 clients get what they can read', async t => {
  const { port, recorder } = await startFor(t)()
  recorder.behave({ answer: socket => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n') })
  const { text, end } = await sendRaw(port, 'GET /public/x HTTP/1.0\r\nHost: app.test\r\n\r\n')
  t.equal(end, 'end')
  t.match(text, /Connection: close/)
  t.match(text, /\r\n\r\nok$/)
})

t.test('redirects are the client\'s to follow', async t => {
  const { port, recorder } = await startFor(t)()
  recorder.behave({ answer: socket => socket.write('HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\nContent-Length: 0\r\n\r\n') })
  const { text } = await sendRaw(port, get, { until: oneAnswer })
  t.match(text, /^HTTP\/1\.1 302 Found\r\n[^]*Location: http:\/\/elsewhere\.test\//)
  t.equal(recorder.requests.length, 1)
})

t.test('trailers of an answer are dropped', async t => {
  const { port, recorder } = await startFor(t)()
  recorder.behave({ answer: socket => socket.write('HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n') })
  const { text } = await sendRaw(port, get, { until: text => text.endsWith('0\r\n\r\n') })
  t.notMatch(text, /x-sum/i)
})

t.test('a client that takes its time holds the upstream up, not the gateway', async t => {
  const { port, recorder } = await startFor(t)()
  let written = 0
  recorder.behave({ answer: socket => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * 1024 * 1024}\r\n\r\n`)
    const chunk = Buffer.alloc(64 * 1024)
    const pump = (): void => {
      while (written < 64 * 1024 * 1024 && socket.writable) {
        written += chunk.length
        if (!socket.write(chunk)) {
          socket.once('drain', pump)
          return
        }
      }
    }
    pump()
  } })
  const client = connect(port, '127.0.0.1', () => client.write(get))
  client.pause()
  let last = -1
  for (;;) {
    await new Promise(next => setTimeout(next, 200))
    if (written > 0 && written === last) break
    last = written
  }
  t.ok(written < 32 * 1024 * 1024, `${written} bytes while nothing was read`)

  let received = 0
  client.on('data', chunk => { received += chunk.length })
  client.resume()
  await until(() => received > 64 * 1024 * 1024, 20_000)
  client.destroy()
})

t.test('an upstream that takes its time holds the client up', async t => {
  const { port, recorder } = await startFor(t)()
  let upstream: Socket | undefined
  recorder.behave({ head: socket => {
    upstream = socket
    socket.pause()
  } })
  const client = connect(port, '127.0.0.1', () => {
    client.write(`POST /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: ${64 * 1024 * 1024}\r\n\r\n`)
    pump()
  })
  let sent = 0
  const chunk = Buffer.alloc(64 * 1024)
  const pump = (): void => {
    while (sent < 64 * 1024 * 1024) {
      sent += chunk.length
      if (!client.write(chunk)) {
        client.once('drain', pump)
        return
      }
    }
  }
  client.on('error', () => undefined)
  let last = -1
  for (;;) {
    await new Promise(next => setTimeout(next, 200))
    if (upstream !== undefined && sent === last) break
    last = sent
  }
  t.ok(sent < 48 * 1024 * 1024, `${sent} bytes while nothing was read`)
  client.destroy()
})

t.test('a client that goes away takes the upstream request along', async t => {
  const { port, recorder, outcomes } = await startFor(t)()
  const leave = async (bytes: string, behaviour: Parameters<typeof recorder.behave>[0], seen: () => boolean): Promise<void> => {
    recorder.reset()
    recorder.behave(behaviour)
    const client = connect(port, '127.0.0.1', () => client.write(bytes))
    client.on('error', () => undefined)
    await until(seen)
    client.destroy()
    await until(() => recorder.openConnections() === 0)
  }
  await leave(get, { answer: () => undefined }, () => recorder.requests.length === 1)
  await leave(get, { answer: socket => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf') }, () => recorder.requests.length === 1)
  let heads = 0
  await leave('POST /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 9\r\n\r\nhalf', { head: () => heads++ }, () => heads === 1)
  t.same(outcomes.map(({ status, end }) => [status, end]), [[499, 'client_gone'], [200, 'client_gone'], [499, 'client_gone']])
  t.same(recorder.requests, [], 'half a body is no request')
})

t.test('D3 a body beyond the limit is 413, at once when it says so, else at the limit', async t => {
  const { port, recorder } = await startFor(t)({ maxBodyBytes: 1000 })
  const declared = await sendRaw(port, 'POST /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n', { until: oneAnswer })
  t.same(declared.statuses, [413])
  t.ok(recorder.bytes.every(bytes => bytes === ''), 'the upstream is not even asked')

  const chunk = `200\r\n${'x'.repeat(512)}\r\n`
  const endless = await sendRaw(port, ['POST /public/x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n', chunk, chunk, chunk], { until: oneAnswer })
  t.same(endless.statuses, [413])
  await until(() => recorder.openConnections() === 0)
  t.same(recorder.requests, [])

  const within = await sendRaw(port, `POST /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(1000)}`, { until: oneAnswer })
  t.equal(within.status, 200)
  const ruled = await startFor(t)({ maxBodyBytes: 1000, upstream: { maxBodyBytes: 10 } })
  t.equal((await sendRaw(ruled.port, 'POST /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 11\r\n\r\n', { until: oneAnswer })).status, 413)
})

t.test('an upstream that is slow to answer is 504, one that stops in the middle is cut', async t => {
  const slow = await startFor(t)({ response: 300 })
  slow.recorder.behave({ answer: () => undefined })
  t.equal((await sendRaw(slow.port, get, { until: oneAnswer })).status, 504)
  await until(() => slow.recorder.openConnections() === 0)

  const ruled = await startFor(t)({ response: 60_000, upstream: { timeout: { response: 300 } } })
  ruled.recorder.behave({ answer: () => undefined })
  t.equal((await sendRaw(ruled.port, get, { until: oneAnswer })).status, 504)

  const stopping = await startFor(t)({ body: 300 })
  stopping.recorder.behave({ answer: socket => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf') })
  const { text, end } = await sendRaw(stopping.port, get)
  t.match(text, /half$/)
  t.not(end, 'open')
  await until(() => stopping.outcomes.length === 1)
  t.match(stopping.outcomes, [{ status: 200, end: 'upstream_cut', error: { code: 'upstream_timeout' } }])
})

t.test('an upstream that can not be connected to in time is 502', async t => {
  // TEST-NET-1: nobody answers there, and some networks say so at once, which is 502 as well.
  const { port } = await startFor(t)({ connect: 300, upstream: { origin: 'http://192.0.2.1:81' } })
  const before = Date.now()
  t.equal((await sendRaw(port, get, { until: oneAnswer })).status, 502)
  t.ok(Date.now() - before < 4000)
})

t.test('requests beyond the connections of an upstream wait for one', async t => {
  const { port, recorder } = await startFor(t)({ connections: 2 })
  const waiting: Socket[] = []
  recorder.behave({ answer: socket => waiting.push(socket) })
  const answers = Promise.all(Array.from({ length: 5 }, () => sendRaw(port, get, { until: oneAnswer })))
  for (let served = 0; served < 5; served++) {
    await until(() => waiting.length > 0)
    t.ok(recorder.openConnections() <= 2)
    waiting.shift()?.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  }
  t.same((await answers).map(({ status }) => status), [200, 200, 200, 200, 200])
})

t.test('more requests than an upstream will get to are 503 at once, and it recovers', async t => {
  const { port, recorder } = await startFor(t)({ connections: 1, response: 60_000 })
  const ask = (): ReturnType<typeof sendRaw> => sendRaw(port, get, { until: oneAnswer })
  recorder.behave({ answer: () => undefined })
  const clients = Array.from({ length: 8 }, () => connect(port, '127.0.0.1', function (this: Socket) { this.write(get) }))
  await recorder.received(1)
  let refusal = await sendRaw(port, get, { until: oneAnswer, waitMs: 50 })
  while (refusal.status === 0) refusal = await sendRaw(port, get, { until: oneAnswer, waitMs: 50 })
  t.equal(refusal.status, 503)
  t.match(refusal.text, /^Retry-After: 1\r$/im)

  // Whoever goes gives up its place, the one that was being served included.
  recorder.behave({})
  for (const client of clients) client.destroy()
  t.equal((await ask()).status, 200)
  await until(() => recorder.openConnections() <= 1)
})

t.test('D2 who waits for a connection for longer than for an answer gets 503', async t => {
  const { port, recorder } = await startFor(t)({ connections: 1, response: 400 })
  recorder.behave({ answer: socket => setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'), 200) })
  const first = connect(port, '127.0.0.1', () => first.write(get)) // has its head, and waits for its body
  await recorder.received(1)
  const before = Date.now()
  const { status, text } = await sendRaw(port, get, { until: oneAnswer })
  t.equal(status, 503)
  t.match(text, /^Retry-After: 1\r$/im)
  t.ok(Date.now() - before >= 400, 'it is not turned away before its time')
  first.destroy()
})

t.test('keep_alive: false and a keep_alive of nothing open a connection for every request', async t => {
  for (const options of [{ upstream: { keepAlive: false } }, { keepAlive: 0 }]) {
    const { port, recorder } = await startFor(t)(options)
    for (let round = 0; round < 3; round++) await sendRaw(port, get, { until: oneAnswer })
    t.same(recorder.requests.map(({ connection }) => connection), [0, 1, 2])
    t.same(recorder.field('connection'), ['close'])
  }
})

t.test('a forwarder that is closed lets what is under way finish', async t => {
  const { port, recorder, forwarder } = await startFor(t)()
  let upstream: Socket | undefined
  recorder.behave({ answer: socket => { upstream = socket } })
  const answer = sendRaw(port, get, { until: oneAnswer })
  await until(() => upstream !== undefined)
  const closed = forwarder.close()
  upstream?.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  t.equal((await answer).status, 200)
  await closed
  t.equal((await sendRaw(port, get, { until: oneAnswer })).status, 502)
})
