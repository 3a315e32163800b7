/** The parser of upstreams' answers: what it takes, what it refuses, and that it never takes what a stricter one refuses. */
import { request } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import fc from 'fast-check'
import t from 'tap'

import { GatewayError } from '../../src/errors.js'
import { createResponseParser } from '../../src/proxy/client/response-parser.js'

/** An answer as read from pieces of one connection, up to the end of it when `ended`. */
interface Read {
  readonly verdict: 'whole' | 'cut' | 'invalid'
  readonly status?: number
  readonly fields?: readonly string[]
  readonly body: string
  readonly keepAlive?: boolean
  /** Bytes behind the answer. */
  readonly left: number
}

function read(pieces: readonly Buffer[], { method = 'GET', ended = true } = {}): Read {
  let body = ''
  let over = false
  let head: { status: number, fields: readonly string[], keepAlive: boolean } | undefined
  let left = 0
  const parser = createResponseParser({
    onHead: ({ status, fields, keepAlive }) => { head = { status, fields, keepAlive } },
    onData: piece => { body += piece.toString('latin1') },
    onEnd: () => { over = true },
  })
  parser.begin(method)
  try {
    for (const piece of pieces) {
      if (over) left += piece.length
      else left += piece.length - parser.read(piece)
    }
    if (!over && ended) parser.end()
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'upstream_invalid') return { verdict: 'invalid', body, left, ...head }
    throw error
  }
  return { verdict: over ? 'whole' : 'cut', body, left, ...head }
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
const whole = (text: string, options?: Parameters<typeof read>[1]): Read => read([latin1(text)], options)

/** Every way to cut it in two, and byte by byte. */
function splits(text: string): readonly (readonly Buffer[])[] {
  const bytes = latin1(text)
  const halves = Array.from({ length: bytes.length + 1 }, (_, at) => [bytes.subarray(0, at), bytes.subarray(at)].filter(({ length }) => length > 0))
  return [...halves, [...bytes].map(byte => Buffer.of(byte))]
}

const answers: readonly (readonly [text: string, expected: Partial<Read>, method?: string])[] = [
  ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', { verdict: 'whole', status: 200, body: 'hello', keepAlive: true, left: 0, fields: ['Content-Length', '5'] }],
  ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!!', { verdict: 'whole', body: 'hello', left: 2 }],
  ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell', { verdict: 'cut', body: 'hell' }],
  ['HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', { verdict: 'whole', body: '' }],
  ['HTTP/1.1 200 \r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n', { verdict: 'whole', keepAlive: false }],
  ['HTTP/1.1 299 D\xe9j\xe0 vu\r\ncontent-LENGTH:  1 \r\nX:\t\r\nx:\ta:b \r\n\r\nz', { verdict: 'whole', body: 'z', fields: ['content-LENGTH', '1', 'X', '', 'x', 'a:b'] }],
  ['HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nz', { verdict: 'whole', keepAlive: false }],
  ['HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n\r\nz', { verdict: 'whole', keepAlive: true }],
  ['HTTP/1.1 200 OK\r\n\r\nuntil the end', { verdict: 'whole', body: 'until the end', keepAlive: false }],
  ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n', { verdict: 'whole', body: '', keepAlive: true }, 'HEAD'],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', { verdict: 'whole', body: '', keepAlive: true }, 'HEAD'],
  ['HTTP/1.1 200 OK\r\n\r\n', { verdict: 'whole', body: '', keepAlive: true }, 'HEAD'],
  ['HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello', { verdict: 'whole', body: '', left: 5 }],
  ['HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n', { verdict: 'whole', body: '' }],
  ['HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', { verdict: 'whole', status: 200, body: 'ok', fields: ['Content-Length', '2'] }],
  ['HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n00a;x;y=z;q="a b"\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n', { verdict: 'whole', body: 'hello0123456789', left: 0 }],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx', { verdict: 'whole', body: '', left: 1 }],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', { verdict: 'cut', body: 'hello' }],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n', { verdict: 'cut', body: 'hello' }],
]

t.test('answers are read alike in whatever pieces they come', async t => {
  for (const [text, expected, method = 'GET'] of answers) {
    const once = whole(text, { method })
    t.match(once, expected, JSON.stringify(text))
    for (const pieces of splits(text)) {
      const again = read(pieces, { method })
      if (JSON.stringify(again) !== JSON.stringify(once)) t.strictSame(again, once, `${JSON.stringify(text)} in ${pieces.length} pieces`)
    }
  }
})

