import t, { type Test } from 'tap'

import { ketoEngineAcpOry } from '../../../src/access/authorizers/keto-engine-acp-ory.js'
import type { AuthenticationSession } from '../../../src/access/pipeline.js'
import { makeHandler, remoteServices } from '../../helpers/handler.js'
import { deadOrigin, faults, startService, type Answering, type Service } from '../../helpers/service.js'
import { accessRequest, nobody } from '../requests.js'

const required = { required_action: 'action', required_resource: 'resource' }

function session(over: Partial<AuthenticationSession> = {}): AuthenticationSession {
  const asked = nobody(accessRequest('GET', 'http://gateway.test/users/1/posts'), { subject: 'alice', extra: { tenant: 't-1' }, ...over })
  return { ...asked, match: { ...asked.match, captures: () => ['1', 'posts'] } }
}

async function ask(test: Test, service: Pick<Service, 'url'>, config: object = {}): Promise<AuthenticationSession> {
  return makeHandler(ketoEngineAcpOry, { base_url: service.url, ...required, ...config }, remoteServices(test)).authorize(session())
}

t.test('7.11 mistakes are found when rules are loaded', async test => {
  const load = (config: object) => () => makeHandler(ketoEngineAcpOry, config, remoteServices(test))
  test.throws(load({}), /base_url is required/)
  test.throws(load({ base_url: 'keto', ...required }), /must be a URL/)
  test.throws(load({ base_url: 'http://x/', ...required, flavor: '../../admin' }), /flavor/)
  test.throws(load({ base_url: 'http://x/', ...required, required_action: '{{ nope }}' }), /required_action: 1:4: function "nope" not defined/)
})

t.test('7.11 Keto is asked with rendered templates', async test => {
  const service = await startService(test, { body: { allowed: true } })
  const config = {
    base_url: `${service.url}/keto/`,
    required_action: 'action:{{ printIndex .MatchContext.RegexpCaptureGroups 1 }}',
    required_resource: 'resource:{{ .Extra.tenant }}:{{ printIndex .MatchContext.RegexpCaptureGroups 0 }}',
  }
  test.match(await ask(test, service, config), { subject: 'alice' })
  test.match(service.asked[0], { method: 'POST', target: '/keto/engines/acp/ory/regex/allowed', headers: { 'content-type': 'application/json' } })
  const { context, ...body } = JSON.parse(service.asked[0]?.body ?? '') as { context: { remoteIpAddress: string, requestedAt: string } }
  test.strictSame(body, { action: 'action:posts', resource: 'resource:t-1:1', subject: 'alice' })
  test.equal(context.remoteIpAddress, '192.0.2.7')
  test.ok(Math.abs(Date.parse(context.requestedAt) - Date.now()) < 10_000)

  await ask(test, service, { flavor: 'exact', subject: 'user:{{ .Subject }}' })
  test.equal(service.asked[1]?.target, '/engines/acp/ory/exact/allowed')
  test.match(service.asked[1]?.body, /"subject":"user:alice"/)
})

t.test('7.11 only a plain yes lets the request pass', async test => {
  const rows: readonly (readonly [answer: Answering, code: string])[] = [
    [{ body: { allowed: false } }, 'forbidden'], [{ status: 403, body: { allowed: false } }, 'forbidden'], [{ status: 403, body: { allowed: true } }, 'forbidden'],
    [{ status: 429 }, 'too_many_requests'], [{ status: 500, body: { allowed: true } }, 'internal_error'], [{ status: 404 }, 'internal_error'],
    [{ status: 204 }, 'internal_error'], [{ body: {} }, 'internal_error'], [{ body: { allowed: 'true' } }, 'internal_error'], [{ body: '<html>' }, 'internal_error'],
  ]
  for (const [answer, code] of rows) await test.rejects(ask(test, await startService(test, answer)), { code }, JSON.stringify(answer))
  await test.rejects(ask(test, { url: await deadOrigin(test) }), { code: 'internal_error' })
})

t.test('O10 a Keto that fails lets nobody pass', async test => {
  for (const { name, answer } of faults.filter(({ name }) => name !== 'hangs' && name !== 'answers one byte at a time')) {
    await test.rejects(ask(test, await startService(test, answer)), { code: 'internal_error' }, name)
  }
})
