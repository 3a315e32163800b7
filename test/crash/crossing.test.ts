/**
 * L17, X4: whose cookie it is, is whom the upstream is told of; whatever breaks, nobody is taken for somebody else.
 * `CROSSING_REQUESTS=200000 CROSSING_USERS=1000` makes a long run of it.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'

import { grouped, lengthOf, tellFigure } from '../helpers/figure.js'
import { signUp, whoAmI } from '../helpers/flows.js'
import { startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { keptConnection } from '../helpers/kept-connection.js'
import { random, seed } from '../helpers/random.js'
import { redisSkip, startRedis, type TestRedis } from '../helpers/redis.js'
import { newVisitor } from '../helpers/visitor.js'

const users = lengthOf('CROSSING_USERS', 100)
const clients = 20
/** So many sign up at a time. */
const lanes = 4
const requests = lengthOf('CROSSING_REQUESTS', 6_000)
const next = random(seed)
/** One request in so many is given up by its client in the middle. */
const abortEvery = 5
const cutEveryMs = 200
/** `store.timeout`. */
const commandMs = 200

interface Member {
  readonly name: string
  readonly cookie: string
}

/** What the upstream was told, by the name that the client put into the request. */
interface Told {
  readonly name: string
  readonly user: string
}

async function startUpstream(t: Test): Promise<{ origin: string, told: Told[] }> {
  const told: Told[] = []
  const server = createServer((req, res) => {
    const name = new URL(req.url ?? '', 'http://upstream.test').searchParams.get('as') ?? ''
    const user = String(req.headers['x-user'])
    told.push({ name, user })
    setTimeout(() => { res.setHeader('x-told', user).end(name) }, told.length % 7)
  })
  await new Promise<void>(listening => { server.listen(0, '127.0.0.1', listening) })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, told }
}

/** A gateway over Redis; with few cached sessions, most checks are a round trip. */
function startGateway(t: Test, redis: TestRedis, origin: string, cacheEntries: number, storeMs = commandMs): Promise<TestGateway> {
  const enabled = { enabled: true }
  return startTestGateway(t, {
    config: {
      dsn: redis.url, store: { timeout: `${storeMs}ms` }, secrets: { session: ['0123456789abcdef0123456789abcdef'] }, session: { cache_entries: cacheEntries },
      authenticators: { cookie_session: enabled }, authorizers: { allow: enabled }, mutators: { header: { enabled: true, config: { headers: {} } } },
    },
    rules: [{
      id: 'members', upstream: { url: origin }, match: { url: '<https?://[^/]+>/members', methods: ['GET'] },
      authenticators: [{ handler: 'cookie_session' }], authorizer: { handler: 'allow' },
      mutators: [{ handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}' } } }],
    }],
  })
}

async function enrol(gateway: TestGateway): Promise<{ members: Member[], idOf: Map<string, string> }> {
  const members: Member[] = []
  const idOf = new Map<string, string>()
  async function enrolSome(lane: number): Promise<void> {
    for (let at = lane; at < users; at += lanes) {
      const visitor = newVisitor()
      const { status } = await signUp(visitor, gateway, `user-${at}`)
      const token = visitor.jar.get('ory_kratos_session')?.value
      if (status !== 302 || token === undefined) throw new Error(`user-${at} could not sign up: ${status}`)
      const { identity } = (await whoAmI(visitor, gateway)).json() as { identity: { id: string, traits: { username: string } } }
      members.push({ name: `user-${at}`, cookie: `ory_kratos_session=${token}` })
      idOf.set(identity.traits.username, identity.id)
    }
  }
  await Promise.all(Array.from({ length: lanes }, (_, lane) => enrolSome(lane)))
  return { members, idOf }
}

/** Cuts connections of Redis, and now and then makes it answer too late, until told to stop; how often. */
function cutConnections(redis: TestRedis): { stop(): Promise<number> } {
  let stopped = false
  let cuts = 0
  const cutting = (async () => {
    while (!stopped) {
      if (cuts % 5 === 1) await freeze(redis)
      else await redis.command('CLIENT', 'KILL', 'TYPE', 'normal')
      if (cuts % 3 === 0) await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
      cuts += 1
      await pause(next() * 2 * cutEveryMs)
    }
  })()
  return {
    async stop() {
      stopped = true
      await cutting
      return cuts
    },
  }
}

/** For longer than a command may take: its answer comes when nobody waits for it any more. */
async function freeze(redis: TestRedis): Promise<void> {
  await redis.kill('SIGSTOP')
  await pause(commandMs + 100)
  await redis.kill('SIGCONT')
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => { setTimeout(resolve, ms) })
}

async function crossing(t: Test, cacheEntries: number): Promise<void> {
  const redis = await startRedis(t)
  const { origin, told } = await startUpstream(t)
  // Nothing is broken yet, so nobody's sign-up may fail because the machine is busy.
  const patient = await startGateway(t, redis, origin, cacheEntries, 20_000)
  const { members, idOf } = await enrol(patient)
  await patient.stop()
  const gateway = await startGateway(t, redis, origin, cacheEntries)
  const port = Number(new URL(gateway.url).port)
  const { stop } = cutConnections(redis)

  const counts = { passed: 0, refused: 0, aborted: 0 }
  const wrong: string[] = []
  let sent = 0
  async function client(): Promise<void> {
    const connection = keptConnection(port)
    while (sent < requests / 2) {
      const at = sent++
      const member = members[Math.floor(next() * users)] as Member
      const abort = at % abortEvery === 0
      const bytes = `GET /members?as=${member.name} HTTP/1.1\r\nHost: app.test\r\nCookie: ${member.cookie}\r\n\r\n`
      const answer = await connection.ask(bytes, abort ? next() * 12 : undefined)
      const user = /^x-told: (\S+)/im.exec(answer?.head ?? '')?.[1]
      if (answer?.status === 200 && user === idOf.get(member.name) && answer.body === member.name) counts.passed += 1
      else if (answer?.status === 503) counts.refused += 1
      else if (answer === undefined && abort) counts.aborted += 1
      else wrong.push(`${member.name} (${idOf.get(member.name)}) got ${answer === undefined ? 'nothing' : `${answer.status} ${user} ${answer.body}`}`)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: clients }, client))
  const cuts = await stop()
  const crossed = told.filter(({ name, user }) => user !== idOf.get(name))

  tellFigure(t, 'L17', `${grouped(sent)} requests of ${grouped(users)} people, ${cacheEntries === 0 ? 'each session asked for' : 'sessions kept in memory'}: ${grouped(counts.aborted)} given up, ${grouped(cuts)} faults of Redis`,
    `${crossed.length} of ${grouped(told.length)} taken for somebody else, ${wrong.length} wrong answers; ${grouped(counts.passed)} passed, ${grouped(counts.refused)} times 503`)
  t.equal(idOf.size, users, 'everybody has an identity')
  t.strictSame(wrong.slice(0, 3), [], `seed ${seed}: ${sent} requests, ${cuts} faults of Redis: ${counts.passed} passed, ${counts.refused} were 503, ${counts.aborted} were given up`)
  t.strictSame(crossed.slice(0, 3), [], `the upstream was told of the cookie's owner ${told.length} times`)
  t.ok(counts.passed > sent / 4 && counts.aborted > 0, 'many passed, and some were given up')
}

t.test('L17 X4 nobody is taken for somebody else when clients give up and Redis is cut: every session asked for', { skip: redisSkip }, t => crossing(t, 0))

t.test('L17 X4 the same with sessions kept in memory, more of them than there is room for', { skip: redisSkip }, t => crossing(t, users / 2))
