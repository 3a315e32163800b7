/** P1: clients that leave while their request is still being decided hold no connection to the upstream. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'

import { startTestGateway } from '../helpers/gateway.js'
import { newVisitor } from '../helpers/visitor.js'

t.test('P1 after many such clients the next one is served', async t => {
  const upstream = createServer((_req, res) => { res.end('ok') })
  const sessions = createServer((_req, res) => { setTimeout(() => { res.end('{"subject":"ada"}') }, 50) })
  const [upstreamUrl, sessionsUrl] = [await listening(t, upstream), await listening(t, sessions)]
  const gateway = await startTestGateway(t, {
    config: { proxy: { connections: 4 }, authenticators: { cookie_session: { enabled: true, config: { check_session_url: sessionsUrl } } } },
    rules: [{
      id: 'slowly decided', match: { url: '<http://.*>', methods: ['GET', 'POST'] }, upstream: { url: upstreamUrl },
      authenticators: [{ handler: 'cookie_session' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
    }],
  })

  const port = Number(new URL(gateway.url).port)
  await Promise.all(Array.from({ length: 40 }, async () => {
    const client = connect(port, '127.0.0.1').on('error', () => undefined)
    client.write('POST /x HTTP/1.1\r\nHost: a.test\r\nCookie: a=b\r\nContent-Length: 10\r\n\r\n')
    await delay(20)
    client.resetAndDestroy()
  }))
  await delay(500)
  t.equal((await newVisitor().send(`${gateway.url}/x`, { headers: { cookie: 'a=b' } })).status, 200)
})

t.test('P1 X17 nor do WebSocket clients that leave then, whose upstream never answers', async t => {
  let reached = 0
  const upstream = createServer().on('connection', () => { reached++ }).on('upgrade', () => undefined)
  const asked: ServerResponse[] = []
  const sessions = createServer((_req, res) => asked.push(res))
  const [upstreamUrl, sessionsUrl] = [await listening(t, upstream), await listening(t, sessions)]
  const gateway = await startTestGateway(t, {
    config: {
      serve: { public: { limits: { in_flight: 3 } } },
      authenticators: { anonymous: { enabled: true }, cookie_session: { enabled: true, config: { check_session_url: sessionsUrl } } },
    },
    rules: [{
      id: 'slowly decided', match: { url: '<http://.*>/ws', methods: ['GET'] }, upstream: { url: upstreamUrl },
      authenticators: [{ handler: 'cookie_session' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
    }],
  })

  const port = Number(new URL(gateway.url).port)
  const clients = Array.from({ length: 3 }, () => {
    const client = connect(port, '127.0.0.1').on('error', () => undefined)
    client.write('GET /ws HTTP/1.1\r\nHost: a.test\r\nCookie: a=b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n')
    return client
  })
  while (asked.length < clients.length) await delay(5)
  for (const client of clients) client.resetAndDestroy()
  await delay(200)
  for (const res of asked) res.end('{"subject":"ada"}')
  await delay(300)
  t.equal(reached, 0, 'the upstream does not hear of them')
  t.equal((await newVisitor().send(`${gateway.url}/nothing`)).status, 404, 'nor are they still being answered')
})

/** The address of a server that ends with the test. */
async function listening(t: Test, server: Server): Promise<string> {
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