const head = (...fields: readonly string[]): string => ['HTTP/1.1 200 OK', ...fields, '', ''].join('\r\n')
const chunked = (body: string): string => `${head('Transfer-Encoding: chunked')}${body}`

const refusals: readonly string[] = [
  // status lines
  'HTTP/1.2 200 OK\r\n\r\n', 'HTTP/2.0 200 OK\r\n\r\n', 'HTTP/0.9 200 OK\r\n\r\n', 'http/1.1 200 OK\r\n\r\n', 'HTTP/1.1  200 OK\r\n\r\n', 'HTTP/1.1 20 OK\r\n\r\n',
  'HTTP/1.1 2000 OK\r\n\r\n', 'HTTP/1.1 099 OK\r\n\r\n', 'HTTP/1.1 200OK\r\n\r\n', 'HTTP/1.1 200 O\x01K\r\n\r\n', 'HTTP/1.1\t200 OK\r\n\r\n', '\r\nHTTP/1.1 200 OK\r\n\r\n', 'what?\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(21),
  // lines and fields
  'HTTP/1.1 200 OK\n\n', 'HTTP/1.1 200 OK\r\nX: y\n\r\n', 'HTTP/1.1 200 OK\r\nX: y\r\r\n\r\n', 'HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n', 'HTTP/1.1 200 OK\r\nX: y\n\n',
  head('X : y'), head(' X: y'), head('X: y', ' z'), head('X: y', '\tz'), head('X y: z'), head(': y'), head('no colon'), head('X: a\0b'), head('X: a\x7fb'), head('X\0: y'), head('X\xe9: y'),
  'HTTP/1.1 200 OK\r\nX: y\r\n\rX\r\n\r\n', head(`X: ${'x'.repeat(33_000)}`), head(...Array<string>(501).fill('a: b')),
  // lengths
  head('Content-Length: 5', 'Content-Length: 5'), head('Content-Length: 5', 'content-length: 6'), head('Content-Length: 5, 5'), head('Content-Length: +5'), head('Content-Length: -1'),
  head('Content-Length: 0x5'), head('Content-Length: 5.0'), head('Content-Length: 5a'), head('Content-Length:'), head('Content-Length: 99999999999999999'), head('Content-Length: 5 5'), head('Content-Length:\t5'), head('Content-Length: 5\t'),
  // encodings
  head('Content-Length: 5', 'Transfer-Encoding: chunked'), head('Transfer-Encoding: chunked', 'Content-Length: 0'), head('Transfer-Encoding: gzip'), head('Transfer-Encoding: gzip, chunked'),
  head('Transfer-Encoding: chunked, chunked'), head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), head('Transfer-Encoding: identity'), head('Transfer-Encoding:'),
  head('Transfer-Encoding: "chunked"'), head('Transfer-Encoding: chunked;q=1'), head('Transfer-Encoding: chunked,'), head('Transfer-Encoding: xchunked'),
  'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  // chunks
  ...['0x5', '+5', '-5', '5 ', ' 5', '', 'g', '1'.repeat(13), '5;', '5; a', '5;a=', '5;a="', '5;a\x01', '5\t', '5;a=b c'].map(size => chunked(`${size}\r\nhello\r\n0\r\n\r\n`)),
  chunked('5\nhello\r\n0\r\n\r\n'), chunked('5\r\nhelloXX\r\n0\r\n\r\n'), chunked('5\r\nhello\n0\r\n\r\n'), chunked('5\r\nhello\r0\r\n\r\n'), chunked('5\r\nhello0\r\n\r\n'), chunked('0\n\n'),
  chunked('5;a\nhello\r\n0\r\n\r\n'), chunked('5;a\rb\r\nhello\r\n0\r\n\r\n'), chunked(`5;${'x'.repeat(5000)}\r\nhello`), chunked(`1;${'x'.repeat(4000)}\r\nz\r\n`.repeat(5)),
  chunked('0\r\nX y: z\r\n\r\n'), chunked('0\r\n X: y\r\n\r\n'), chunked('0\r\nContent-Length: 5\r\n\r\n'), chunked('0\r\nTransfer-Encoding: chunked\r\n\r\n'), chunked('0\r\nX: y\n\r\n'),
  chunked('0\r\nX\r\n\r\n'), chunked(`0\r\n${'X: y\r\n'.repeat(5000)}\r\n`),
]

