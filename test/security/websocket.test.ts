/** WebSockets: the handshake is decided on like any request, and nothing but an accepted one becomes a tunnel (security W). */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import WebSocket, { WebSocketServer } from 'ws'

import { parsesUpgradeBodies } from '../../src/http/upgrade-request.js'
import { aliceCookie, start, type Proxy } from '../helpers/proxy-harness.js'
import { startProcess } from '../helpers/proxy-process.js'
import { oneAnswer, sendRaw, type RawAnswer } from '../helpers/raw.js'
import type { Behaviour } from '../helpers/recorder.js'

let proxy: Proxy
t.before(async () => { proxy = await start({ response: 1000 }) })
t.teardown(() => proxy.close())
t.beforeEach(() => proxy.recorder.reset())

const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

/** A handshake; a field given replaces or, when empty, removes the one of that name. */
function handshake(target: string, fields: Readonly<Record<string, string>> = {}, line = `GET ${target} HTTP/1.1`, body = ''): string {
  const all = {
    Host: 'app.test', Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': key, Cookie: aliceCookie, ...fields,
  }
  return [line, ...Object.entries(all).filter(([, value]) => value !== '').map(([name, value]) => `${name}: ${value}`), '', body].join('\r\n')
}

const accepting: Behaviour = {
  answer: socket => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\nhi`)
  },
}

const send = (bytes: string, until: (text: string) => boolean = oneAnswer): Promise<RawAnswer> => sendRaw(proxy.port, bytes, { until, waitMs: 3000 })
const tunnelled = (text: string): boolean => text.endsWith('hi')

t.test('an accepted handshake is a tunnel, its fields those of any request', async t => {
  proxy.recorder.behave(accepting)
  const { text } = await send(handshake('/app/ws?room=1', { 'Sec-WebSocket-Protocol': 'chat', 'X-Forwarded-For': '6.6.6.6' }), tunnelled)
  t.match(text, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
  t.match(text, `Sec-WebSocket-Accept: ${accept}\r\n`)
  t.match(text, /\r\n\r\nhi$/)

  const [request] = proxy.recorder.requests
  t.equal(request?.target, '/app/ws?room=1')
  t.same(Object.fromEntries(request?.fields.map(([name, value]) => [name.toLowerCase(), value]) ?? []), {
    host: `127.0.0.1:${proxy.recorder.port}`, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': key,
    'sec-websocket-protocol': 'chat', 'x-user': 'alice', 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'app.test', 'x-forwarded-proto': 'http',
    'x-request-id': request?.fields.find(([name]) => name === 'x-request-id')?.[1],
  })
})

t.test('messages pass both ways between real peers', async t => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', socket => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })))
  await new Promise(listening => server.once('listening', listening))
  const address = server.address() as { port: number }
  const real = await start({ upstream: { origin: `http://127.0.0.1:${address.port}` } })
  t.teardown(async () => {
    await real.close()
    server.close()
  })

  const client = new WebSocket(`ws://127.0.0.1:${real.port}/app/ws`, { headers: { cookie: aliceCookie } })
  await new Promise(open => client.once('open', open))
  for (const text of ['one', 'x'.repeat(200_000)]) {
    client.send(text)
    const [message] = await new Promise<unknown[]>(received => client.once('message', (...args) => received(args)))
    t.equal(String(message), text)
  }
  const closed = new Promise(resolve => client.once('close', resolve))
  client.close(1000)
  t.equal(await closed, 1000)
})

t.test('W1 without a session there is no connection upstream', async t => {
  const { status, end } = await sendRaw(proxy.port, handshake('/app/ws', { Cookie: '' }), { waitMs: 3000 })
  t.equal(status, 401)
  t.equal(end, 'end')
  t.same(proxy.recorder.requests, [])
  t.ok(proxy.recorder.bytes.every(bytes => bytes === ''))
})

t.test('W2 one X-User, ours', async t => {
  for (const name of ['X-User', 'X_User', 'x.user']) {
    proxy.recorder.reset()
    proxy.recorder.behave(accepting)
    await send(handshake('/app/ws', { [name]: 'mallory', Connection: 'Upgrade, X-User' }), tunnelled)
    t.same(proxy.recorder.requests[0]?.fields.filter(([sent]) => /^x.?user$/i.test(sent)), [['x-user', 'alice']], name)
    t.same(proxy.recorder.field('connection'), ['Upgrade'])
  }
})

