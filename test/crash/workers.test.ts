/** L6, L15: several workers behind one port are one gateway, which outlives any of them and leaves nothing behind. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'

import { isAlive } from '../helpers/child.js'
import { signUp } from '../helpers/flows.js'
import { prepareGateway, type GatewayOptions, type TestGateway } from '../helpers/gateway.js'
import { gatewayProgram, startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js'
import { redisSkip, startRedis, until } from '../helpers/redis.js'
import { startService } from '../helpers/service.js'
import { newVisitor } from '../helpers/visitor.js'

const redisSettings = (url: string): Record<string, unknown> => ({ dsn: url, secrets: { session: ['0123456789abcdef0123456789abcdef'] } })

async function startWorkers(t: Test, { workers = 2, slowMs = 0 } = {}): Promise<GatewayProcess> {
  const [redis, app] = await Promise.all([startRedis(t), startService(t, (res, { headers }) => {
    setTimeout(() => { res.end(String(headers['x-user'])) }, slowMs)
  })])
  const options: GatewayOptions = {
    config: { ...redisSettings(redis.url), serve: { workers, public: { drain: '10s' } } },
    rules: [['open', 'anonymous'], ['members', 'cookie_session']].map(([path, authenticator]) => ({
      id: path, upstream: { url: app.url }, match: { url: `<https?://[^/]+>/${path}`, methods: ['GET'] },
      authenticators: [{ handler: authenticator }], authorizer: { handler: 'allow' },
      mutators: [{ handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}' } } }],
    })),
  }
  const gateway = await startGatewayProcess(t, options)
  await until(() => accepting(gateway).length === workers)
  return gateway
}

/** A visit over a connection of its own, so that it may be any worker's; 0 when there was no answer. */
async function visit(url: string, cookie?: string): Promise<number> {
  try {
    const [res] = await once(get(url, { agent: new Agent(), headers: cookie === undefined ? {} : { cookie } }), 'response') as [IncomingMessage]
    await once(res.resume(), 'end')
    return res.statusCode ?? 0
  } catch {
    return 0
  }
}

/** The workers that have begun to accept requests, by their process ids. */
function accepting(gateway: GatewayProcess): number[] {
  return lines(gateway).filter(line => line['msg'] === 'a worker accepts requests').map(line => line['pid'] as number)
}

/** The workers that have answered a request so far, by number. */
function workersSeen(gateway: GatewayProcess): number[] {
  return [...new Set(lines(gateway).filter(line => line['msg'] === 'request').map(line => line['worker'] as number))]
}

function lines({ output }: GatewayProcess): Record<string, unknown>[] {
  return output.join('').split('\n').filter(line => line.startsWith('{')).map(line => JSON.parse(line) as Record<string, unknown>)
}

/** The processes that a process has started and that still run. */
function childrenOf(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
  return stdout.split('\n').map(Number).filter(child => child > 0 && isAlive(child))
}

t.test('two workers are one gateway: a session that is made on any is known on both, and ended on both', { skip: redisSkip }, async t => {
  const gateway = await startWorkers(t)
  await until(() => lines(gateway).some(line => line['msg'] === 'oathgate is ready' && line['workers'] === 2))
  const visitor = newVisitor()
  await signUp(visitor, gateway as unknown as TestGateway, 'ann')
  const cookie = `ory_kratos_session=${visitor.jar.get('ory_kratos_session')?.value}`
  const visits = (): Promise<number[]> => Promise.all(Array.from({ length: 8 }, () => visit(`${gateway.url}/members`, cookie)))

  t.strictSame(await visits(), Array(8).fill(200))
  await until(() => workersSeen(gateway).length === 2)
  await visitor.visit(`${gateway.publicUrl}/auth/browser/logout`)
  await pause(1_000)
  t.strictSame(await visits(), Array(8).fill(401), 'a second after the logout, whoever remembers it')
})

t.test('a worker that is killed is missed by nobody who comes afterwards, and another takes its place', { skip: redisSkip }, async t => {
  const gateway = await startWorkers(t)
  const [victim, survivor] = childrenOf(gateway.pid) as [number, number]
  process.kill(victim, 'SIGKILL')
  await until(() => !isAlive(victim))
  t.strictSame(await Promise.all(Array.from({ length: 20 }, () => visit(`${gateway.url}/open`))), Array(20).fill(200))

  await until(() => accepting(gateway).filter(isAlive).length === 2)
  t.ok(accepting(gateway).filter(isAlive).includes(survivor))
  t.match(lines(gateway).filter(line => line['level'] === 'error'), [{ msg: 'a worker died; another takes its place', pid: victim, signal: 'SIGKILL' }])
  await until(async () => {
    await visit(`${gateway.url}/open`)
    return workersSeen(gateway).includes(3)
  })
})

