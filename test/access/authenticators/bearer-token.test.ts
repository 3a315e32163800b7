import t, { type Test } from 'tap'

import { bearerToken } from '../../../src/access/authenticators/bearer-token.js'
import type { AuthenticationSession } from '../../../src/access/pipeline.js'
import { makeHandler, remoteServices } from '../../helpers/handler.js'
import { faults, startService, type Service } from '../../helpers/service.js'
import { accessRequest, nobody } from '../requests.js'

const known = { sub: '123', extra: { foo: 'bar' } }

interface Sent { readonly method?: string, readonly url?: string, readonly headers?: Readonly<Record<string, string>> }

function check(test: Test, service: Service, config: object, sent: Sent = {}): Promise<AuthenticationSession | undefined> {
  const authenticate = makeHandler(bearerToken, { check_session_url: service.url, ...config }, remoteServices(test))
  const { method = 'GET', url = 'http://some-host/users/123?query=string', headers = { authorization: 'bearer zyx' } } = sent
  return Promise.resolve().then(() => authenticate(nobody(accessRequest(method, url, { headers }))))
}

t.test('7.10 without a token where it should be, the next authenticator is asked', async test => {
  const rows: readonly (readonly [config: object, headers: Record<string, string>])[] = [
    [{}, {}],
    [{}, { authorization: 'Basic eDp5' }],
    [{ token_from: { header: 'X-Custom-Header' } }, { authorization: 'bearer zyx' }],
    [{ token_from: { query_parameter: 'token' } }, { authorization: 'bearer zyx' }],
    [{ token_from: { cookie: 'token' } }, { authorization: 'bearer zyx' }],
    [{ prefix: 'not_secret' }, { authorization: 'bearer secret_token' }],
  ]
  for (const [config, headers] of rows) {
    const service = await startService(test, { body: known })
    test.equal(await check(test, service, config, { headers }), undefined, JSON.stringify(config))
    test.equal(service.asked.length, 0)
  }
})

t.test('7.10 what the store says counts', async test => {
  test.match(await check(test, await startService(test, { body: known }), {}), { subject: '123', extra: { foo: 'bar' } })
  await test.rejects(check(test, await startService(test, { status: 400, body: known }), {}), { code: 'unauthorized' })
  await test.rejects(check(test, await startService(test, { status: 429, headers: { 'Retry-After': '3' } }), {}), { code: 'too_many_requests', headers: { 'Retry-After': '3' } })
  const document = { identity: { sub: '1' } }
  const service = await startService(test, { body: document })
  test.match(await check(test, service, { subject_from: 'identity.sub', extra_from: '@this' }), { subject: '1', extra: document })
})

t.test('7.10 method, path and query of the check', async test => {
  const rows: readonly (readonly [path: string, config: object, asked: string])[] = [
    ['', { preserve_query: true }, 'PUT /users/123'],
    ['', { preserve_path: true, preserve_query: false }, 'PUT /?query=string'],
    ['', { force_method: 'GET', prefix: 'zy' }, 'GET /users/123'],
    ['/configured/path?q=configured-query', { preserve_path: true, preserve_query: true }, 'PUT /configured/path?q=configured-query'],
  ]
  for (const [path, config, asked] of rows) {
    const service = await startService(test, { body: known })
    await check(test, service, { check_session_url: service.url + path, ...config }, { method: 'PUT', headers: { authorization: 'bearer zyx' } })
    test.strictSame(service.asked.map(({ method, target }) => `${method} ${target}`), [asked])
  }
})

t.test('7.10 the store gets Authorization and the named fields, not the cookie', async test => {
  const service = await startService(test, { body: known })
  const headers = { 'authorization': 'bearer zyx', 'cookie': 'a=1', 'x-user': '123', 'content-length': '3' }
  await check(test, service, { forward_http_headers: ['X-UsEr'], preserve_host: true, additional_headers: { 'X-Forwarded-Host': 'no', 'X-Foo': 'bar' } }, { method: 'POST', headers })
  const { host: _, connection: __, 'content-length': length = '0', ...got } = service.asked[0]?.headers ?? {}
  test.strictSame(got, { 'authorization': 'bearer zyx', 'x-user': '123', 'x-forwarded-host': 'some-host', 'x-foo': 'bar' })
  test.equal(length, '0')
  test.equal(service.asked[0]?.body, '')
})

t.test('7.10 a token in the query reaches the store with preserve_query: false', async test => {
  const service = await startService(test, { body: known })
  await check(test, service, { token_from: { query_parameter: 'token' }, preserve_query: false, force_method: 'GET' }, { method: 'POST', url: 'http://some-host/test?token=token', headers: {} })
  test.match(service.asked[0], { method: 'GET', target: '/test?token=token' })
})

t.test('O10 a store that fails lets nobody pass', async test => {
  for (const { name, answer } of faults) {
    const code = name === 'redirects' || name === 'answers 500' ? 'unauthorized' : 'forbidden'
    await test.rejects(check(test, await startService(test, answer), { timeout: '200ms' }), { code }, name)
  }
})

t.test('token_from names one place', async test => {
  for (const token_from of [{}, { header: 'a', cookie: 'b' }, { headre: 'a' }, 'header']) {
    test.throws(() => makeHandler(bearerToken, { check_session_url: 'http://x/', token_from }, remoteServices(test)), /token_from/)
  }
  test.throws(() => makeHandler(bearerToken, {}, remoteServices(test)), /check_session_url is required/)
})