t.test('W3 a page of another host opens nothing', async t => {
  const table: readonly (readonly [origin: string, status: number, host?: string])[] = [
    ['https://evil.test', 403], ['null', 403], ['https://app.test.evil.test', 403], ['https://app.test:8443', 403], ['https://app.test/x', 403], ['app.test', 403],
    ['http://app.test', 101], ['https://app.test', 101], ['https://friend.test', 101], ['https://a.friends.test', 101], ['https://a.b.friends.test', 403], ['', 101], ['https://APP.test', 101], ['https://app.test', 101, 'app.test:443'],
    ['http://app.test:4455', 101, 'app.test:4455'], ['http://app.test', 403, 'app.test:4455'],
  ]
  for (const [origin, status, host = 'app.test'] of table) {
    proxy.recorder.reset()
    proxy.recorder.behave(accepting)
    const answer = await send(handshake('/app/ws', { Origin: origin, Host: host }), text => tunnelled(text) || (!text.startsWith('HTTP/1.1 101') && oneAnswer(text)))
    t.equal(answer.status, status, `${origin} at ${host}`)
    t.equal(proxy.recorder.requests.length, status === 101 ? 1 : 0)
  }
})

t.test('W4 handshakes that are none', async t => {
  const cases: readonly (readonly [name: string, bytes: string])[] = [
    ['version', handshake('/app/ws', { 'Sec-WebSocket-Version': '777' })],
    ['no version', handshake('/app/ws', { 'Sec-WebSocket-Version': '' })],
    ['short key', handshake('/app/ws', { 'Sec-WebSocket-Key': 'dGhl' })],
    ['key of 18 bytes', handshake('/app/ws', { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAAAA' })],
    ['no key', handshake('/app/ws', { 'Sec-WebSocket-Key': '' })],
    ['POST', handshake('', {}, 'POST /app/ws HTTP/1.1')],
    ['HTTP/1.0', handshake('', {}, 'GET /app/ws HTTP/1.0')],
    ['a body', handshake('/app/ws', { 'Content-Length': '5' }, undefined, 'hello')],
    ['an empty body', handshake('/app/ws', { 'Content-Length': '0' })],
    ['chunks', handshake('/app/ws', { 'Transfer-Encoding': 'chunked' }, undefined, '0\r\n\r\n')],
    ['two protocols', handshake('/app/ws', { Upgrade: 'websocket, h2c' })],
    ['the other way round', handshake('/app/ws', { Upgrade: 'h2c, websocket' })],
  ]
  for (const [name, bytes] of cases) {
    const { status, end } = await sendRaw(proxy.port, bytes, { waitMs: 3000 })
    t.ok([400, 426].includes(status), `${name}: ${status}`)
    t.equal(end, 'end', name)
    t.same(proxy.recorder.requests, [], name)
  }
})

t.test('W4 a handshake or CONNECT whose body comes later, badly or never is refused at once', async t => {
  const open = [handshake('/app/ws', { 'Content-Length': '5' }), handshake('/app/ws', { 'Transfer-Encoding': 'chunked' }), 'CONNECT app:80 HTTP/1.1\r\nHost: app:80\r\nContent-Length: 5\r\n\r\n']
  for (const [at, head] of open.entries()) {
    for (const later of [undefined, 'hello', '5\r\nhello\r\n0\r\n\r\n', 'no chunk\r\n']) {
      const { status, end } = await sendRaw(proxy.port, later === undefined ? head : [head, later], { waitMs: 3000 })
      t.equal(status, at === 2 ? 405 : 400, `${head.split('\r\n', 1)[0]}, then ${later}`)
      t.not(end, 'open')
    }
  }
  t.same(proxy.recorder.requests, [])
  t.equal((await send('GET /public/x HTTP/1.1\r\nHost: app.test\r\n\r\n', oneAnswer)).status, 200, 'and it lives')
})

t.test('W5 an upgrade to anything else is a plain request', async t => {
  for (const [method, body] of [['GET', ''], ['POST', 'hello']] as const) {
    const bytes = [
      `${method} /app/x?y HTTP/1.1`, 'Host: app.test', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__', `Cookie: ${aliceCookie}`, 'X-Thing: \xe9',
      ...body === '' ? [] : [`Content-Length: ${body.length}`], '', body,
    ].join('\r\n')
    const { statuses } = await send(bytes + 'GET /public/next HTTP/1.1\r\nHost: app.test\r\n\r\n', text => (text.match(/ok/g) ?? []).length === 2)
    const goesOn = body === '' || !parsesUpgradeBodies
    t.same(statuses, goesOn ? [200, 200] : [200], `${method}, and the connection goes on where Node lets it`)
    const [request, next] = proxy.recorder.requests.slice(goesOn ? -2 : -1)
    t.same([request?.method, request?.target, request?.body, next?.target], [method, '/app/x?y', body, goesOn ? '/public/next' : undefined])
    t.same(request?.fields.filter(([name]) => /^(?:connection|upgrade|http2-settings|x-thing)$/i.test(name)), [['connection', 'keep-alive'], ['X-Thing', '\xe9']])
  }
})

t.test('W5 neither does it matter when its body comes', async t => {
  const head = `POST /app/x HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nCookie: ${aliceCookie}\r\n`
  for (const pieces of [
    [`${head}Content-Length: 5\r\n\r\n`, 'hel', 'lo'], [`${head}Content-Length: 5\r\n\r\nh`, 'ello'],
    [`${head}Transfer-Encoding: chunked\r\n\r\n`, '5\r\nhello\r\n', '0\r\n\r\n'], [`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`],
  ]) {
    const { status } = await sendRaw(proxy.port, pieces, { until: oneAnswer })
    t.same([status, proxy.recorder.requests.at(-1)?.body], [200, 'hello'], JSON.stringify(pieces.slice(1)))
  }
})

t.test('W5 however often it is asked for on one connection, nothing piles up', async t => {
  const warnings: string[] = []
  const heard = (warning: Error): number => warnings.push(warning.message)
  process.on('warning', heard)
  t.teardown(() => process.off('warning', heard))
  const socket = connect(proxy.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  for (let asked = 0; asked < 30; asked++) {
    socket.write('GET /public/x HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n')
    t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 200/)
  }
  await new Promise(next => setImmediate(next))
  t.same(warnings, [])
})

t.test('W6 an upstream that does not upgrade answers like any other, and is closed', async t => {
  const table: readonly (readonly [name: string, bytes: string, status: number, ending: RegExp])[] = [
    ['426', 'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 4\r\nX-Why: x\r\n\r\nnope', 426, /X-Why: x[^]*\r\n\r\nnope$/],
    ['401', 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\nSet-Cookie: ory_kratos_session=x\r\n\r\nnope', 401, /\r\n\r\nnope$/],
    ['200 in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n', 200, /2\r\nok\r\n0\r\n\r\n$/],
    ['200 and bytes after it', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond', 200, /\r\n\r\nok$/],
    ['garbage', 'what?\r\n\r\n', 502, /./],
    ['wrong accept', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\nraw', 502, /./],
    ['no accept', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nraw', 502, /./],
    ['another protocol', `HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\nraw`, 502, /./],
    ['silence', '', 504, /./],
  ]
  for (const [name, bytes, status, ending] of table) {
    proxy.recorder.behave({ answer: socket => socket.write(bytes) })
    const { text, statuses, end } = await sendRaw(proxy.port, handshake('/app/ws'), { waitMs: 4000 })
    t.same(statuses, [status], name)
    t.match(text, ending, name)
    t.notMatch(text, /raw|ory_kratos_session/, name)
    t.equal(end, 'end', `${name}: closed`)
  }
  const down = await start({ upstream: { origin: 'http://127.0.0.1:1' } })
  t.teardown(() => down.close())
  t.equal((await sendRaw(down.port, handshake('/app/ws'), { waitMs: 3000 })).status, 502)
})

t.test('W7 paths and hosts get the same verdict', async t => {
  const table: readonly (readonly [target: string, host: string, status: number])[] = [
    ['/public/../app/ws', 'app.test', 400], ['/public/..%2fapp/ws', 'app.test', 400], ['/public/..\\app', 'app.test', 400], ['/%2561pp/ws', 'app.test', 400],
    ['/public/..;/app', 'app.test', 400], ['/app#', 'app.test', 400], ['http://evil.test/app/ws', 'app.test', 400], ['http://[::1/', 'app.test', 400], ['*', 'app.test', 400],
    ['/nothing', 'app.test', 404], ['/app/ws', 'app.test@evil.test', 400], ['/app/ws', 'a, b', 400], ['/app/ws', '', 400], ['/app/ws', 'app.test\r\nHost: app.test', 400],
  ]
  for (const [target, host, status] of table) {
    const answer = await sendRaw(proxy.port, handshake(target, { Host: host }), { waitMs: 3000 })
    t.equal(answer.status, status, `${target} at ${host}`)
    t.same(proxy.recorder.requests, [])
  }
  proxy.recorder.behave(accepting)
  await send(handshake('//app//%77s'), tunnelled)
  t.equal(proxy.recorder.requests[0]?.target, '/app/ws')
})

/** Opens a tunnel and hands over the client's end of it. */
function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(handshake('/app/ws')))
    let text = ''
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1')
      if (!tunnelled(text)) return
      socket.off('data', onData)
      socket.pause()
      resolve(socket)
    }
    socket.on('data', onData)
    socket.on('error', reject)
  })
}

async function until(condition: () => boolean | Promise<boolean>, ms = 3000): Promise<void> {
  const deadline = Date.now() + ms
  while (!await condition()) {
    if (Date.now() > deadline) throw new Error('it never came true')
    await new Promise(next => setTimeout(next, 10))
  }
}

t.test('W8 whoever goes, takes the other along', async t => {
  const child = await startProcess({})
  t.teardown(() => child.close())

  for (let round = 0; round < 100; round++) {
    child.recorder.behave(round % 2 === 0 ? accepting : { answer: (socket, request) => {
      accepting.answer?.(socket, request)
      setTimeout(() => socket.resetAndDestroy(), round % 20)
    } })
    await Promise.all([0, 5, 10, 15, 20].map(ms => new Promise<void>(gone => {
      const socket = connect(child.port, '127.0.0.1', () => socket.write(handshake('/app/ws')))
      socket.on('error', () => undefined)
      socket.on('close', () => gone())
      socket.resume()
      setTimeout(() => socket.resetAndDestroy(), ms)
    })))
    child.assertAlive()
  }
  await until(() => child.recorder.openConnections() === 0)
  t.pass('500 resets, no connection left upstream')

  // A client that takes nothing: the upstream is held up instead of the gateway filling up.
  let written = 0
  let upstream: Socket | undefined
  child.recorder.behave({ answer: (socket, request) => {
    accepting.answer?.(socket, request)
    upstream = socket
  } })
  const slow = await open(child.port)
  const before = await child.rss()
  const chunk = Buffer.alloc(64 * 1024)
  const pump = (): void => {
    while (upstream?.writable && written < 200 * 1024 * 1024) {
      written += chunk.length
      if (!upstream.write(chunk)) {
        upstream.once('drain', pump)
        return
      }
    }
  }
  pump()
  await until(() => (upstream?.writableLength ?? 0) > 0 && upstream?.writableNeedDrain === true)
  let last = -1
  await until(async () => {
    const same = last === written
    last = written
    await new Promise(next => setTimeout(next, 200))
    return same
  })
  t.ok(written < 100 * 1024 * 1024, `${written} bytes were taken`)
  t.ok(await child.rss() - before < 30 * 1024 * 1024)
  slow.destroy()
  await until(() => child.recorder.openConnections() === 0)
})

t.test('W8 one direction that ends ends the tunnel in the end, bytes under way included', async t => {
  let received = ''
  proxy.recorder.behave({ answer: (socket, request) => {
    accepting.answer?.(socket, request)
    socket.on('data', chunk => { received += chunk.toString('latin1') })
    socket.on('end', () => socket.end('bye'))
  } })
  const socket = await open(proxy.port)
  let text = ''
  socket.on('data', chunk => { text += chunk.toString('latin1') })
  socket.resume()
  socket.end('last words')
  await new Promise(closed => socket.once('close', closed))
  t.equal(text, 'bye')
  t.match(received, /last words$/)
  await until(() => proxy.recorder.openConnections() === 0)
})

t.test('W10 at the end all tunnels are closed and new ones refused', async t => {
  const ending = await start()
  t.teardown(() => ending.close())
  ending.recorder.behave(accepting)
  const sockets = await Promise.all(Array.from({ length: 50 }, () => open(ending.port)))
  ending.upgrader.close()
  await Promise.all(sockets.map(socket => new Promise(closed => socket.resume().once('close', closed))))
  t.equal((await sendRaw(ending.port, handshake('/app/ws'), { waitMs: 3000 })).status, 503)
  await until(() => ending.recorder.openConnections() === 0)
})

t.test('an idle tunnel is not cut', async t => {
  const impatient = await start({ read: 300, write: 300 })
  t.teardown(() => impatient.close())
  impatient.recorder.behave(accepting)
  const socket = await open(impatient.port)
  socket.resume()
  const ended = new Promise(closed => socket.once('close', () => closed('cut')))
  t.equal(await Promise.race([ended, new Promise(idle => setTimeout(() => idle('idle'), 1500))]), 'idle')
  socket.destroy()
})
