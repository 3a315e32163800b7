/** What Prometheus reads on the admin listener. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'

import { startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { until } from '../helpers/redis.js'
import { newVisitor } from '../helpers/visitor.js'

const rule = {
  id: 'open', match: { url: 'http://app.test/<.*>', methods: ['GET'] },
  authenticators: [{ handler: 'noop' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
}

async function metric(gateway: TestGateway, name: string): Promise<number> {
  const page = await newVisitor().fetch(`${gateway.adminUrl}/metrics`)
  t.match(page.headers['content-type'], 'text/plain')
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(page.text)?.[1])
}

t.test('X13 a reload that is refused is told of by a metric, until one is taken', async t => {
  const gateway = await startTestGateway(t, { rules: [rule] })
  t.equal(await metric(gateway, 'oathgate_access_rules'), 1)
  t.equal(await metric(gateway, 'oathgate_access_rules_reload_failed'), 0)
  const loaded = await metric(gateway, 'oathgate_access_rules_loaded_timestamp_seconds')
  t.ok(Math.abs(loaded - Date.now() / 1000) < 60)

  await writeFile(join(gateway.folder, 'rules.yml'), '[{ id: broken')
  await until(async () => await metric(gateway, 'oathgate_access_rules_reload_failed') === 1)
  t.equal(await metric(gateway, 'oathgate_access_rules'), 1, 'the last good rules stay')

  await writeFile(join(gateway.folder, 'rules.yml'), JSON.stringify([rule, { ...rule, id: 'other', match: { ...rule.match, url: 'http://other.test/<.*>' } }]))
  await until(async () => await metric(gateway, 'oathgate_access_rules_reload_failed') === 0)
  t.equal(await metric(gateway, 'oathgate_access_rules'), 2)
})

t.test('the process itself is measured, the event loop too', async t => {
  const gateway = await startTestGateway(t)
  t.ok(await metric(gateway, 'oathgate_process_resident_memory_bytes') > 1_000_000)
  t.ok(await metric(gateway, 'oathgate_nodejs_eventloop_lag_seconds') >= 0)
})
