/**
 * X3: a Redis that answers late, or to which no byte gets through, delays who needs it by `store.timeout` at most, and nobody
 * else; nothing piles up, and all is back soon after Redis is fast again.
 */
import t, { type Test } from 'tap'

import { quantile, tellFigure } from '../helpers/figure.js'
import { signUp, whoAmI } from '../helpers/flows.js'
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js'
import { membersOver } from '../helpers/members.js'
import { redisSkip, startRedis } from '../helpers/redis.js'
import { startSlowProxy, type SlowProxy } from '../helpers/slow-proxy.js'
import { newVisitor, type Page, type Visitor } from '../helpers/visitor.js'

const slowMs = 200
/** `store.timeout` as it is by default. */
const timeoutMs = 500
const answerWithinMs = 1_000
const backWithinMs = 2_000
const askEveryMs = 20
const outageMs = 3_000
/** A round on which the machine took this long from the proxy says nothing about the gateway, and is repeated. */
const tooLateMs = 100

interface Place {
  readonly gateway: GatewayProcess
  readonly proxy: SlowProxy
  readonly ann: Visitor
}

interface Answered extends Page {
  readonly sentAt: number
  readonly tookMs: number
}

async function open(t: Test, config: Readonly<Record<string, unknown>> = {}): Promise<Place> {
  const redis = await startRedis(t)
  const proxy = await startSlowProxy(t, redis.port)
  const gateway = await startGatewayProcess(t, await membersOver(t, `redis://127.0.0.1:${proxy.port}`, config))
  const ann = newVisitor()
  await signUp(ann, gateway, 'ann')
  t.equal((await ann.send(`${gateway.url}/members`)).status, 200)
  return { gateway, proxy, ann }
}

async function timed(asking: () => Promise<Page>): Promise<Answered> {
  const sentAt = performance.now()
  const page = await asking()
  return { ...page, sentAt, tookMs: performance.now() - sentAt }
}

/** Asks every `askEveryMs`, whether or not anything was answered before: what the gateway does not finish piles up. */
function visitors(asking: () => Promise<Page>): { stop(): Promise<{ answers: Answered[], mostUnderWay: number }> } {
  const all: Promise<Answered>[] = []
  let underWay = 0
  let mostUnderWay = 0
  const timer = setInterval(() => {
    mostUnderWay = Math.max(mostUnderWay, ++underWay)
    all.push(timed(asking).finally(() => { underWay-- }))
  }, askEveryMs)
  return {
    async stop() {
      clearInterval(timer)
      return { answers: await Promise.all(all), mostUnderWay }
    },
  }
}

for (const [name, cacheEntries, commands] of [['asked for every session', 0, 2], ['that tells of changes to sessions kept in memory', 100, 0]] as const) {
  t.test(`X3 a Redis that takes 200 ms, ${name}, is waited for, and nothing is refused`, { skip: redisSkip }, async t => {
    const { gateway, proxy, ann } = await open(t, { session: { cache_entries: cacheEntries } })
    const inTime = commands * slowMs + timeoutMs

    async function round(): Promise<{ lateMs: number, answers: Answered[], mostUnderWay: number, everybody: Answered[] }> {
      await proxy.delay(slowMs)
      const members = visitors(() => ann.send(`${gateway.url}/members`))
      const everybody = visitors(() => newVisitor().send(`${gateway.url}/public`))
      await pause(2_000)
      const [outcome, { answers }] = await Promise.all([members.stop(), everybody.stop()])
      return { lateMs: await proxy.delay(slowMs), ...outcome, everybody: answers }
    }

    let held = await round()
    for (let repeats = 0; held.lateMs > tooLateMs && repeats < 5; repeats++) held = await round()
    const { answers, mostUnderWay, everybody } = held

    t.comment(`the proxy was at most ${Math.round(held.lateMs)} ms late`)
    t.ok(answers.length > 50, `${answers.length} asked for`)
    t.strictSame(counted(answers), { 200: answers.length }, 'members pass')
    t.ok(longest(answers) < inTime, `the longest took ${longest(answers)} ms, p50 ${median(answers)} ms`)
    t.ok(mostUnderWay <= inTime / askEveryMs, `${mostUnderWay} at once at most`)
    t.ok(cacheEntries === 0 ? median(answers) >= commands * slowMs : median(answers) < slowMs, 'as long as the commands take, no longer')
    t.strictSame(counted(everybody), { 200: everybody.length })
    t.ok(median(everybody) < slowMs, `everybody's took ${median(everybody)} ms`)

    const bob = newVisitor()
    await signUp(bob, gateway, 'bob')
    t.equal((await whoAmI(bob, gateway)).status, 200, 'people sign up meanwhile')
  })
}