t.test('a worker that is told to stop finishes what it has begun, under load, and no request fails', { skip: redisSkip }, async t => {
  const gateway = await startWorkers(t, { slowMs: 30 })
  const statuses: number[] = []
  let loading = true
  const load = Array.from({ length: 10 }, async () => {
    while (loading) statuses.push(await visit(`${gateway.url}/open`))
  })
  for (const pid of childrenOf(gateway.pid)) {
    process.kill(pid, 'SIGTERM')
    await until(() => !isAlive(pid))
    await until(() => accepting(gateway).filter(isAlive).length === 2)
  }
  loading = false
  await Promise.all(load)
  t.ok(statuses.length > 50)
  t.strictSame(statuses.filter(status => status !== 200), [])
  t.match(lines(gateway).filter(line => line['msg'] === 'a worker stopped; another takes its place'), [{ code: 0 }, { code: 0 }])
})

t.test('whichever worker is asked for metrics answers for all, and keeps them apart', { skip: redisSkip }, async t => {
  const gateway = await startWorkers(t)
  for (let count = 0; count < 10; count++) await visit(`${gateway.url}/open`)
  const scrape = async (): Promise<string> => (await fetch(`${gateway.adminUrl}/metrics`, { headers: { connection: 'close' } })).text()
  const forwarded = (text: string): number[] => text.split('\n')
    .filter(line => line.startsWith('oathgate_http_requests_total{') && line.includes('rule="open"'))
    .map(line => Number(line.split(' ').at(-1)))

  for (const text of [await scrape(), await scrape()]) {
    t.strictSame(forwarded(text).length, 2, 'one series of each worker')
    t.equal(forwarded(text).reduce((sum, count) => sum + count, 0), 10)
    t.equal(text.split('\n').filter(line => line.startsWith('# TYPE oathgate_http_requests_total')).length, 1)
    t.match(text, /^oathgate_build_info\{.*worker="2"/m)
    t.notMatch(text, /\bnull\b/)
  }

  const frozen = childrenOf(gateway.pid)[0] as number
  process.kill(frozen, 'SIGSTOP')
  t.teardown(() => process.kill(frozen, 'SIGCONT'))
  const answers = await Promise.all(Array.from({ length: 2 }, () => Promise.race([scrape(), pause(3_000)])))
  t.ok(answers.some(text => text?.includes('oathgate_http_requests_total')), 'the one that can answer does not wait for the one that can not')
  process.kill(frozen, 'SIGCONT')
})

t.test('SIGTERM to all of them, as service supervisors send it, ends all in order', { skip: redisSkip }, async t => {
  const gateway = await startWorkers(t, { slowMs: 500 })
  const workers = childrenOf(gateway.pid)
  const underWay = Array.from({ length: 10 }, () => visit(`${gateway.url}/open`))
  await pause(200)
  for (const pid of workers) process.kill(pid, 'SIGTERM')
  t.equal(await gateway.kill('SIGTERM'), 0)
  t.strictSame(await Promise.all(underWay), Array(10).fill(200))
  t.strictSame(workers.filter(isAlive), [])
})

t.test('when the primary is killed no worker is left behind', { skip: redisSkip }, async t => {
  const gateway = await startWorkers(t, { workers: 3 })
  const workers = childrenOf(gateway.pid)
  t.equal(workers.length, 3)
  await gateway.kill('SIGKILL')
  await until(() => !workers.some(isAlive))
  t.equal(await visit(`${gateway.url}/open`), 0)
})

t.test('what hinders all of them is told once, and nothing is left running', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const { file, url } = await prepareGateway(t, { config: { ...redisSettings(redis.url), serve: { workers: 4 } } })
  const { port } = new URL(url)
  const squatter = createServer()
  await new Promise<void>(resolve => { squatter.listen(Number(port), '127.0.0.1', resolve) })
  t.teardown(() => { squatter.close() })

  const { status, stderr } = spawnSync(process.execPath, [gatewayProgram, 'serve', '-c', file], { encoding: 'utf8' })
  t.equal(status, 1)
  t.equal(stderr.split('\n')[0], `oathgate: can not listen on 127.0.0.1:${port}: something else is listening there already`)
  t.equal(stderr.trim().split('\n').length, 2)
})

t.test('the embedded store serves one process: more are refused with the place, and auto is one', async t => {
  const { file } = await prepareGateway(t, { config: { serve: { workers: 2 } } })
  const { status, stderr } = spawnSync(process.execPath, [gatewayProgram, 'serve', '-c', file], { encoding: 'utf8' })
  t.equal(status, 1)
  t.match(stderr, /oathgate\.yml:1:[0-9]+ serve\.workers must be 1 with the embedded store/)

  const gateway = await startGatewayProcess(t, { env: { SERVE_WORKERS: 'auto' } })
  t.strictSame(childrenOf(gateway.pid), [])
})

t.test('the number can come from the environment, and what is no number is told', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const gateway = await startGatewayProcess(t, { config: redisSettings(redis.url), env: { SERVE_WORKERS: '3' } })
  t.equal(childrenOf(gateway.pid).length, 3)

  const { file } = await prepareGateway(t, { config: redisSettings(redis.url) })
  const { stderr } = spawnSync(process.execPath, [gatewayProgram, 'serve', '-c', file], { encoding: 'utf8', env: { SERVE_WORKERS: 'many' } })
  t.match(stderr, 'SERVE_WORKERS must be a whole number or auto')
})
