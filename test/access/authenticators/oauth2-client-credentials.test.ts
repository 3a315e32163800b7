import t, { type Test } from 'tap'

import { oauth2ClientCredentials } from '../../../src/access/authenticators/oauth2-client-credentials.js'
import type { AuthenticationSession, Services } from '../../../src/access/pipeline.js'
import { makeHandler, remoteServices } from '../../helpers/handler.js'
import { deadOrigin, faults, startService, type Service } from '../../helpers/service.js'
import { accessRequest, nobody } from '../requests.js'

const issued = { body: { access_token: 'foo-token', token_type: 'bearer', expires_in: 3600 } }

function basic(credentials: string): string {
  return `Basic ${Buffer.from(credentials).toString('base64')}`
}

function make(test: Test, service: Pick<Service, 'url'>, config: object = {}, services: Services = remoteServices(test)): (authorization?: string) => Promise<AuthenticationSession | undefined> {
  const authenticate = makeHandler(oauth2ClientCredentials, { token_url: `${service.url}/token`, ...config }, services)
  return async authorization => authenticate(nobody(accessRequest('GET', 'http://some-host/', authorization === undefined ? {} : { headers: { authorization } })))
}

t.test('7.10 without Basic credentials the next authenticator is asked', async test => {
  const service = await startService(test, issued)
  for (const authorization of [undefined, '', 'Bearer x', 'Basic', 'Basic !', basic('no colon')]) {
    test.equal(await make(test, service)(authorization), undefined, String(authorization))
  }
  test.equal(service.asked.length, 0)
})

t.test('7.10 accepted credentials make the client the subject', async test => {
  const service = await startService(test, issued)
  test.match(await make(test, service, { required_scope: ['a', 'b'] })(basic('client%20id:se%3Acret')), { subject: 'client id' })
  test.match(service.asked[0], {
    method: 'POST', target: '/token', headers: { authorization: basic('client+id:se%3Acret'), 'content-type': 'application/x-www-form-urlencoded' },
  })
  test.strictSame(Object.fromEntries(new URLSearchParams(service.asked[0]?.body)), { grant_type: 'client_credentials', scope: 'a b' })
})

t.test('7.10 how the server\'s refusals are handed on', async test => {
  const rows: readonly (readonly [status: number, code: string])[] = [
    [401, 'unauthorized'], [403, 'unauthorized'], [400, 'unauthorized'], [302, 'unauthorized'], [204, 'unauthorized'], [502, 'unauthorized'],
    [404, 'not_found'], [429, 'too_many_requests'], [500, 'internal_error'], [503, 'service_unavailable'], [504, 'upstream_timeout'],
  ]
  for (const [status, code] of rows) {
    await test.rejects(make(test, await startService(test, { status, headers: { 'Retry-After': '1' } }))(basic('id:secret')), { code }, String(status))
  }
  await test.rejects(make(test, { url: await deadOrigin(test) })(basic('id:secret')), { code: 'service_unavailable' })
  await test.rejects(make(test, await startService(test, issued))(basic('id:%zz')), { code: 'unauthorized' })
})

t.test('O10 a server that fails lets nobody pass', async test => {
  for (const { name, answer } of faults.filter(({ name }) => name !== 'hangs' && name !== 'answers one byte at a time')) {
    await test.rejects(make(test, await startService(test, answer))(basic('id:secret')), { name: 'GatewayError' }, name)
  }
  for (const body of ['', '{}', '[]', '<html>', '{"access_token":""}', '{"access_token":1}']) {
    await test.rejects(make(test, await startService(test, { body }))(basic('id:secret')), { code: 'unauthorized' }, body)
  }
})

t.test('7.10 H14 accepted credentials are remembered for their own question only', async test => {
  const services = remoteServices(test)
  const service = await startService(test, issued)
  const cache = { enabled: true, ttl: '1m' }
  const ask = make(test, service, { cache }, services)
  await ask(basic('id:secret'))
  await ask(basic('id:secret'))
  test.equal(service.asked.length, 1, 'hit')

  service.answer({ status: 401 })
  await test.rejects(ask(basic('id:guess')), { code: 'unauthorized' }, 'another secret')
  await test.rejects(ask(basic('id2:secret')), { code: 'unauthorized' }, 'another client')
  await test.rejects(make(test, service, { cache, required_scope: ['a'] }, services)(basic('id:secret')), { code: 'unauthorized' }, 'other scopes')
  const other = await startService(test, { status: 401 })
  await test.rejects(make(test, other, { cache }, services)(basic('id:secret')), { code: 'unauthorized' }, 'another server')
  await test.rejects(make(test, service, {}, services)(basic('id:secret')), { code: 'unauthorized' }, 'a rule that remembers nothing')
  test.match(await ask(basic('id:secret')), { subject: 'id' })
})

t.test('7.10 remembering ends with the token, and with ttl', async test => {
  for (const [answer, cache] of [
    [{ body: { access_token: 'x', expires_in: 0.1 } }, { enabled: true }],
    [issued, { enabled: true, ttl: '100ms' }],
    [{ body: { access_token: 'x' } }, { enabled: true, ttl: '100ms' }],
  ] as const) {
    const service = await startService(test, answer)
    const ask = make(test, service, { cache })
    await ask(basic('id:secret'))
    test.equal(service.asked.length, 1)
    await new Promise(resolve => setTimeout(resolve, 150))
    await ask(basic('id:secret'))
    test.equal(service.asked.length, 2)
  }
})
