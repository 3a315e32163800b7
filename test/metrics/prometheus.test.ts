/** The metrics before a real Prometheus: what dashboard and alerts ask for is there, and an alert fires when it should. */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { parse } from 'yaml'

import { createMetrics, type MetricDescription } from '../../src/metrics/metrics.js'
import { signUp } from '../helpers/flows.js'
import { startTestGateway } from '../helpers/gateway.js'
import { prometheusSkip, promtool, startPrometheus } from '../helpers/prometheus.js'
import { redisSkip, startRedis, until } from '../helpers/redis.js'
import { startService } from '../helpers/service.js'
import { newVisitor } from '../helpers/visitor.js'

const config = (path: string): string => fileURLToPath(new URL(`../../config/${path}`, import.meta.url))
const token = 'a token of at least thirty-two letters'

/** Every PromQL expression of the dashboard, its variables filled in as Grafana does. */
function dashboardExpressions(): string[] {
  const found: string[] = []
  JSON.parse(readFileSync(config('grafana/oathgate.json'), 'utf8'), (key, value: unknown) => {
    if (key === 'expr') found.push(String(value))
    return value
  })
  return found.map(expression => expression.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'))
}

interface AlertFile { readonly groups: readonly { readonly rules: readonly { readonly alert: string, readonly expr: string }[] }[] }

function alertRules(): readonly { readonly alert: string, readonly expr: string }[] {
  return (parse(readFileSync(config('prometheus/alerts.yml'), 'utf8')) as AlertFile).groups.flatMap(({ rules }) => rules)
}

/** A registry with everything that a running gateway has. */
function allMetrics(): ReturnType<typeof createMetrics> {
  const metrics = createMetrics({ rules: () => ({ ids: ['a'] }), maxRules: 10 })
  metrics.watch({
    version: '1', rules: { count: () => 1, status: () => ({ loadedAt: 0 }) }, pingStore: () => Promise.resolve(undefined),
    connections: () => Promise.resolve(0), inFlight: () => 0, tunnels: () => 0, hashing: () => ({ running: 0, waiting: 0 }), certificateExpiry: () => Infinity,
  })
  return metrics
}

/** The series names that a metric makes. */
function seriesNames({ name, type }: MetricDescription): string[] {
  return type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
}

t.test('every metric and every label that dashboard and alerts name exists', async t => {
  const described = new Map(allMetrics().describe().flatMap(metric => seriesNames(metric).map(name => [name, metric] as const)))
  const expressions = [...dashboardExpressions(), ...alertRules().map(({ expr }) => expr)]
  t.ok(expressions.length > 50)

  for (const expression of expressions) {
    const names = [...new Set(expression.match(/\boathgate_\w+/g) ?? [])]
    const labels = new Set(['instance', 'job', ...expression.includes('_bucket') ? ['le'] : []])
    for (const name of names) {
      t.ok(described.has(name), `${name} in ${expression}`)
      for (const label of described.get(name)?.labelNames ?? []) labels.add(label)
    }
    const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(',').map(label => label.trim()))
    const selected = [...expression.matchAll(/\{([^}]*)\}/g)].flatMap(([, list = '']) => [...list.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label]) => label as string))
    t.strictSame([...grouped, ...selected].filter(label => !labels.has(label)), [], expression)
  }
})

t.test('every metric of the gateway\'s own is on the dashboard', async t => {
  const shown = dashboardExpressions().join('\n')
  const own = allMetrics().describe().filter(({ name }) => !/^oathgate_(process|nodejs)_/.test(name))
  t.ok(own.length > 20)
  t.strictSame(own.filter(metric => !seriesNames(metric).some(name => shown.includes(name))).map(({ name }) => name), [])
})

