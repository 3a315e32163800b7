/** Message framing: whatever is sent, the upstream sees exactly the requests that were decided on, or none (security S). */
import t, { type Test } from 'tap'

import { aliceCookie, start, type GatewayUnderTest } from '../helpers/gateway-harness.js'
import { oneAnswer, sendRaw, type RawAnswer } from '../helpers/raw.js'

let proxy: GatewayUnderTest
t.before(async () => { proxy = await start({ read: 1500 }) })
t.teardown(() => proxy.close())
t.beforeEach(() => proxy.recorder.reset())

/** A request line, `Host` and these lines, then the body. */
function message(line: string, fields: readonly string[], body = ''): string {
  return [`${line} HTTP/1.1`, 'Host: app.test', ...fields, '', body].join('\r\n')
}

async function refused(t: Test, bytes: string | readonly string[], statuses: readonly number[], name: string): Promise<void> {
  proxy.recorder.reset()
  const answer = await sendRaw(proxy.port, bytes, { waitMs: 4000 })
  t.ok(statuses.includes(answer.status), `${name}: ${answer.status}, ${answer.end}`)
  t.equal(answer.statuses.length, 1, `${name}: one answer`)
  t.not(answer.end, 'open', `${name}: the connection is closed`)
  t.same(proxy.recorder.requests, [], `${name}: nothing upstream`)
}

t.test('S1 S2 both Content-Length and Transfer-Encoding', async t => {
  await refused(t, message('POST /public/x', ['Content-Length: 6', 'Transfer-Encoding: chunked'], '0\r\n\r\nG'), [400], 'CL.TE')
  await refused(t, message('POST /public/x', ['Transfer-Encoding: chunked', 'Content-Length: 4'], '5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n'), [400], 'TE.CL')
  t.ok(proxy.recorder.bytes.every(bytes => bytes === ''))
})

t.test('S3 S4 S5 transfer encodings other than chunked alone', async t => {
  const values = [
    'xchunked', 'identity', 'chunked, identity', 'chunked, chunked', '"chunked"', 'chunked;q=1', '\x0bchunked', 'chunked\x00', 'chunked\xa0', '', 'chunked,',
    'identity, chunked', 'gzip, chunked', ',chunked', 'x\r\nTransfer-Encoding: chunked',
  ]
  for (const value of values) {
    await refused(t, message('POST /public/x', [`Transfer-Encoding: ${value}`], '0\r\n\r\n'), [400], JSON.stringify(value))
  }
  await refused(t, message('POST /public/x', ['Transfer-Encoding : chunked'], '0\r\n\r\n'), [400], 'space before the colon')
  await refused(t, message('POST /public/x', ['Transfer-Encoding:\r\n chunked'], '0\r\n\r\n'), [400], 'folded')
  await refused(t, message('POST /public/x', ['X: y\nTransfer-Encoding: chunked'], '0\r\n\r\n'), [400], 'behind a bare LF')
  await refused(t, message('POST /public/x', ['X: y\rTransfer-Encoding: chunked'], '0\r\n\r\n'), [400], 'behind a bare CR')
  await refused(t, 'POST /public/x HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', [400], 'S5 in HTTP/1.0')
  t.ok(proxy.recorder.bytes.every(bytes => bytes === ''))
})

t.test('S6 Content-Length that is no number, or two', async t => {
  for (const value of ['+5', '0x5', '5 5', '5, 5', '5, 6', '-1', '', '5a', '18446744073709551621', '1_0', '5.0', '\xc2\xb2', '5\r\nContent-Length: 5', '5\r\nContent-Length: 6']) {
    await refused(t, message('POST /public/x', [`Content-Length: ${value}`], 'hello'), [400], JSON.stringify(value))
  }
  await refused(t, message('POST /public/x', ['Content-Length : 5'], 'hello'), [400], 'space before the colon')
})

t.test('S7 a body on DELETE is a body', async t => {
  const hidden = 'GET /admin HTTP/1.1\r\nHost: app.test\r\nX-User: mallory\r\n\r\n'
  for (const method of ['DELETE', 'POST', 'PROPFIND', 'LOCK']) {
    proxy.recorder.reset()
    const chunked = message(`${method} /public/x`, ['Transfer-Encoding: chunked'], `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`)
    const counted = message(`${method} /public/x`, [`Content-Length: ${hidden.length}`], hidden)
    for (const [count, bytes] of [[1, chunked], [2, counted]] as const) {
      const answer = await sendRaw(proxy.port, bytes, { until: oneAnswer })
      t.equal(answer.status, 200, method)
      t.equal(proxy.recorder.requests.length, count)
      t.equal(proxy.recorder.requests.at(-1)?.body, hidden)
    }
    t.same(proxy.recorder.leftovers, [])
  }
})