interface Fault {
  readonly name: string
  readonly begin: (proxy: SlowProxy) => Promise<unknown>
}

const faults: readonly Fault[] = [
  { name: 'takes 700 ms, so that every command is given up but the connection lives', begin: proxy => proxy.delay(700) },
  { name: 'takes 2 s', begin: proxy => proxy.delay(2_000) },
  { name: 'is behind a network that drops every packet', begin: proxy => proxy.hold() },
]

for (const fault of faults) {
  t.test(`X3 L6 a Redis that ${fault.name}: 503 within a second where it is needed, public routes as ever, and all is back with it`, { skip: redisSkip }, async t => {
    const { gateway, proxy, ann } = await open(t, { session: { cache_entries: 0 } })
    const nobody = newVisitor()
    const before = await Promise.all([1, 2, 3].map(() => timed(() => nobody.send(`${gateway.url}/public`))))
    t.ok(before.every(({ status }) => status === 200))

    const members = visitors(() => ann.send(`${gateway.url}/members`))
    const everybody = visitors(() => newVisitor().send(`${gateway.url}/public`))
    await pause(300)
    await fault.begin(proxy)
    const from = performance.now()
    await pause(200)
    for (const asking of [() => whoAmI(ann, gateway), () => nobody.visit(`${gateway.publicUrl}/auth/browser/login`), () => nobody.fetch(`${gateway.adminUrl}/health/ready`)]) {
      const { url, status, headers, tookMs } = await timed(asking)
      t.equal(status, 503, new URL(url).pathname)
      t.ok(tookMs < answerWithinMs, `after ${Math.round(tookMs)} ms`)
      if (!url.endsWith('/ready')) t.equal(headers['retry-after'], '1')
    }
    t.equal((await nobody.fetch(`${gateway.adminUrl}/health/alive`)).status, 200, 'alive')
    await pause(Math.max(0, from + outageMs - performance.now()))

    const working = performance.now()
    await proxy.delay(0)
    const backAt = await whenBack(ann, gateway)
    await pause(500)
    const [outcome, { answers: publicly }] = await Promise.all([members.stop(), everybody.stop()])

    const during = outcome.answers.filter(({ sentAt, tookMs }) => sentAt > from && sentAt + tookMs < working)
    t.ok(during.length > 80, `${during.length} asked for members' meanwhile`)
    t.strictSame(counted(during), { 503: during.length }, 'none passed')
    t.ok(during.every(({ headers }) => headers['retry-after'] === '1'), 'each says when to come again')
    t.ok(longest(during) < answerWithinMs, `the longest took ${longest(during)} ms`)
    t.ok(outcome.mostUnderWay <= answerWithinMs / askEveryMs, `${outcome.mostUnderWay} at once at most`)
    t.strictSame(counted(publicly), { 200: publicly.length }, 'public routes go on')
    t.ok(median(publicly) < 100 && longest(publicly) < answerWithinMs, `they took ${median(publicly)} ms, ${longest(publicly)} ms at most`)
    t.ok(backAt - working < backWithinMs, `back after ${Math.round(backAt - working)} ms`)
    const afterwards = outcome.answers.filter(({ sentAt }) => sentAt > backAt)
    t.strictSame(counted(afterwards), { 200: afterwards.length }, 'and stays so')
    tellFigure(t, 'L6', `Redis ${fault.name}`, [
      `protected routes 503, slowest answer ${longest(during)} ms, ${outcome.mostUnderWay} under way at most`,
      `public routes ${publicly.length} of ${publicly.length} times 200`, `back after ${Math.round(backAt - working)} ms`,
    ].join('; '))
  })
}

async function whenBack(ann: Visitor, gateway: GatewayProcess): Promise<number> {
  const deadline = performance.now() + 10_000
  while (performance.now() < deadline) {
    const [{ status }, ready] = await Promise.all([ann.send(`${gateway.url}/members`), newVisitor().fetch(`${gateway.adminUrl}/health/ready`)])
    if (status === 200 && ready.status === 200) return performance.now()
    await pause(askEveryMs)
  }
  throw new Error('members never passed again')
}

function counted(answers: readonly Page[]): Record<number, number> {
  const counts: Record<number, number> = {}
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

function longest(answers: readonly Answered[]): number {
  return Math.round(Math.max(...answers.map(({ tookMs }) => tookMs)))
}

function median(answers: readonly Answered[]): number {
  return Math.round(quantile(answers.map(({ tookMs }) => tookMs), 0.5))
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => { setTimeout(resolve, ms) })
}
