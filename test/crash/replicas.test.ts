/**
 * L4, W9: replicas over one Redis are one gateway: who is logged in on one of them is on all, who is logged out on none.
 * `SESSIONS=2000` makes a long run of it.
 */
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import WebSocket from 'ws'

import { startApp } from '../helpers/app.js'
import { grouped, lengthOf, tellFigure } from '../helpers/figure.js'
import { logIn, logOut, signUp, whoAmI } from '../helpers/flows.js'
import type { TestGateway } from '../helpers/gateway.js'
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js'
import { random, seed } from '../helpers/random.js'
import { redisSkip, startRedis } from '../helpers/redis.js'
import { newVisitor, type Visitor } from '../helpers/visitor.js'

const replicas = 3
const sessions = lengthOf('SESSIONS', 45)
const people = 9
/** One session in so many has a WebSocket on each replica, and one in so many ends because its identity is deleted. */
const socketEvery = 3
const deleteEvery = 5
const deadWithinMs = 1_000
const closedWithinMs = 5_000

const next = random(seed)
const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T

/** Says who asks; a WebSocket stays open. */
async function startUpstream(t: Test): Promise<string> {
  return startApp(t, (req, res) => { res.end(String(req.headers['x-user'])) })
}

async function startReplicas(t: Test): Promise<TestGateway[]> {
  const [redis, upstream] = await Promise.all([startRedis(t), startUpstream(t)])
  const options = {
    config: { dsn: redis.url, secrets: { session: ['0123456789abcdef0123456789abcdef'] } },
    rules: [{
      id: 'members', upstream: { url: upstream }, match: { url: '<https?://[^/]+>/members', methods: ['GET'] },
      authenticators: [{ handler: 'cookie_session' }], authorizer: { handler: 'allow' },
      mutators: [{ handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}' } } }],
    }],
  }
  const processes: GatewayProcess[] = []
  while (processes.length < replicas) processes.push(await startGatewayProcess(t, options))
  return processes as unknown as TestGateway[]
}

function cookieOf(visitor: Visitor): string {
  return `ory_kratos_session=${visitor.jar.get('ory_kratos_session')?.value}`
}

/** What a replica answers whoever holds the cookie. */
async function statusAt(gateway: TestGateway, cookie: string): Promise<number> {
  return (await newVisitor().send(`${gateway.url}/members`, { headers: { cookie } })).status
}

async function openSocket(t: Test, gateway: TestGateway, cookie: string): Promise<WebSocket> {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/members`, { headers: { cookie } })
  t.teardown(() => { socket.terminate() })
  socket.on('error', () => undefined)
  await once(socket, 'open')
  return socket
}

t.test(`L4 W9 ${sessions} sessions, begun and ended on any of ${replicas} replicas, are valid and dead on all of them`, { skip: redisSkip }, async t => {
  const gateways = await startReplicas(t)
  const unknown: string[] = []
  const deadAfter: number[] = []
  const closedAfter: number[] = []
  let begun = 0

  async function person(name: string): Promise<void> {
    let account = 0
    let isNew = true
    while (begun < sessions) {
      const at = begun++
      const visitor = newVisitor()
      const home = pick(gateways)
      const { status } = isNew ? await signUp(visitor, home, `${name}-${account}`) : await logIn(visitor, home, `${name}-${account}`)
      const cookie = cookieOf(visitor)
      isNew = false

      const statuses = await Promise.all(gateways.map(gateway => statusAt(gateway, cookie)))
      if (status !== 302 || statuses.some(one => one !== 200)) unknown.push(`session ${at}: ${status}, then ${statuses.join()}`)
      const sockets = at % socketEvery === 0 ? await Promise.all(gateways.map(gateway => openSocket(t, gateway, cookie))) : []

      let ended: number
      if (at % deleteEvery === 0) {
        const { identity } = (await whoAmI(visitor, pick(gateways))).json() as { identity: { id: string } }
        await newVisitor().send(`${pick(gateways).adminUrl}/identities/${identity.id}`, { method: 'DELETE' })
        ended = performance.now()
        account += 1
        isNew = true
      } else {
        await logOut(visitor, pick(gateways))
        ended = performance.now()
      }
      const closing = sockets.map(async socket => {
        if (socket.readyState !== WebSocket.CLOSED) await once(socket, 'close', { signal: AbortSignal.timeout(closedWithinMs * 2) })
        closedAfter.push(performance.now() - ended)
      })
      deadAfter.push(...await Promise.all(gateways.map(gateway => diesAfter(gateway, cookie, ended))))
      await Promise.all(closing)
    }
  }
  await Promise.all(Array.from({ length: people }, (_, at) => person(`person-${at}`)))

  const [dead, closed] = [Math.max(...deadAfter), Math.max(...closedAfter)]
  tellFigure(t, 'L4', `${grouped(sessions)} sessions on ${replicas} replicas, begun and ended on any of them`, [
    `${unknown.length} unknown anywhere after login`, `dead everywhere at most ${Math.round(dead)} ms after logout or deletion`,
    `${grouped(closedAfter.length)} WebSockets closed after at most ${(closed / 1000).toFixed(1)} s`,
  ].join('; '))
  t.strictSame(unknown.slice(0, 3), [], `seed ${seed}: each is valid on all at once`)
  t.equal(deadAfter.length, sessions * replicas)
  t.ok(dead < deadWithinMs, `dead after ${Math.round(dead)} ms`)
  t.ok(closed < closedWithinMs, `WebSockets closed after ${Math.round(closed)} ms`)
})

/** Milliseconds from then on during which the replica still let the session pass. */
async function diesAfter(gateway: TestGateway, cookie: string, since: number): Promise<number> {
  let passed = 0
  for (;;) {
    const asked = performance.now()
    if (await statusAt(gateway, cookie) === 401) return passed
    passed = asked - since
    if (passed > deadWithinMs * 5) return passed
    await pause(10)
  }
}
