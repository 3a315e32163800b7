/**
 * L10, X16: memory stays where it is, whatever clients do. `SOAK_REQUESTS=1000000` makes a long run of it; a short one can
 * only tell of a leak that is large.
 */
import { once } from 'node:events'
import t, { type Test } from 'tap'
import WebSocket from 'ws'

import { sayBack, startApp } from '../helpers/app.js'
import { grouped, lengthOf, tellFigure } from '../helpers/figure.js'
import { signUp } from '../helpers/flows.js'
import type { TestGateway } from '../helpers/gateway.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { inspected, openInspector, type Memory } from '../helpers/inspector.js'
import { keptConnection, type KeptConnection } from '../helpers/kept-connection.js'
import { random, seed } from '../helpers/random.js'
import { redisSkip, startRedis } from '../helpers/redis.js'
import { newVisitor } from '../helpers/visitor.js'

const requests = lengthOf('SOAK_REQUESTS', 8_000)
const clients = 16
const samples = 50
/** Of so many requests one is a sign-up, and one a WebSocket; the rest is chosen by chance. */
const signUpEvery = 1_000
const socketEvery = 100
const mebibyte = 1 << 20
/** What may be added per 100,000 requests; in a run too short for that, in its second half. */
const slopeLimit = mebibyte
const shortRunLimit = 16 * mebibyte

const next = random(seed)

/** Answers at once; `/slow` late enough to be given up; a WebSocket is echoed. */
async function startUpstream(t: Test): Promise<string> {
  return startApp(t, (req, res) => {
    req.resume().on('end', () => {
      if (req.url === '/open/slow') setTimeout(() => { res.end('late') }, 20)
      else res.end('here')
    })
  }, sayBack)
}

/** A request that comes so often of a hundred, and the answer that is due; 0 for one that is given up. */
type Kind = readonly [weight: number, status: number, bytes: (cookie: string) => string]

const host = 'Host: app.test\r\n'
const kinds: readonly Kind[] = [
  [45, 200, () => `GET /open/x HTTP/1.1\r\n${host}\r\n`],
  [25, 200, cookie => `GET /members/x HTTP/1.1\r\n${host}Cookie: ${cookie}\r\n\r\n`],
  [10, 200, cookie => `POST /members/x HTTP/1.1\r\n${host}Cookie: ${cookie}\r\nContent-Length: 2048\r\n\r\n${'x'.repeat(2048)}`],
  [5, 401, () => `GET /members/x HTTP/1.1\r\n${host}\r\n`],
  [5, 401, () => `GET /members/x HTTP/1.1\r\n${host}Cookie: ory_kratos_session=forged${next()}\r\n\r\n`],
  [5, 404, () => `GET /nowhere/${next()} HTTP/1.1\r\n${host}\r\n`],
  [1, 400, () => `GET /open/../x HTTP/1.1\r\n${host}\r\n`],
  [4, 0, () => `GET /open/slow HTTP/1.1\r\n${host}\r\n`],
]

function chosenKind(): Kind {
  let at = next() * 100
  return kinds.find(([weight]) => (at -= weight) < 0) ?? kinds[0] as Kind
}

