/**
 * X1, X2, L6: while Redis is gone or frozen nobody passes who should be asked for, all else goes on, and it ends by itself.
 * `OUTAGE_MS=10000` makes a long run of it.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'

import { grouped, lengthOf, quantile, tellFigure } from '../helpers/figure.js'
import { begin, goodPassword, logIn, open, signUp, type OpenForm } from '../helpers/flows.js'
import { startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { redisSkip, startRedis, type TestRedis } from '../helpers/redis.js'
import { newVisitor, type Visitor } from '../helpers/visitor.js'

const clientsPerRoute = 4
const pauseMs = 20
const beforeMs = 500
const outageMs = lengthOf('OUTAGE_MS', 3_000)
const backWithinMs = 2_000
const answerWithinMs = 1_000

interface Answered {
  readonly route: string
  /** Milliseconds of the test's clock. */
  readonly sentAt: number
  readonly tookMs: number
  readonly status: number
  readonly retryAfter: string | undefined
  /** Whom the upstream was told of; absent when it was not asked. */
  readonly user: string | undefined
}

interface Route {
  readonly name: string
  readonly visitor: Visitor
  readonly url: string
}

/** A gateway over Redis before an upstream that says whom it was told of. */
async function gatewayOver(t: Test, redis: TestRedis): Promise<TestGateway> {
  const upstream = createServer((req, res) => { res.setHeader('x-told', String(req.headers['x-user'] ?? 'nobody')).end('ok') })
  await new Promise<void>(listening => { upstream.listen(0, '127.0.0.1', listening) })
  t.teardown(() => {
    upstream.closeAllConnections()
    upstream.close()
  })
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const rule = (path: string, authenticators: readonly object[]): object => ({
    id: path, upstream: { url: origin }, match: { url: `<https?://[^/]+>/${path}`, methods: ['GET'] }, authenticators,
    authorizer: { handler: 'allow' }, mutators: [{ handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}' } } }],
  })
  const enabled = { enabled: true }
  return startTestGateway(t, {
    config: {
      dsn: redis.url, secrets: { session: ['0123456789abcdef0123456789abcdef'] },
      authenticators: { cookie_session: enabled, anonymous: enabled }, authorizers: { allow: enabled },
      mutators: { header: { enabled: true, config: { headers: {} } } },
    },
    rules: [
      rule('public', [{ handler: 'anonymous' }]),
      rule('members', [{ handler: 'cookie_session' }]),
      rule('greeting', [{ handler: 'cookie_session', optional: true }, { handler: 'anonymous' }]),
    ],
  })
}

/** Clients that ask for every route again and again until told to stop. */
function crowd(routes: readonly Route[]): { stop(): Promise<Answered[]> } {
  const answers: Answered[] = []
  let stopped = false
  async function client({ name, visitor, url }: Route): Promise<void> {
    while (!stopped) {
      const sentAt = performance.now()
      const { status, headers } = await visitor.send(url)
      answers.push({
        route: name, sentAt, tookMs: performance.now() - sentAt, status,
        retryAfter: headers['retry-after'] as string | undefined, user: headers['x-told'] as string | undefined,
      })
      await pause(pauseMs)
    }
  }
  const clients = routes.flatMap(route => Array.from({ length: clientsPerRoute }, () => client(route)))
  return {
    async stop() {
      stopped = true
      await Promise.all(clients)
      return answers
    },
  }
}

interface Fault {
  /** What befalls Redis. */
  readonly name: string
  readonly begin: (redis: TestRedis) => Promise<void>
  readonly end: (redis: TestRedis) => Promise<void>
}

async function outage(t: Test, fault: Fault): Promise<void> {
  // `always`: who signed up moments ago is in the file when Redis is killed.
  const redis = await startRedis(t, { args: ['--appendfsync', 'always'] })
  const gateway = await gatewayOver(t, redis)
  const ann = newVisitor()
  await signUp(ann, gateway, 'ann')
  const nobody = newVisitor()
  const routes = [
    { name: 'public', visitor: nobody, url: `${gateway.url}/public` },
    { name: 'public as ann', visitor: ann, url: `${gateway.url}/public` },
    { name: 'members', visitor: ann, url: `${gateway.url}/members` },
    { name: 'greeting', visitor: ann, url: `${gateway.url}/greeting` },
    { name: 'greeting for nobody', visitor: nobody, url: `${gateway.url}/greeting` },
  ]
  const subject = (await ann.send(`${gateway.url}/members`)).headers['x-told']
  t.match(subject, /^[0-9a-f-]{36}$/)

  const late = newVisitor()
  const form = await open(late, gateway, 'login')

  const { stop } = crowd(routes)
  await pause(beforeMs)
  const from = performance.now()
  await fault.begin(redis)
  const refused = await duringOutage(t, gateway, late, form)
  await pause(Math.max(0, from + outageMs - performance.now()))
  const returned = performance.now()
  await fault.end(redis)
  const working = performance.now()
  const backAt = await whenBack(ann, gateway, working)
  await pause(beforeMs)
  const answers = await stop()

  t.ok(backAt - working < backWithinMs, `back ${Math.round(backAt - working)} ms after Redis is`)
  t.ok(refused, 'all that self-service answered was 503')
  t.strictSame(unfit(answers, String(subject)).slice(0, 3), [], `${answers.length} answers, each the right one or 503`)

  const during = answers.filter(({ sentAt, tookMs }) => sentAt > from && sentAt + tookMs < returned)
  const routesOfOwn = ['members', 'greeting']
  const asked = during.filter(({ route }) => routesOfOwn.includes(route))
  // Sessions that were looked up before may be believed for a moment (`freshMs` of redis-invalidations).
  t.ok(asked.filter(({ sentAt }) => sentAt > from + answerWithinMs).every(({ status }) => status === 503), 'protected routes are closed')
  t.ok(asked.filter(({ status }) => status === 503).length > 20, `${asked.filter(({ status }) => status === 503).length} times 503`)
  t.ok(answers.every(({ status, retryAfter }) => status !== 503 || retryAfter === '1'), 'each 503 says when to come again')
  t.ok(during.every(({ tookMs }) => tookMs < answerWithinMs), `the slowest answer took ${Math.round(Math.max(...during.map(({ tookMs }) => tookMs)))} ms`)
  const open200 = answers.filter(({ route }) => !routesOfOwn.includes(route))
  t.ok(open200.length > 100 && open200.every(({ status }) => status === 200), `${open200.length} answers of routes that ask for no session are 200`)
  const passedLast = Math.max(from, ...asked.filter(({ status }) => status === 200).map(({ sentAt }) => sentAt))
  const p99 = (when: (one: Answered) => boolean): number => Math.round(quantile(open200.filter(when).map(({ tookMs }) => tookMs), 0.99))
  tellFigure(t, 'L6', `Redis ${fault.name} for ${outageMs / 1000} s under load`, [
    `protected routes 503 after ${Math.round(passedLast - from)} ms, ${grouped(asked.filter(({ status }) => status === 503).length)} times, never anonymous`,
    `slowest answer ${Math.round(Math.max(...during.map(({ tookMs }) => tookMs)))} ms`,
    `public routes ${grouped(open200.length)} of ${grouped(open200.length)} times 200, p99 ${p99(({ sentAt }) => sentAt < from)} ms before and ${p99(one => during.includes(one))} ms meanwhile`,
    `back ${Math.round(backAt - working)} ms after Redis`,
  ].join('; '))
  t.ok(answers.some(({ sentAt, status, route }) => sentAt > backAt && status === 200 && route === 'members'), 'afterwards members pass')

  const again = newVisitor()
  await logIn(again, gateway, 'ann')
  t.equal((await again.send(`${gateway.url}/members`)).headers['x-told'], subject, 'the same people as before can log in')
  const bob = newVisitor()
  await signUp(bob, gateway, 'bob')
  t.equal((await bob.send(`${gateway.url}/members`)).status, 200, 'and new ones sign up')
}

/** What could not have been right at any time: an anonymous member, somebody else, a failure of another kind. */
function unfit(answers: readonly Answered[], subject: string): Answered[] {
  const expected: Readonly<Record<string, string>> = { members: subject, greeting: subject }
  return answers.filter(({ route, status, user }) => {
    if (status === 503) return user !== undefined
    return status !== 200 || user !== (expected[route] ?? 'anonymous')
  })
}

/** What the gateway's own endpoints answer meanwhile; whether self-service refused everything, in time. */
async function duringOutage(t: Test, gateway: TestGateway, late: Visitor, { action, csrf }: OpenForm): Promise<boolean> {
  const alive = await newVisitor().fetch(`${gateway.adminUrl}/health/alive`)
  t.equal(alive.status, 200, 'alive')
  const ready = await newVisitor().fetch(`${gateway.adminUrl}/health/ready`)
  t.equal(ready.status, 503, 'not ready')
  t.match(ready.json(), { errors: { store: /./ } })

  const asking = [
    () => newVisitor().visit(`${gateway.publicUrl}/auth/browser/registration`),
    () => newVisitor().visit(`${gateway.publicUrl}/auth/browser/login`),
    () => late.submit(action, { csrf_token: csrf, identifier: 'ann', password: goodPassword }),
    () => newVisitor().fetch(`${gateway.adminUrl}/identities`),
  ]
  let refused = true
  for (const ask of asking) {
    const from = performance.now()
    const { status, headers, text } = await ask()
    const tookMs = performance.now() - from
    if (status === 503 && headers['retry-after'] === '1' && tookMs < answerWithinMs) continue
    refused = false
    t.comment(`${status} after ${Math.round(tookMs)} ms: ${text}`)
  }
  return refused
}

/** When a member passes and the gateway says that it is ready. */
async function whenBack(ann: Visitor, gateway: TestGateway, since: number): Promise<number> {
  while (performance.now() < since + 10_000) {
    const [{ status }, ready] = await Promise.all([ann.send(`${gateway.url}/members`), newVisitor().fetch(`${gateway.adminUrl}/health/ready`)])
    if (status === 200 && ready.status === 200) return performance.now()
    await pause(pauseMs)
  }
  throw new Error('members never passed again')
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => { setTimeout(resolve, ms) })
}

t.test('X1 L6 Redis killed: protected routes are 503 and never anonymous, public ones go on, and all is back with it', { skip: redisSkip },
  t => outage(t, { name: 'killed', begin: redis => redis.kill('SIGKILL'), end: redis => redis.restart() }))

t.test('X2 L6 Redis frozen: the same, when nothing refuses a connection', { skip: redisSkip },
  t => outage(t, { name: 'frozen', begin: redis => redis.kill('SIGSTOP'), end: redis => redis.kill('SIGCONT') }))

t.test('X1 with Redis down a flow that somebody begins is refused with a page, a script gets JSON', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const gateway = await gatewayOver(t, redis)
  await begin(newVisitor(), gateway, 'login')
  await redis.kill('SIGKILL')
  const page = await newVisitor().visit(`${gateway.publicUrl}/auth/browser/login`)
  t.match(page, { status: 503, headers: { 'content-type': /^text\/html/, 'retry-after': '1' }, text: /try again/ })
  const json = await newVisitor().fetch(`${gateway.publicUrl}/sessions/whoami`, { cookie: 'ory_kratos_session=forged' })
  t.equal(json.status, 401, 'a forged cookie needs no store')
})
