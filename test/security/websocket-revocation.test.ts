/** W9: a WebSocket does not outlive the session that opened it, and nothing else ends it. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import WebSocket, { WebSocketServer } from 'ws'

import { identitiesOf, logOut, signUp } from '../helpers/flows.js'
import { startTestGateway, type GatewayOptions, type TestGateway } from '../helpers/gateway.js'
import { redisSkip, startRedis } from '../helpers/redis.js'
import { newVisitor, type Visitor } from '../helpers/visitor.js'

const withinMs = 5_000

/** A gateway before a server that echoes; `/live/` needs a session, `/open/` none. */
async function gatewayBeforeEcho(t: Test, config: GatewayOptions['config'] = {}): Promise<TestGateway> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', socket => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })))
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  const upstream = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  const rule = (path: string, authenticator: string): object => ({
    id: path, upstream, match: { url: `<https?://[^/]+>/${path}/<.*>`, methods: ['GET'] },
    authenticators: [{ handler: authenticator }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
  })
  const enabled = { enabled: true }
  return startTestGateway(t, {
    config: {
      authenticators: { cookie_session: enabled, anonymous: enabled }, authorizers: { allow: enabled }, mutators: { noop: enabled }, ...config,
    },
    rules: [rule('live', 'cookie_session'), rule('open', 'anonymous')],
  })
}

async function openSocket(t: Test, gateway: TestGateway, visitor: Visitor, path = 'live'): Promise<WebSocket> {
  const cookie = [...visitor.jar].map(([name, { value }]) => `${name}=${value}`).join('; ')
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/${path}/room`, { headers: { cookie } })
  t.teardown(() => { socket.terminate() })
  socket.on('error', () => undefined)
  await once(socket, 'open')
  return socket
}

/** Whether it still carries a message there and back. */
async function echoes(socket: WebSocket): Promise<boolean> {
  if (socket.readyState !== WebSocket.OPEN) return false
  const echo = once(socket, 'message', { signal: AbortSignal.timeout(2_000) })
  socket.send('there?')
  return echo.then(() => true, () => false)
}

/** Milliseconds until it is closed; rejects when that takes too long. */
async function closed(socket: WebSocket): Promise<number> {
  const from = performance.now()
  if (socket.readyState !== WebSocket.CLOSED) await once(socket, 'close', { signal: AbortSignal.timeout(withinMs) })
  return performance.now() - from
}

async function member(gateway: TestGateway, name: string): Promise<Visitor> {
  const visitor = newVisitor()
  const { status } = await signUp(visitor, gateway, name)
  if (status !== 302 || !visitor.jar.has('ory_kratos_session')) throw new Error(`${name} could not sign up: ${status}`)
  return visitor
}

const pause = (ms: number): Promise<void> => new Promise(resolve => { setTimeout(resolve, ms) })

t.test('W9 logging out closes the WebSockets of that session within five seconds, and no others', async t => {
  const gateway = await gatewayBeforeEcho(t)
  const [ann, bob] = [await member(gateway, 'ann'), await member(gateway, 'bob')]
  const of = { ann: await openSocket(t, gateway, ann), annToo: await openSocket(t, gateway, ann), bob: await openSocket(t, gateway, bob) }
  const open = await openSocket(t, gateway, ann, 'open')
  t.ok(await echoes(of.ann), 'open')

  await logOut(ann, gateway)
  t.comment(`closed after ${Math.round(Math.max(...await Promise.all([closed(of.ann), closed(of.annToo)])))} ms`)
  t.ok(await echoes(of.bob), 'somebody else\'s goes on')
  t.ok(await echoes(open), 'one that asked for no session goes on')
})

t.test('W9 deleting an identity closes its WebSockets within five seconds, on any gateway over that Redis', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const config = { dsn: redis.url, secrets: { session: ['0123456789abcdef0123456789abcdef'] } }
  const [here, there] = [await gatewayBeforeEcho(t, config), await gatewayBeforeEcho(t, config)]
  const ann = await member(here, 'ann')
  const sockets = [await openSocket(t, here, ann), await openSocket(t, there, ann)]
  const [identity] = await identitiesOf(here)

  const answer = await newVisitor().send(`${here.adminUrl}/identities/${identity?.id}`, { method: 'DELETE' })
  t.equal(answer.status, 204, 'deleted on one of them')
  t.comment(`closed after ${(await Promise.all(sockets.map(closed))).map(Math.round).join(' and ')} ms`)
})

t.test('W9 a session that an operator revokes loses its WebSockets within five seconds, on any gateway over that Redis', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const config = { dsn: redis.url, secrets: { session: ['0123456789abcdef0123456789abcdef'] } }
  const [here, there] = [await gatewayBeforeEcho(t, config), await gatewayBeforeEcho(t, config)]
  const [ann, bob] = [await member(here, 'ann'), await member(here, 'bob')]
  const sockets = [await openSocket(t, here, ann), await openSocket(t, there, ann)]
  const other = await openSocket(t, there, bob)
  const { sid } = (await ann.fetch(`${here.publicUrl}/sessions/whoami`)).json() as { sid: string }

  const answer = await newVisitor().send(`${here.adminUrl}/sessions/${sid}`, { method: 'DELETE' })
  t.equal(answer.status, 204, 'revoked on one of them')
  t.comment(`closed after ${(await Promise.all(sockets.map(closed))).map(Math.round).join(' and ')} ms`)
  t.ok(await echoes(other), 'somebody else\'s goes on')
})

t.test('W9 a Redis that is down or frozen closes no WebSocket; what was revoked is closed once it is back', { skip: redisSkip }, async t => {
  const redis = await startRedis(t, { args: ['--appendfsync', 'always'] })
  const gateway = await gatewayBeforeEcho(t, { dsn: redis.url, secrets: { session: ['0123456789abcdef0123456789abcdef'] } })
  const [ann, bob] = [await member(gateway, 'ann'), await member(gateway, 'bob')]
  const of = { ann: await openSocket(t, gateway, ann), bob: await openSocket(t, gateway, bob) }

  await redis.kill('SIGSTOP')
  await pause(4_500) // long enough for every tunnel to have asked twice
  t.ok(await echoes(of.ann) && await echoes(of.bob), 'frozen')
  await redis.kill('SIGKILL')
  await pause(4_500)
  t.ok(await echoes(of.ann) && await echoes(of.bob), 'down')

  await redis.restart()
  const deadline = performance.now() + 5_000
  while ((await logOut(ann, gateway)).status !== 302 && performance.now() < deadline) await pause(50)
  await closed(of.ann)
  t.ok(await echoes(of.bob), 'somebody else\'s goes on')
})
