import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'

import { startTestGateway } from '../helpers/gateway.js'
import { redisSkip, startRedis, until } from '../helpers/redis.js'
import { newVisitor, type Page } from '../helpers/visitor.js'
import { version } from '../../src/version.js'

const secret = 'a secret of at least thirty-two letters'

t.test('1.12 both listeners say that they are alive and ready', async t => {
  const gateway = await startTestGateway(t)
  for (const url of [gateway.adminUrl, gateway.publicUrl]) {
    for (const path of ['/health/alive', '/health/ready']) {
      const page = await newVisitor().fetch(`${url}${path}`)
      t.equal(page.status, 200)
      t.equal(page.headers['content-type'], 'application/json; charset=utf-8')
      t.same(page.json(), { status: 'ok' })
    }
  }
  t.same((await newVisitor().fetch(`${gateway.adminUrl}/version`)).json(), { version })
  t.equal((await newVisitor().fetch(`${gateway.url}/version`)).status, 404, 'K6 the public listener tells no version')
})

t.test('1.12 a probe needs no loopback name and no token', async t => {
  const gateway = await startTestGateway(t, { config: { serve: { admin: { token: secret } } } })
  for (const path of ['/health/alive', '/health/ready', '/version']) {
    t.equal((await newVisitor().fetch(`${gateway.adminUrl}${path}`, { host: '10.0.0.7:4434' })).status, 200)
  }
})

t.test('1.12 without its store the gateway is alive but not ready, and ready again when the store is back', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const gateway = await startTestGateway(t, { config: { dsn: redis.url, secrets: { session: [secret] } } })
  const ready = (): Promise<Page> => newVisitor().fetch(`${gateway.adminUrl}/health/ready`)
  t.equal((await ready()).status, 200)

  await redis.kill('SIGKILL')
  const page = await ready()
  t.equal(page.status, 503)
  t.same(page.json(), { errors: { store: 'the store does not answer' } }, 'and nothing of where it is')
  t.equal((await newVisitor().fetch(`${gateway.adminUrl}/health/alive`)).status, 200)

  const asked = await newVisitor().fetch(`${gateway.publicUrl}/health/ready`)
  t.equal(asked.status, 503)
  t.notMatch(asked.text, /redis|127\.0\.0\.1|ECONN/)
  const visit = await newVisitor().visit(`${gateway.publicUrl}/auth/browser/login`)
  t.equal(visit.status, 503, 'a browser is told at once, not sent to a page that could not ask either')
  t.match(visit.headers['content-type'], /^text\/html/)

  await redis.restart()
  await until(async () => (await ready()).status === 200)
  t.pass('ready again')
})

t.test('a gateway that is about to stop says so before it takes no more requests', async t => {
  const gateway = await startTestGateway(t, { config: { serve: { public: { drain_wait: '1s' } } } })
  const stopped = gateway.stop()
  const page = await newVisitor().fetch(`${gateway.adminUrl}/health/ready`)
  t.equal(page.status, 503)
  t.same(page.json(), { errors: { process: 'stopping' } })
  t.equal((await newVisitor().visit(`${gateway.publicUrl}/auth/browser/login`)).status, 302, 'requests are still served')
  await Promise.race([stopped, delay(8000, 'late')]).then(result => { t.not(result, 'late') })
  await t.rejects(newVisitor().fetch(`${gateway.adminUrl}/health/alive`))
})
