/**
 * L5: three replicas behind HAProxy, which repeats nothing, are restarted one after the other, and no client notices.
 * `RESTART_ROUNDS=4` makes a long run of it.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { Agent, createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'

import { grouped, lengthOf, quantile, tellFigure } from '../helpers/figure.js'
import { signUp } from '../helpers/flows.js'
import { freePort, type TestGateway } from '../helpers/gateway.js'
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js'
import { redisSkip, startRedis, until } from '../helpers/redis.js'
import { newVisitor } from '../helpers/visitor.js'

const replicas = 3
const rounds = lengthOf('RESTART_ROUNDS', 1)
const clientsPerRoute = 2
const checkEveryMs = 200

const isInstalled = spawnSync('haproxy', ['-v']).status === 0
const skip = redisSkip || (isInstalled || process.env['CI'] !== undefined ? false : 'haproxy is not installed')

/** Tells who asks, and after 300 ms below `/slow`; a body comes back. */
async function startUpstream(t: Test): Promise<string> {
  const server = createServer((req, res) => {
    res.setHeader('x-told', String(req.headers['x-user']))
    if (req.method === 'POST') req.pipe(res)
    else setTimeout(() => { res.end('here') }, req.url === '/slow' ? 300 : 0)
  })
  await new Promise<void>(listening => { server.listen(0, '127.0.0.1', listening) })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function startReplicas(t: Test): Promise<GatewayProcess[]> {
  const [redis, upstream] = await Promise.all([startRedis(t), startUpstream(t)])
  const rule = (path: string, authenticator: string): object => ({
    id: path, upstream: { url: upstream }, match: { url: `<https?://[^/]+>/${path}`, methods: ['GET', 'POST'] },
    authenticators: [{ handler: authenticator }], authorizer: { handler: 'allow' },
    mutators: [{ handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}' } } }],
  })
  const options = {
    config: {
      dsn: redis.url, secrets: { session: ['0123456789abcdef0123456789abcdef'] },
      // Longer than the balancer needs to see that a replica is no longer ready, also on a busy machine.
      serve: { public: { trusted_proxies: ['127.0.0.1/32'], drain: '10s', drain_wait: '1500ms' } },
    },
    rules: [rule('slow', 'anonymous'), rule('public', 'anonymous'), rule('members', 'cookie_session')],
  }
  const processes: GatewayProcess[] = []
  while (processes.length < replicas) processes.push(await startGatewayProcess(t, options))
  return processes
}

/** HAProxy before them, with its health checks and without a single retry; resolves to its URL when it serves. */
async function startBalancer(t: Test, gateways: readonly GatewayProcess[]): Promise<string> {
  const port = await freePort()
  const file = join(gateways[0]?.folder ?? '', 'haproxy.cfg')
  const servers = gateways.map(({ url, adminUrl }, at) =>
    `  server gateway-${at} ${new URL(url).host} check port ${new URL(adminUrl).port} inter ${checkEveryMs}ms fall 1 rise 1`)
  await writeFile(file, `
global
  nbthread 1
defaults
  mode http
  retries 0
  option forwardfor
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend front
  bind 127.0.0.1:${port}
  default_backend gateways
backend gateways
  balance roundrobin
  option httpchk GET /health/ready
${servers.join('\n')}
`)
  const haproxy = spawn('haproxy', ['-f', file], { stdio: 'ignore' })
  const gone = once(haproxy, 'exit')
  t.teardown(async () => {
    haproxy.kill('SIGKILL')
    await gone
  })
  const url = `http://127.0.0.1:${port}`
  await until(async () => (await newVisitor().send(`${url}/public`).catch(() => undefined))?.status === 200)
  return url
}

interface Route {
  readonly path: string
  readonly method: 'GET' | 'POST'
  readonly cookie?: string
  readonly expected: string
}

/** One request over connections that are kept alive, repeated by nobody. Status, whom the upstream was told of, and the body. */
async function ask(agent: Agent, url: string, { path, method, cookie }: Route): Promise<string> {
  const sent = request(`${url}/${path}`, { agent, method, headers: cookie === undefined ? {} : { cookie } })
  sent.end(method === 'POST' ? 'here' : undefined)
  const [res] = await once(sent, 'response') as [IncomingMessage]
  let text = ''
  for await (const chunk of res.setEncoding('utf8')) text += chunk as string
  return `${res.statusCode} ${String(res.headers['x-told'])} ${text}`
}

t.test(`L5 ${replicas} replicas behind HAProxy are restarted ${rounds === 1 ? 'once' : `${rounds} times`} each, and no request fails`, { skip }, async t => {
  const gateways = await startReplicas(t)
  const url = await startBalancer(t, gateways)
  const ann = newVisitor()
  await signUp(ann, gateways[0] as unknown as TestGateway, 'ann')
  const cookie = `ory_kratos_session=${ann.jar.get('ory_kratos_session')?.value}`
  const subject = String((await ann.send(`${gateways[1]?.url}/members`)).headers['x-told'])
  t.match(subject, /^[0-9a-f-]{36}$/)
  const routes: readonly Route[] = [
    { path: 'members', method: 'GET', cookie, expected: `200 ${subject} here` },
    { path: 'members', method: 'POST', cookie, expected: `200 ${subject} here` },
    { path: 'public', method: 'GET', expected: '200 anonymous here' },
    { path: 'public', method: 'POST', expected: '200 anonymous here' },
    { path: 'slow', method: 'GET', expected: '200 anonymous here' },
  ]

  const agent = new Agent({ keepAlive: true })
  t.teardown(() => { agent.destroy() })
  const failed: string[] = []
  const tookMs: number[] = []
  let over = false
  const clients = routes.flatMap(route => Array.from({ length: clientsPerRoute }, async () => {
    while (!over) {
      const from = performance.now()
      const got = await ask(agent, url, route).catch((error: NodeJS.ErrnoException) => error.code ?? error.message)
      tookMs.push(performance.now() - from)
      if (got !== route.expected) failed.push(`${route.method} /${route.path}: ${got}`)
      await pause(2)
    }
  }))

  const codes: (number | null)[] = []
  for (let round = 0; round < rounds; round++) {
    for (const gateway of gateways) {
      codes.push(await gateway.kill('SIGTERM'))
      await gateway.start()
      await pause(checkEveryMs * 5) // until HAProxy has seen it
    }
  }
  over = true
  await Promise.all(clients)

  tellFigure(t, 'L5', `${replicas} replicas behind HAProxy without retries, each restarted ${rounds} times under load`,
    `${failed.length} of ${grouped(tookMs.length)} requests failed, half of the posts with a session; p99 ${Math.round(quantile(tookMs, 0.99))} ms with an upstream that takes up to 300`)
  t.strictSame([...new Set(codes)], [0], 'all stopped by themselves')
  t.strictSame(failed.slice(0, 3), [], `${failed.length} of ${tookMs.length} requests failed`)
})
