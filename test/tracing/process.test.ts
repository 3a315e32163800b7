/** What tracing costs when it is off, when nobody receives, and when the process ends. */
import { join } from 'node:path'
import t, { type Test } from 'tap'

import { freePort } from '../helpers/gateway.js'
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js'
import { startOtlpReceiver } from '../helpers/otlp-receiver.js'
import { until } from '../helpers/redis.js'
import { startService } from '../helpers/service.js'
import { untraced } from '../../src/tracing/tracing.js'

/** Says how many modules of OpenTelemetry are loaded, when it is asked; but for its API, which prom-client brings along. */
const hook = `process.on('SIGUSR2', () => {
  const loaded = Object.keys(require.cache).filter(file => /@opentelemetry.(?!api\\b)/.test(file))
  process.stdout.write('\\n{"msg":"loaded","modules":' + loaded.length + '}\\n')
})`

async function start(t: Test, tracing: object): Promise<{ gateway: GatewayProcess, loaded: () => Promise<number> }> {
  const app = await startService(t, res => { res.end('hello') })
  const folder = t.testdir({ 'hook.cjs': hook })
  const gateway = await startGatewayProcess(t, {
    config: { tracing },
    rules: [{
      id: 'open', match: { url: '<https?>://<[^/]+>/open', methods: ['GET'] }, upstream: { url: app.url },
      authenticators: [{ handler: 'anonymous' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
    }],
    env: { NODE_OPTIONS: `--require=${join(folder, 'hook.cjs')}` },
  })
  return {
    gateway,
    async loaded() {
      process.kill(gateway.pid, 'SIGUSR2')
      const answer = (): string | undefined => /"msg":"loaded","modules":(\d+)/.exec(gateway.output.join(''))?.[1]
      await until(() => answer() !== undefined)
      return Number(answer())
    },
  }
}

const warnings = ({ output }: GatewayProcess): string[] =>
  output.join('').split('\n').filter(line => line.startsWith('{"level":"warn"')).map(line => (JSON.parse(line) as { msg: string }).msg).filter(message => message.startsWith('traces'))

t.test('off, nothing is wrapped and no module of OpenTelemetry is loaded', async t => {
  for (const part of ['requests', 'upgrades', 'endings', 'rules', 'forwarder', 'upgrader', 'fetch', 'hasher', 'store'] as const) {
    const given = (): undefined => undefined
    t.equal((untraced[part] as (given: unknown) => unknown)(given), given, part)
  }
  const { gateway, loaded } = await start(t, { enabled: false })
  t.equal((await fetch(`${gateway.url}/open`)).status, 200)
  t.equal(await loaded(), 0)
})

t.test('at SIGTERM what has not been sent is sent, and the exit code is 0', async t => {
  const receiver = await startOtlpReceiver(t)
  const { gateway, loaded } = await start(t, { enabled: true, endpoint: receiver.url })
  t.ok(await loaded() > 10, 'here it is loaded')
  for (let asked = 0; asked < 20; asked++) await fetch(`${gateway.url}/open`)
  t.equal(await gateway.kill('SIGTERM'), 0)
  t.equal(receiver.spans.filter(({ name }) => name === 'GET open').length, 20)
})

t.test('without a receiver requests go on, one line says that traces are dropped, and another when they are sent again', async t => {
  const receiver = await startOtlpReceiver(t)
  receiver.answer(400)
  const { gateway } = await start(t, { enabled: true, endpoint: receiver.url, timeout: '1s', queue: 10 })
  for (let asked = 0; asked < 50; asked++) t.equal((await fetch(`${gateway.url}/open`)).status, 200)
  await until(() => warnings(gateway).length === 1)
  for (let asked = 0; asked < 50; asked++) await fetch(`${gateway.url}/open`)
  t.match(warnings(gateway), [/^traces can not be sent and are dropped/])

  receiver.answer(200)
  await until(async () => {
    await fetch(`${gateway.url}/open`)
    return warnings(gateway).length === 2
  })
  t.equal(warnings(gateway)[1], 'traces are sent again')
})

t.test('a receiver that is not there holds up neither requests nor the end', async t => {
  const { gateway } = await start(t, { enabled: true, endpoint: `http://127.0.0.1:${await freePort()}/v1/traces`, timeout: '1s' })
  for (let asked = 0; asked < 20; asked++) t.equal((await fetch(`${gateway.url}/open`)).status, 200)
  const from = performance.now()
  t.equal(await gateway.kill('SIGTERM'), 0)
  t.ok(performance.now() - from < 6_000, `gone after ${Math.round(performance.now() - from)} ms`)
})