t.test('what could be read in two ways is refused, in whatever pieces it comes', async t => {
  for (const text of refusals) {
    const label = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}...` : text)
    t.equal(whole(text).verdict, 'invalid', label)
    const bytes = latin1(text)
    t.equal(read([...bytes].map(byte => Buffer.of(byte))).verdict, 'invalid', `${label} byte by byte`)
  }
})

t.test('a head that can not become one is refused before it ends', async t => {
  for (const text of ['SSH-2.0', 'HTTP/2', 'HTTP/1.1 200 OK\nX', 'HTTP/1.1 200 OK\r\nX: y\n']) t.equal(whole(text, { ended: false }).verdict, 'invalid', text)
  t.equal(whole(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}`, { ended: false }).verdict, 'invalid', 'without an end')
})

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_125)
const numRuns = Number(process.env['FUZZ_ROUNDS'] ?? 400)

const corpus = [...answers.map(([text]) => text), ...refusals.filter(({ length }) => length < 300)]
const pieces = [
  '\r\n', '\n', '\r', '\0', ' ', '\t', ':', ',', ';', '"', '0', '5', 'a', 'X: y\r\n', ' z\r\n', '\r\n\r\n', '0\r\n\r\n', 'chunked', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.0', 'HTTP/2.0', '204', '304', '100',
  'Transfer-Encoding: chunked\r\n', 'Content-Length: 5\r\n', 'Content-Length: 0\r\n', 'Connection: close\r\n', '\xff', '\x7f',
]

const mutant = fc.tuple(
  fc.constantFrom(...corpus),
  fc.array(fc.tuple(fc.nat(), fc.nat(8), fc.oneof(fc.constantFrom(...pieces), fc.constant(''))), { maxLength: 3 }),
).map(([text, edits]) => edits.reduce((bytes, [place, cut, put]) => {
  const at = place % (bytes.length + 1)
  return bytes.slice(0, at) + put + bytes.slice(at + (cut > 4 ? 0 : cut))
}, text))

t.test(`mutated answers, seed ${seed}: llhttp never refuses what is taken, and reads the same body`, async t => {
  let answer = latin1('')
  const server = createServer(socket => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(answer))
  })
  await new Promise<void>(listening => { server.listen(0, '127.0.0.1', listening) })
  t.teardown(() => new Promise(closed => { server.close(closed) }))
  const { port } = server.address() as AddressInfo

  /** By llhttp, as node:http has it. */
  function byNode(): Promise<{ status: number | undefined, body: string } | undefined> {
    return new Promise(resolve => {
      const sent = request({ port, host: '127.0.0.1', agent: false, timeout: 2000 }, res => {
        let body = ''
        res.setEncoding('latin1').on('data', (piece: string) => { body += piece })
        res.on('error', () => resolve(undefined)).on('end', () => resolve({ status: res.statusCode, body }))
      })
      sent.on('error', () => resolve(undefined)).on('timeout', () => sent.destroy()).end()
    })
  }

  let taken = 0
  await fc.assert(fc.asyncProperty(mutant, fc.array(fc.nat(), { maxLength: 6 }), async (text, cuts) => {
    const bytes = latin1(text)
    const once = read([bytes])
    const places = [...new Set(cuts.map(cut => cut % (bytes.length + 1)))].toSorted((a, b) => a - b)
    const inPieces = [0, ...places].map((from, index) => bytes.subarray(from, [...places, bytes.length][index])).filter(({ length }) => length > 0)
    const again = read(inPieces)
    if (again.verdict !== once.verdict || (once.verdict !== 'invalid' && JSON.stringify(again) !== JSON.stringify(once))) {
      throw new Error(`pieces matter: ${JSON.stringify({ once, again })}`)
    }
    if (once.verdict !== 'whole') return
    taken++
    answer = bytes.subarray(0, bytes.length - once.left)
    const theirs = await byNode()
    if (theirs === undefined || theirs.status !== once.status || theirs.body !== once.body) throw new Error(JSON.stringify({ once, theirs }))
  }), { seed, numRuns })
  t.ok(taken > numRuns / 20, `${taken} of ${numRuns} were taken`)
})
