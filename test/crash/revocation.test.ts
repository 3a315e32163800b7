/**
 * L4: a session that was ended through one gateway is dead at the other within a second, also when the other was stopped for
 * a while, hears of changes no more, or Redis is failing over. (The cache by itself: test/session/cached-store.test.ts.)
 */
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'

import { tellFigure } from '../helpers/figure.js'
import { logOut, signUp, whoAmI } from '../helpers/flows.js'
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js'
import { keptConnection } from '../helpers/kept-connection.js'
import { watchMachineDelay } from '../helpers/machine-delay.js'
import { membersOver } from '../helpers/members.js'
import { redisSkip, startRedis, until } from '../helpers/redis.js'
import { startWatched } from '../helpers/sentinels.js'
import { newVisitor, type Visitor } from '../helpers/visitor.js'

const stoppedMs = 1_500
const holdsWithinMs = 1_000
const watchedForMs = 4_000
/** For a failover, on a busy machine. */
const patienceMs = 60_000

async function startReplica(t: Test, dsn: string, config: Readonly<Record<string, unknown>> = {}): Promise<GatewayProcess> {
  return startGatewayProcess(t, await membersOver(t, dsn, config))
}

/** Somebody whose session the gateway keeps in memory. */
async function knownVisitor(username: string, there: GatewayProcess, here: GatewayProcess): Promise<Visitor> {
  let visitor = newVisitor()
  // A busy machine may keep a replica from answering.
  for (let attempt = 0; (await signUp(visitor, there, `${username}-${attempt}`)).status !== 302; attempt++) visitor = newVisitor()
  await until(async () => {
    const before = await hits(here)
    return (await whoAmI(visitor, here)).status === 200 && await hits(here) > before
  })
  return visitor
}

async function knownVisitors(name: string, count: number, there: GatewayProcess, here: GatewayProcess): Promise<Visitor[]> {
  const visitors: Visitor[] = []
  while (visitors.length < count) visitors.push(await knownVisitor(`${name}-${visitors.length}`, there, here))
  return visitors
}

/** How many sessions the gateway has answered for from memory. */
async function hits({ adminUrl }: GatewayProcess): Promise<number> {
  const { text } = await newVisitor().send(`${adminUrl}/metrics`)
  return Number(/^oathgate_session_cache_lookups_total\{result="hit"\} (\d+)/m.exec(text)?.[1] ?? 0)
}

/** A copy, so that a logout does not take the cookie along. */
function twinOf({ jar }: Visitor): Visitor {
  const twin = newVisitor()
  for (const [name, cookie] of jar) twin.jar.set(name, cookie)
  return twin
}

t.test('L4 a gateway that was stopped while a session ended elsewhere never says yes to it again: its clock knows that what it kept is old', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const there = await startReplica(t, redis.url)
  const here = await startReplica(t, redis.url)
  for (const round of [1, 2]) {
    const ann = await knownVisitor(`ann-${round}`, there, here)
    const bob = await knownVisitor(`bob-${round}`, there, here)
    const thief = twinOf(ann)
    const connections = [1, 2, 3].map(() => keptConnection(Number(new URL(here.url).port)))
    t.teardown(() => connections.forEach(connection => { connection.close() }))
    const ask = (): Promise<number | undefined>[] => connections.map(async connection => {
      const cookie = `ory_kratos_session=${thief.jar.get('ory_kratos_session')?.value}`
      return (await connection.ask(`GET /members HTTP/1.1\r\nHost: app.test\r\nCookie: ${cookie}\r\n\r\n`))?.status
    })
    t.strictSame(await Promise.all(ask()), [200, 200, 200])

    process.kill(here.pid, 'SIGSTOP')
    // Before the end is told of: when it goes on, this is what it reads first.
    const waiting = ask()
    await delay(100)
    await logOut(ann, there)
    t.equal((await whoAmI(thief, there)).status, 401, 'ended')
    await delay(stoppedMs)
    process.kill(here.pid, 'SIGCONT')
    t.strictSame(await Promise.all(waiting), [401, 401, 401], `round ${round}: its very next answers`)
    t.strictSame(await Promise.all(ask()), [401, 401, 401], 'and those after them')
    t.equal((await whoAmI(bob, here)).status, 200, 'who was not logged out still is in')
  }
})