t.test('promtool finds nothing wrong with the alerts, the scrape configuration and the metrics', { skip: prometheusSkip }, async t => {
  for (const args of [['check', 'rules', config('prometheus/alerts.yml')], ['check', 'config', config('prometheus/prometheus.yml')]]) {
    const { ok, text } = promtool(args)
    t.ok(ok, text)
  }
  const gateway = await startTestGateway(t, { rules: [rule('open', 'http://127.0.0.1:1')] })
  await newVisitor().fetch(`${gateway.url}/open/x`)
  await signUp(newVisitor(), gateway, 'ada')
  const { text } = await newVisitor().fetch(`${gateway.adminUrl}/metrics`)
  // Those of any Node process are named by prom-client, which promtool would name otherwise.
  const own = text.split('\n\n').filter(metric => !/^# HELP oathgate_(process|nodejs)_/.test(metric)).join('\n')
  const checked = promtool(['check', 'metrics'], `${own.trimEnd()}\n`)
  t.ok(checked.ok, checked.text)
})

function rule(id: string, upstream: string, authenticator = 'noop'): object {
  return {
    id, match: { url: `<https?://[^/]+>/${id}/<.*>`, methods: ['GET'] }, upstream: { url: upstream },
    authenticators: [{ handler: authenticator }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
  }
}

/** The alerts, which do not wait. */
async function impatientAlerts(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'oathgate-alerts-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const text = readFileSync(config('prometheus/alerts.yml'), 'utf8')
  await writeFile(join(folder, 'alerts.yml'), text.replace(/^( +for:).*$/gm, '$1 0s'))
  return join(folder, 'alerts.yml')
}

t.test('a real Prometheus reads a gateway, evaluates everything, and tells when the store is down', { skip: prometheusSkip || redisSkip, timeout: 60_000 }, async t => {
  const redis = await startRedis(t)
  const upstream = await startService(t)
  const gateway = await startTestGateway(t, {
    config: { dsn: redis.url, secrets: { session: [token] }, serve: { admin: { token } } },
    rules: [rule('open', upstream.url), rule('closed', upstream.url, 'cookie_session')],
  })
  const prometheus = await startPrometheus(t, { target: gateway.adminUrl, token, alerts: await impatientAlerts(t) })
  t.equal(await prometheus.target(), 'up')

  const visitor = newVisitor()
  for (let round = 0; round < 3; round++) t.equal((await visitor.fetch(`${gateway.url}/open/x`)).status, 200)
  t.equal((await visitor.fetch(`${gateway.url}/closed/x`)).status, 401)
  const requests = async (selector: string): Promise<number | undefined> => (await prometheus.query(`sum(oathgate_http_requests_total{${selector}})`))[0]?.value
  await until(async () => await requests('rule="closed",outcome="denied",status="4xx"') === 1)
  t.equal(await requests('rule="open",outcome="forwarded",status="2xx"'), 3)
  t.equal((await prometheus.query('oathgate_build_info'))[0]?.labels['node'], process.version)

  for (const expression of dashboardExpressions()) {
    await t.resolves(prometheus.query(expression), expression)
  }
  await until(async () => (await prometheus.rules()).every(({ health }) => health === 'ok'))
  t.equal((await prometheus.rules()).length, alertRules().length, 'every alert evaluates without an error')
  t.notOk((await prometheus.firing()).includes('OathgateStoreDown'))

  await redis.kill('SIGKILL')
  await until(async () => (await prometheus.firing()).includes('OathgateStoreDown'))
  t.equal(await prometheus.target(), 'up', 'the gateway itself is there, and tells')
  await redis.restart()
  await until(async () => !(await prometheus.firing()).includes('OathgateStoreDown'))
  t.pass('and it ends')
})

t.test('a Prometheus without the token reads nothing', { skip: prometheusSkip }, async t => {
  const gateway = await startTestGateway(t, { config: { serve: { admin: { token } } } })
  const prometheus = await startPrometheus(t, { target: gateway.adminUrl })
  t.match(await prometheus.target(), '401')
  t.strictSame(await prometheus.query('oathgate_build_info'), [])
})
