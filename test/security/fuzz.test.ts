/**
 * Mutations of well and badly formed requests: whatever comes out, the gateway lives, the upstream sees only its word, and nobody gets
 * another's answer (security S24, L8). `FUZZ_REQUESTS=24000` makes a long run of it, `SEED` the same one again.
 */
import t from 'tap'

import { foldName } from '../../src/proxy/field-names.js'
import { isAlive } from '../helpers/child.js'
import { grouped, lengthOf, tellFigure } from '../helpers/figure.js'
import { signUp } from '../helpers/flows.js'
import type { TestGateway } from '../helpers/gateway.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { inspected, openInspector } from '../helpers/inspector.js'
import { random, seed } from '../helpers/random.js'
import { sendRaw } from '../helpers/raw.js'
import { startRecorder, type RecordedRequest } from '../helpers/recorder.js'
import { newVisitor } from '../helpers/visitor.js'

const requests = lengthOf('FUZZ_REQUESTS', 4_000)
const batch = 40
const mebibyte = 1 << 20

/** Of somebody who is logged in; each request has a mark of its own in its target, `~`. */
const corpus = (cookie: string): string[] => [
  'GET /public/~ HTTP/1.1\r\nHost: app.test\r\n\r\n',
  `GET /app/~?a=b HTTP/1.1\r\nHost: app.test\r\n${cookie}\r\nX-User: mallory\r\nConnection: close, X-User\r\n\r\n`,
  `POST /app/~ HTTP/1.1\r\nHost: app.test\r\n${cookie}\r\nContent-Length: 5\r\n\r\nhello`,
  `DELETE /app/~ HTTP/1.1\r\nHost: app.test\r\n${cookie}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  `POST /public/~ HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nX_User: mallory\r\n\r\n30\r\nGET /admin HTTP/1.1\r\nHost: a\r\nX-User: mallory\r\n\r\n\r\n0\r\n\r\n`,
  'POST /public/~ HTTP/1.1\r\nHost: app.test\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG',
  `GET /app/~ HTTP/1.1\r\nHost: app.test\r\n${cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  `GET /app/~ HTTP/1.1\r\nHost: app.test\r\n${cookie}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n`,
  'POST /public/~ HTTP/1.1\r\nHost: app.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello',
  'GET http://app.test/public/%61/~ HTTP/1.1\r\nHost: app.test\r\n\r\n',
]
const pieces = [
  '\r\n', '\n', '\r', '\0', ' ', '\t', ':', ',', ';', '%2f', '%2e', '..', '//', '\\', '#', '?', '*', '\xff', '\xc0\xaf', 'chunked', '0\r\n\r\n', '-1', '5',
  'X-User: mallory\r\n', 'x.user: mallory\r\n', 'Transfer-Encoding: chunked\r\n', 'Content-Length: 0\r\n', 'Content-Length: 5\r\n', 'Connection: x-user\r\n', 'Upgrade: websocket\r\n',
  'Host: evil.test\r\n', 'HTTP/1.0', 'HTTP/2.0', 'POST', 'HEAD', 'OPTIONS', 'CONNECT', 'GET /public/y HTTP/1.1\r\nHost: app.test\r\n\r\n',
]
const marks = /~[0-9a-z]{8}~/g

t.test(`S24 L8 ${requests} mutations with seed ${seed}`, async t => {
  const recorder = await startRecorder()
  t.teardown(() => recorder.close())
  const rule = (path: string, authenticator: string, headers: object): object => ({
    id: path, upstream: { url: recorder.origin }, match: { url: `<https?>://app.test/${path}/<.*>`, methods: ['GET', 'POST', 'DELETE', 'HEAD', 'OPTIONS'] },
    authenticators: [{ handler: authenticator }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'header', config: { headers } }],
  })
  const gateway = await startGatewayProcess(t, {
    config: { serve: { public: { timeout: { read: '2s' } } }, proxy: { timeout: { response: '5s' } }, log: { level: 'warn' } },
    env: inspected,
    rules: [rule('public', 'anonymous', {}), rule('app', 'cookie_session', { 'X-User': '{{ print .Subject }}' })],
  })
  const { pid } = gateway
  const inspector = await openInspector(t, gateway)
  const port = Number(new URL(gateway.url).port)
  const alice = newVisitor()
  await signUp(alice, gateway as unknown as TestGateway, 'alice')
  const [identity] = (await newVisitor().fetch(`${gateway.adminUrl}/identities`)).json() as { id: string }[]
  const originals = corpus(`Cookie: ory_kratos_session=${alice.jar.get('ory_kratos_session')?.value}`)

  const next = random(seed)
  const below = (limit: number): number => Math.floor(next() * limit)
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T

  function mutant(mark: string): string {
    let bytes = pick(originals)
    for (let times = 1 + below(3); times > 0; times--) {
      const at = below(bytes.length)
      const kind = below(5)
      if (kind === 0) bytes = bytes.slice(0, at) + pick(pieces) + bytes.slice(at)
      else if (kind === 1) bytes = bytes.slice(0, at) + bytes.slice(at + 1 + below(4))
      else if (kind === 2) bytes = bytes.slice(0, at) + String.fromCharCode(below(256)) + bytes.slice(at + 1)
      else if (kind === 3) bytes = bytes + pick(originals)
      else {
        const lines = bytes.split('\r\n')
        lines.splice(below(lines.length), 0, pick(lines))
        bytes = lines.join('\r\n')
      }
    }
    return bytes.replaceAll('~', mark)
  }

  /** Which of an upstream's requests the gateway can not have meant. */
  const ids = new Set<string>()
  const marksSent = new Set<string>()
  function isForeign({ target, fields }: RecordedRequest): boolean {
    const valuesOf = (folded: string): string[] => fields.filter(([name]) => foldName(name) === folded).map(([, value]) => value)
    const [id = '', ...more] = valuesOf('xrequestid')
    const isNew = id !== '' && more.length === 0 && !ids.has(id)
    ids.add(id)
    const path = target.split('?', 1)[0] ?? ''
    const users = path.startsWith('/public/') ? '' : path.startsWith('/app/') ? identity?.id : undefined
    const wasSent = (target.match(marks) ?? []).every(mark => marksSent.has(mark))
    return !isNew || valuesOf('xuser').join() !== users || !wasSent
  }

  const wellFormed = (mark: string): string => `GET /public/${mark} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n`
  const count = { forwarded: 0, smuggled: 0, crossed: 0, unanswered: 0, good: 0 }
  const before = await inspector.memory()
  for (let done = 0; done < requests; done += batch) {
    const sent = Array.from({ length: batch }, (_, at) => {
      const mark = `~${(done + at).toString(36).padStart(8, '0')}~`
      marksSent.add(mark)
      return { mark, bytes: at === 0 ? wellFormed(mark) : mutant(mark) }
    })
    recorder.reset()
    recorder.behave({ answer(socket, { method, target }) {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${method === 'HEAD' ? '' : target}`)
    } })
    await Promise.all(sent.map(async ({ mark, bytes }, at) => {
      const { text } = await sendRaw(port, below(4) === 0 ? [bytes.slice(0, 20), bytes.slice(20)] : bytes, { waitMs: at === 0 ? 5_000 : 60 })
      const others = (text.match(marks) ?? []).filter(one => one !== mark)
      if (others.length > 0) {
        count.crossed += 1
        t.fail(`the answer for ${others.join()} came to ${JSON.stringify(bytes)}`)
      }
      if (at !== 0) return
      count.good += 1
      if (!text.startsWith('HTTP/1.1 200 ') || !text.endsWith(`/public/${mark}`)) {
        count.unanswered += 1
        t.fail(`a good request was answered with ${JSON.stringify(text)}`)
      }
    }))

    count.forwarded += recorder.requests.length
    const foreign = recorder.requests.filter(isForeign)
    count.smuggled += foreign.length + recorder.malformed.length
    if (foreign.length + recorder.malformed.length > 0) t.fail(`${JSON.stringify([...foreign, ...recorder.malformed])} out of ${JSON.stringify(sent)}`)
    if (gateway.pid !== pid || !isAlive(pid)) break
    if (done % (batch * 100) === 0) t.comment(`progress ${grouped(done)} requests`)
  }
  const crashes = isAlive(pid) && !gateway.output.join('').includes('"level":"fatal"') ? 0 : 1
  const broken = gateway.output.join('').split('\n').filter(line => line.includes('"error":"internal_error"'))
  const after = crashes === 0 ? await inspector.memory() : before
  const growth = (after.live - before.live) / mebibyte
  tellFigure(t, 'L8', `${grouped(requests)} malformed requests over raw sockets`, [
    `${crashes} crashes`, `${broken.length} times 500`, `${count.smuggled} smuggled of ${grouped(count.forwarded)} that reached the upstream`,
    `${count.crossed} answers crossed`, `${count.unanswered} of ${grouped(count.good)} good requests among them failed`, `live memory +${growth.toFixed(1)} MiB`,
  ].join('; '))
  t.equal(crashes, 0, 'the process lives')
  if (crashes > 0) t.comment(gateway.output.join('').slice(-4_000))
  t.match(count, { smuggled: 0, crossed: 0, unanswered: 0 })
  t.strictSame(broken.slice(0, 1), [], 'nothing is answered with 500')
  t.ok(count.forwarded > requests / 10, `${count.forwarded} of them were requests`)
  t.ok(growth < 20, `memory stays: ${growth} MiB`)
})