t.test('L4 while the channel that tells of changes is cut again and again, an end holds within a second', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const there = await startReplica(t, redis.url)
  const here = await startReplica(t, redis.url)
  const people = await knownVisitors('user', 8, there, here)
  const cut = (): Promise<unknown> => redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
  const heldAfter: number[] = []
  const lateMs = watchMachineDelay()
  for (const [at, person] of people.entries()) {
    const thief = twinOf(person)
    await cut()
    await delay(at * 20)
    t.equal((await logOut(person, there)).status, 302)
    const endedAt = performance.now()
    await cut()
    await until(async () => (await whoAmI(thief, here)).status === 401)
    heldAfter.push(Math.round(performance.now() - endedAt))
  }
  const longestMs = Math.max(...heldAfter)
  t.ok(longestMs < holdsWithinMs + lateMs(), `the end of ${people.length} sessions held after ${longestMs} ms at most`)
  tellFigure(t, 'L4', `${people.length} logouts, each between two cuts of the channel that tells of changes`, `held elsewhere after ${longestMs} ms at most`)
})

t.test('L4 X5 while Redis fails over, no session lives on for a second after its end was acknowledged', { skip: redisSkip }, async t => {
  const redis = await startWatched(t)
  const there = await startReplica(t, redis.url)
  const here = await startReplica(t, redis.url)
  const stays = await knownVisitor('stays', there, here)
  const [afterwards, meanwhile] = [await knownVisitors('afterwards', 4, there, here), await knownVisitors('meanwhile', 7, there, here)]

  // Nobody asks `here` for anything while the master is frozen, so nothing but the Sentinels tells it that there is another.
  const { master: former } = await redis.roles()
  await former.kill('SIGSTOP')
  await redis.failedOver(former)
  await until(async () => (await whoAmI(stays, there)).status === 200, patienceMs)
  await former.kill('SIGCONT')
  const ends = await Promise.all(afterwards.map(person => endOf(person, there, here)))
  t.match(await former.command('ROLE'), ['master'], 'the master of before believes that it still is')
  t.strictSame(ends.filter(statuses => statuses.includes(200)), [], 'and nobody else does')
  t.equal((await whoAmI(stays, here)).status, 200)
  await redis.follow(former)

  const { master } = await redis.roles()
  const ending = meanwhile.map(async (person, at) => {
    await delay(at * 250)
    return endOf(person, there, here)
  })
  await delay(600)
  await master.kill('SIGKILL')
  const endsMeanwhile = await Promise.all(ending)
  t.strictSame(endsMeanwhile.filter(statuses => statuses.includes(200)), [], 'before, during and after the next failover')
  t.equal((await whoAmI(stays, here)).status, 200)
  tellFigure(t, 'L4', `${ends.length + endsMeanwhile.length} logouts during failovers of Redis`, 'none of the sessions passed elsewhere a second later')
})

/** Logs the visitor out, again until that is acknowledged; what the other gateway says of the session from a second after that on. */
async function endOf(visitor: Visitor, there: GatewayProcess, here: GatewayProcess): Promise<number[]> {
  const thief = twinOf(visitor)
  await until(async () => (await logOut(twinOf(thief), there)).status === 302, patienceMs)
  const endedAt = performance.now()
  const statuses: number[] = []
  await delay(holdsWithinMs)
  while (performance.now() < endedAt + watchedForMs) {
    statuses.push((await whoAmI(thief, here)).status)
    await delay(50)
  }
  return statuses
}