t.test('S8 S9 S17 too many or too large header fields', async t => {
  const hidden = 'GET /admin HTTP/1.1\r\nHost: app.test\r\nX-User: mallory\r\n\r\n'
  const body = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`
  await refused(t, message('GET /public/p', [...Array<string>(2001).fill('a:'), 'Transfer-Encoding: chunked'], body), [431], 'S8')
  await refused(t, message('GET /public/p', Array<string>(101).fill('a: b')), [431], 'S9')
  await refused(t, message('GET /public/p', [`a: ${'x'.repeat(20_480)}`]), [431], 'S17 field')
  await refused(t, message(`GET /public/${'x'.repeat(20_480)}`, []), [414, 431], 'S17 target')
  t.equal((await sendRaw(proxy.port, message('GET /public/p', [`a: ${'x'.repeat(9216)}`]), { until: oneAnswer })).status, 200)
  t.equal((await sendRaw(proxy.port, message('GET /public/p', Array<string>(99).fill('a: b')), { until: oneAnswer })).status, 200)
})

t.test('S10 chunk extensions', async t => {
  const post = (chunks: string): string => message('POST /public/x', ['Transfer-Encoding: chunked'], chunks)
  const answer = await sendRaw(proxy.port, post('5;a=b\r\nhello\r\n0\r\n\r\n'), { until: oneAnswer })
  t.equal(answer.status, 200)
  t.equal(proxy.recorder.requests[0]?.body, 'hello')
  t.notMatch(proxy.recorder.bytes.join(''), 'a=b')
  await refused(t, post(`5;${'x'.repeat(65_536)}\r\nhello\r\n0\r\n\r\n`), [413, 400], '64 KiB')
  await refused(t, post('5;a\nhello\r\n0\r\n\r\n'), [400], 'LF')
  await refused(t, post('5;a\rbhello\r\n0\r\n\r\n'), [400], 'CR')
})

t.test('S11 S12 chunks that are none end both connections', async t => {
  const post = (chunks: string): string => message('POST /public/x', ['Transfer-Encoding: chunked'], chunks)
  for (const size of ['0x5', '+5', '5 ', ' 5', '1'.repeat(17), '', '5\n']) await refused(t, post(`${size}\r\nhello\r\n0\r\n\r\n`), [400], JSON.stringify(size))
  for (const chunks of ['5\r\nhelloXX\r\n0\r\n\r\n', '5\r\nhello\n0\r\n\r\n', '5\r\nhello0\r\n\r\n', '5\r\nhello\r\n0\n\n']) {
    await refused(t, post(chunks), [400], JSON.stringify(chunks))
  }
  // The first chunk is good and on its way when the second turns out not to be.
  const opened = proxy.recorder.openConnections()
  const { statuses, end } = await sendRaw(proxy.port, [post('5\r\nhello\r\n'), 'zz\r\n'], { waitMs: 4000 })
  t.same([statuses, end], [[400], 'end'])
  t.same(proxy.recorder.requests, [])
  t.notMatch(proxy.recorder.bytes.join(''), /\r\n0\r\n\r\n/, 'the upstream never sees the end of it')
  await until(() => proxy.recorder.openConnections() <= opened)
})

t.test('S13 trailers are dropped', async t => {
  const post = (trailer: string): string => message('POST /public/x', ['Transfer-Encoding: chunked', 'Trailer: X-User'], `5\r\nhello\r\n0\r\n${trailer}\r\n\r\n`)
  const answer = await sendRaw(proxy.port, post('X-User: mallory'), { until: oneAnswer })
  t.equal(answer.status, 200)
  t.equal(proxy.recorder.requests[0]?.trailers, '')
  t.notMatch(proxy.recorder.bytes.join(''), /mallory|trailer/i)
  proxy.recorder.reset()
  const counted = await sendRaw(proxy.port, post('Content-Length: 50'), { waitMs: 4000, until: oneAnswer })
  t.ok([200, 400].includes(counted.status))
  t.notMatch(proxy.recorder.bytes.join(''), /content-length/i)
})

t.test('S14 line discipline', async t => {
  await refused(t, 'GET /public/x HTTP/1.1\nHost: app.test\n\n', [400], 'bare LF')
  await refused(t, 'GET /public/x HTTP/1.1\r\nHost: app.test\r\n\rX: y\r\n\r\n', [400], 'CR at the end of the head')
  for (const field of ['X\0: y', 'X: y\0z', 'X\x01: y', 'X: y\x01z', ': y', 'X y: z', 'no colon', ' X: y']) {
    await refused(t, message('GET /public/x', [field]), [400], JSON.stringify(field))
  }
  await refused(t, 'GET /public/x HTTP/1.1\r\n X: y\r\nHost: app.test\r\n\r\n', [400], 'space before the first field')
})

t.test('S15 versions', async t => {
  for (const version of ['HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/3.0']) {
    await refused(t, `GET /public/x ${version}\r\nHost: app.test\r\n\r\n`, [400, 505], version)
  }
  await refused(t, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400], 'preface')
  const { end, status } = await sendRaw(proxy.port, 'GET /public/x\r\n', { waitMs: 4000 })
  t.not(end, 'open', 'HTTP/0.9 is closed')
  t.ok([0, 400, 408].includes(status))
  t.same(proxy.recorder.requests, [])
})

t.test('S16 methods', async t => {
  await refused(t, message('TRACE /public/x', []), [405], 'TRACE')
  await refused(t, 'CONNECT app:80 HTTP/1.1\r\nHost: app:80\r\n\r\n', [405, 400], 'CONNECT')
  for (const method of ['FOO', 'get', 'GET\0', 'PURGE', 'M-SEARCH', 'SUBSCRIBE']) await refused(t, message(`${method} /public/x`, []), [400, 405], JSON.stringify(method))
  for (const method of ['PUT', 'PATCH', 'DELETE', 'MKCOL', 'REPORT']) {
    const answer = await sendRaw(proxy.port, message(`${method} /public/x`, []), { until: oneAnswer })
    t.equal(answer.status, 200, method)
    t.equal(proxy.recorder.requests.at(-1)?.method, method)
  }
})

t.test('S18 100 Continue is said after the decision', async t => {
  const denied = await sendRaw(proxy.port, message('POST /admin/x', ['Expect: 100-continue', 'Content-Length: 5']), { until: oneAnswer })
  t.same(denied.statuses, [401])

  const invited = await sendRaw(proxy.port, message('POST /public/x', ['Expect: 100-continue', 'Content-Length: 5']), { until: text => text.includes('100 Continue') })
  t.same(invited.statuses, [100])
  const whole = await sendRaw(proxy.port, message('POST /public/x', ['Expect: 100-Continue', 'Content-Length: 5'], 'hello'), { until: text => text.endsWith('ok') })
  t.same(whole.statuses, [100, 200])
  t.same(proxy.recorder.field('expect'), [])

  for (const value of ['y 100-continue', '100-continue, x', 'x']) {
    await refused(t, message('POST /public/x', [`Expect: ${value}`, 'Content-Length: 5'], 'hello'), [417], value)
  }
})

t.test('S19 pipelined requests are judged and answered one by one', async t => {
  const { text, statuses } = await sendRaw(proxy.port, message('GET /admin/x', []) + message('GET /public/second', []), { until: text => text.endsWith('ok') })
  t.same(statuses, [401, 200])
  t.match(text, /ok$/)
  t.same(proxy.recorder.requests.map(({ target }) => target), ['/public/second'])

  const malformed = await sendRaw(proxy.port, message('GET /public/first', []) + 'garbage\r\n\r\n', { waitMs: 4000 })
  t.same(malformed.statuses, [200, 400], 'the first answer comes before the refusal of the second')
})

t.test('S20 an early answer ends the upload, and its upstream connection', async t => {
  const early = await start()
  t.teardown(() => early.close())
  const answer413 = 'HTTP/1.1 413 Payload Too Large\r\nContent-Length: 4\r\n\r\nmany'
  early.recorder.behave({ head: (socket, { method }) => socket.write(method === 'POST' ? answer413 : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok') })

  const megabyte = 'x'.repeat(1024 * 1024)
  const head = message('POST /public/x', [`Content-Length: ${10 * megabyte.length}`])
  const answer = await sendRaw(early.port, [head, ...Array<string>(9).fill(megabyte)], { until: text => text.endsWith('many') })
  t.equal(answer.status, 413)
  t.equal(answer.text.slice(-4), 'many')

  const next = await sendRaw(early.port, message('GET /public/next', []), { until: text => text.endsWith('ok') })
  t.equal(next.status, 200)
  t.equal(early.recorder.requests.find(({ method }) => method === 'GET')?.connection, 1, 'on another connection')
})

t.test('S20 an early answer is passed on although the upstream hangs up on the rest', async t => {
  const early = await start()
  t.teardown(() => early.close())
  early.recorder.behave({ head: socket => socket.write('HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nmany', () => socket.destroy()) })
  const megabyte = 'x'.repeat(1024 * 1024)
  for (let round = 0; round < 5; round++) {
    const answer = await sendRaw(early.port, [message('POST /public/x', [`Content-Length: ${10 * megabyte.length}`]), megabyte, megabyte, megabyte], { until: oneAnswer })
    t.equal(answer.status, 413)
  }
})

t.test('S21 S22 answers that are none are 502', async t => {
  const garbage: readonly (readonly [name: string, bytes: string])[] = [
    ['CL and TE', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
    ['garbage', 'what?\r\n\r\n'],
    ['40 KiB of header', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_960)}\r\nContent-Length: 0\r\n\r\n`],
    ['interim storm', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(5000)],
    ['101 unasked', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw'],
    ['control character in the reason', 'HTTP/1.1 999 we\x01ird\r\nContent-Length: 0\r\n\r\n'],
    ['control character in a value', 'HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n'],
    ['status 42', 'HTTP/1.1 42 Low\r\nContent-Length: 0\r\n\r\n'],
    ['status 099', 'HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n'],
  ]
  for (const [name, bytes] of garbage) {
    proxy.recorder.behave({ answer: socket => socket.write(Buffer.from(bytes, 'latin1')) })
    const answer = await sendRaw(proxy.port, message('GET /public/x', []), { until: oneAnswer })
    t.equal(answer.status, 502, name)
  }

  proxy.recorder.behave({ answer: socket => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo') })
  for (let round = 0; round < 3; round++) {
    const answer = await sendRaw(proxy.port, message('GET /public/x', []), { until: oneAnswer })
    t.match(answer.text, /one$/, 'never the second answer')
  }
})

t.test('S23 the verdict does not depend on segmentation', async t => {
  const cases: readonly (readonly [bytes: string, status: number])[] = [
    [message('POST /public/x', ['Content-Length: 6', 'Transfer-Encoding: chunked'], '0\r\n\r\nG'), 400],
    [message('POST /public/x', ['Transfer-Encoding: identity, chunked'], '0\r\n\r\n'), 400],
    [message('POST /public/x', ['Content-Length: 5, 5'], 'hello'), 400],
    [message('POST /public/x', ['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'), 200],
    [message('GET /public/x', ['X-User: mallory']), 200],
  ]
  for (const [bytes, status] of cases) {
    const verdict = async (pieces: readonly string[]): Promise<RawAnswer> => sendRaw(proxy.port, pieces, { until: oneAnswer })
    t.equal((await verdict([...bytes])).status, status, 'byte by byte')
    for (let at = 1; at < bytes.length; at += 3) {
      const answer = await verdict([bytes.slice(0, at), bytes.slice(at)])
      if (answer.status !== status) t.fail(`split at ${at}: ${answer.status} for ${JSON.stringify(bytes)}`)
    }
  }
  t.same(proxy.recorder.leftovers, [])
  t.notMatch(proxy.recorder.bytes.join(''), /mallory/)
})

t.test('S25 a body on GET, HEAD or OPTIONS needs a rule that allows it', async t => {
  const hidden = 'GET /admin HTTP/1.1\r\nHost: app.test\r\n\r\n'
  for (const method of ['GET', 'HEAD', 'OPTIONS']) {
    await refused(t, message(`${method} /public/x`, [`Content-Length: ${hidden.length}`], hidden), [400], method)
    await refused(t, message(`${method} /public/x`, ['Transfer-Encoding: chunked'], '0\r\n\r\n'), [400], `${method} chunked`)
    t.equal((await sendRaw(proxy.port, message(`${method} /public/x`, ['Content-Length: 0']), { until: oneAnswer })).status, 200)
  }

  const lenient = await start({ upstream: { bodyOnSafeMethods: true, keepAlive: false } })
  t.teardown(() => lenient.close())
  for (let round = 0; round < 2; round++) {
    const answer = await sendRaw(lenient.port, message('GET /public/x', ['Content-Length: 5'], 'hello'), { until: oneAnswer })
    t.equal(answer.status, 200)
  }
  t.same(lenient.recorder.requests.map(({ body, connection }) => [body, connection]), [['hello', 0], ['hello', 1]], 'each on its own connection')
  t.same(lenient.recorder.field('connection'), ['close'])
})

t.test('S7 S13 with a session, the identity header survives every body', async t => {
  const answer = await sendRaw(proxy.port, message('DELETE /app/x', [`Cookie: ${aliceCookie}`, 'Transfer-Encoding: chunked', 'X-User: mallory'], '3\r\nabc\r\n0\r\nX-User: mallory\r\n\r\n'), { until: oneAnswer })
  t.equal(answer.status, 200)
  t.same(proxy.recorder.field('x-user'), ['alice'])
})

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 3000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it never came true')
    await new Promise(next => setTimeout(next, 5))
  }
}
