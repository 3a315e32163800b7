/** Mutations of well and badly formed requests: whatever comes out, the gateway lives and the upstream sees only its word (security S24, L8). */
import t from 'tap'

import { foldName } from '../../src/proxy/field-names.js'
import { aliceCookie } from '../helpers/proxy-harness.js'
import { startProcess } from '../helpers/proxy-process.js'
import { sendRaw } from '../helpers/raw.js'

const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000)
const rounds = Number(process.env['FUZZ_ROUNDS'] ?? 4000)

/** mulberry32: the same numbers for the same seed. */
function random(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

const alice = `Cookie: ${aliceCookie}`
const corpus = [
  'GET /public/x HTTP/1.1\r\nHost: app.test\r\n\r\n',
  `GET /app/x?a=b HTTP/1.1\r\nHost: app.test\r\n${alice}\r\nX-User: mallory\r\nConnection: close, X-User\r\n\r\n`,
  `POST /app/x HTTP/1.1\r\nHost: app.test\r\n${alice}\r\nContent-Length: 5\r\n\r\nhello`,
  `DELETE /app/x HTTP/1.1\r\nHost: app.test\r\n${alice}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  `POST /public/x HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nX_User: mallory\r\n\r\n30\r\nGET /admin HTTP/1.1\r\nHost: a\r\nX-User: mallory\r\n\r\n\r\n0\r\n\r\n`,
  'POST /public/x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG',
  `GET /app/ws HTTP/1.1\r\nHost: app.test\r\n${alice}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  `GET /app/x HTTP/1.1\r\nHost: app.test\r\n${alice}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n`,
  'POST /public/x HTTP/1.1\r\nHost: app.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello',
  'GET http://app.test/public/%61/x HTTP/1.1\r\nHost: app.test\r\n\r\n',
]
const pieces = [
  '\r\n', '\n', '\r', '\0', ' ', '\t', ':', ',', ';', '%2f', '%2e', '..', '//', '\\', '#', '?', '*', '\xff', '\xc0\xaf', 'chunked', '0\r\n\r\n', '-1', '5',
  'X-User: mallory\r\n', 'x.user: mallory\r\n', 'Transfer-Encoding: chunked\r\n', 'Content-Length: 0\r\n', 'Content-Length: 5\r\n', 'Connection: x-user\r\n', 'Upgrade: websocket\r\n',
  'Host: evil.test\r\n', 'HTTP/1.0', 'HTTP/2.0', 'POST', 'HEAD', 'OPTIONS', 'GET /public/y HTTP/1.1\r\nHost: app.test\r\n\r\n',
]

t.test(`S24 ${rounds} mutations with seed ${seed}`, async t => {
  const proxy = await startProcess({ read: 400, response: 400 })
  t.teardown(() => proxy.close())
  const next = random(seed)
  const below = (limit: number): number => Math.floor(next() * limit)
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T

  function mutant(): string {
    let bytes = pick(corpus)
    for (let times = 1 + below(3); times > 0; times--) {
      const at = below(bytes.length)
      const kind = below(5)
      if (kind === 0) bytes = bytes.slice(0, at) + pick(pieces) + bytes.slice(at)
      else if (kind === 1) bytes = bytes.slice(0, at) + bytes.slice(at + 1 + below(4))
      else if (kind === 2) bytes = bytes.slice(0, at) + String.fromCharCode(below(256)) + bytes.slice(at + 1)
      else if (kind === 3) bytes = bytes + pick(corpus)
      else {
        const lines = bytes.split('\r\n')
        lines.splice(below(lines.length), 0, pick(lines))
        bytes = lines.join('\r\n')
      }
    }
    return bytes
  }

  const before = await proxy.rss()
  const batch = 40
  for (let round = 0; round < rounds; round += batch) {
    const sent = Array.from({ length: batch }, mutant)
    const seen = proxy.recorder.requests.length
    await Promise.all(sent.map(bytes => sendRaw(proxy.port, below(4) === 0 ? [bytes.slice(0, 20), bytes.slice(20)] : bytes, { waitMs: 60 })))
    proxy.assertAlive()

    for (const { target, fields } of proxy.recorder.requests.slice(seen)) {
      const users = fields.filter(([name]) => foldName(name) === 'xuser').map(([, value]) => value)
      const right = target.startsWith('/public/') ? [] : ['alice']
      if (users.join() !== right.join()) t.fail(`${target} as ${users.join()} out of ${JSON.stringify(sent)}`)
    }
    if (proxy.recorder.malformed.length > 0) {
      t.fail(`${JSON.stringify(proxy.recorder.malformed)} out of ${JSON.stringify(sent)}`)
      return
    }
  }
  t.ok(proxy.recorder.requests.length > rounds / 10, `${proxy.recorder.requests.length} of them were requests`)
  t.ok(await proxy.rss() - before < 60 * 1024 * 1024, 'memory stays')
})