t.test(`L10 X16 ${requests} requests of all kinds leave memory where it is`, { skip: redisSkip }, async t => {
  const [redis, upstream] = await Promise.all([startRedis(t), startUpstream(t)])
  const rule = (path: string, authenticator: string): object => ({
    id: path, upstream: { url: upstream }, match: { url: `<https?://[^/]+>/${path}/<.*>`, methods: ['GET', 'POST'] },
    authenticators: [{ handler: authenticator }], authorizer: { handler: 'allow' },
    mutators: [{ handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}' } } }],
  })
  const started = await startGatewayProcess(t, {
    config: { dsn: redis.url, secrets: { session: ['0123456789abcdef0123456789abcdef'] }, log: { level: 'warn' } },
    rules: [rule('open', 'anonymous'), rule('members', 'cookie_session')],
    env: inspected,
  })
  const gateway = started as unknown as TestGateway
  const port = Number(new URL(gateway.url).port)
  const inspector = await openInspector(t, started)

  const cookies = [await newMember(gateway, 'first')]
  const wrong: string[] = []
  let sent = 0
  async function client(connection: KeptConnection, end: number): Promise<void> {
    while (sent < end) {
      const at = sent++
      if (at % signUpEvery === signUpEvery - 1) cookies[at / signUpEvery % 100 | 0] = await newMember(gateway, `member-${at}`)
      else if (at % socketEvery === 0) await echo(gateway)
      else {
        const [, status, bytes] = chosenKind()
        const answer = await connection.ask(bytes(cookies[Math.floor(next() * cookies.length)] ?? ''), status === 0 ? next() * 20 : undefined)
        if (status !== 0 && answer?.status !== status) wrong.push(`${status} was due, ${answer?.status ?? 'nothing'} came`)
      }
    }
  }

  const memory: Memory[] = []
  for (let sample = 1; sample <= samples; sample++) {
    const connections = Array.from({ length: clients }, () => keptConnection(port))
    await Promise.all(connections.map(connection => client(connection, Math.round(requests * sample / samples))))
    for (const connection of connections) connection.close()
    memory.push(await inspector.memory())
    if (sample % 10 === 0) t.comment(`progress ${grouped(sent)} requests, ${mebibytes(memory.at(-1)?.live)} MiB live, ${mebibytes(memory.at(-1)?.rss)} MiB resident`)
  }

  const settled = memory.slice(samples / 2)
  const perSample = { live: slope(settled.map(({ live }) => live)), rss: slope(settled.map(({ rss }) => rss)) }
  const per100k = (bytes: number): string => `${bytes < 0 ? '' : '+'}${(bytes * samples / requests * 100_000 / mebibyte).toFixed(2)}`
  const resources = settled.map(one => one.resources)
  tellFigure(t, 'L10', `${grouped(sent)} requests: open, with sessions, posts, refused, given up, ${grouped(sent / socketEvery)} WebSockets, ${grouped(sent / signUpEvery)} sign-ups`, [
    `after collection, by the second half: live memory ${per100k(perSample.live)} MiB per 100,000 requests at ${mebibytes(settled.at(-1)?.live)} MiB`,
    `resident ${per100k(perSample.rss)} MiB at ${mebibytes(settled.at(-1)?.rss)} MiB`,
    `open handles ${Math.min(...resources)} to ${Math.max(...resources)}`,
  ].join('; '))
  const limit = Math.max(slopeLimit * requests / 2 / 100_000, requests < 400_000 ? shortRunLimit : 0)
  t.strictSame(wrong.slice(0, 3), [], `seed ${seed}: each is answered as it should be`)
  t.ok(perSample.live * settled.length < limit, 'live memory is flat')
  t.ok(perSample.rss * settled.length < limit, 'resident memory is flat')
  t.ok(Math.max(...resources) <= Math.min(...resources) + clients, 'no handles are left open')
})

/** Somebody who has just signed up, by their cookie. */
async function newMember(gateway: TestGateway, name: string): Promise<string> {
  const visitor = newVisitor()
  const { status } = await signUp(visitor, gateway, name)
  if (status !== 302) throw new Error(`${name} could not sign up: ${status}`)
  return `ory_kratos_session=${visitor.jar.get('ory_kratos_session')?.value}`
}

/** A WebSocket that carries one message there and back; every other one is not closed, but reset. */
async function echo(gateway: TestGateway): Promise<void> {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/open/live`)
  await once(socket, 'open')
  socket.send('there?')
  await once(socket, 'message')
  if (next() < 0.5) socket.terminate()
  else socket.close()
  if (socket.readyState !== WebSocket.CLOSED) await once(socket, 'close')
}

/** Theil and Sen's: the median of the slopes between every two, which a few outliers do not move. */
function slope(values: readonly number[]): number {
  const slopes = values.flatMap((from, at) => values.slice(at + 1).map((to, further) => (to - from) / (further + 1)))
  return slopes.sort((a, b) => a - b)[slopes.length >> 1] ?? 0
}

function mebibytes(bytes = 0): string {
  return (bytes / mebibyte).toFixed(1)
}
