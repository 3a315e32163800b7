import t, { type Test } from 'tap'

import { cookieSession } from '../../../src/access/authenticators/cookie-session.js'
import type { AuthenticationSession } from '../../../src/access/pipeline.js'
import { makeHandler, remoteServices } from '../../helpers/handler.js'
import { deadOrigin, faults, startService, type Service } from '../../helpers/service.js'
import { accessRequest, nobody } from '../requests.js'

interface Sent {
  readonly method?: string
  readonly url?: string
  readonly headers?: Readonly<Record<string, string>>
}

const known = { subject: '123', extra: { foo: 'bar' } }

function check(test: Test, service: Service, config: object, sent: Sent = {}): Promise<AuthenticationSession | undefined> {
  const authenticate = makeHandler(cookieSession, { check_session_url: service.url, ...config }, remoteServices(test))
  const { method = 'GET', url = 'http://some-host/', headers = { cookie: 'sessionid=zyx' } } = sent
  return Promise.resolve().then(() => authenticate(nobody(accessRequest(method, url, { headers }))))
}

const put: Sent = { method: 'PUT', url: 'http://some-host/users/123?query=string', headers: { cookie: 'sessionid=zyx' } }

t.test('CS-1 a store that says 400 means 401', async test => {
  for (const status of [204, 302, 400, 401, 403, 404, 500, 503]) {
    const service = await startService(test, { status, body: status === 204 ? '' : known })
    await test.rejects(check(test, service, {}), { code: 'unauthorized' }, String(status))
  }
})

t.test('CS-2 subject and extra come from the answer', async test => {
  test.match(await check(test, await startService(test, { body: known }), {}), known)
})

t.test('CS-3 to CS-6 method, path and query of the check', async test => {
  const rows: readonly (readonly [id: string, path: string, config: object, asked: string])[] = [
    ['CS-3', '', { preserve_query: false }, 'PUT /users/123?query=string'],
    ['CS-3 default', '', {}, 'PUT /users/123'],
    ['CS-4', '', { preserve_path: true, preserve_query: true }, 'PUT /'],
    ['CS-5', '/configured/path?q=configured-query', { preserve_path: true, preserve_query: true }, 'PUT /configured/path?q=configured-query'],
    ['preserve_path alone', '/configured/path?q=1', { preserve_path: true, preserve_query: false }, 'PUT /configured/path?query=string'],
    ['CS-6', '', { force_method: 'GET' }, 'GET /users/123'],
  ]
  for (const [id, path, config, asked] of rows) {
    const service = await startService(test, { body: known })
    await check(test, service, { check_session_url: service.url + path, ...config }, put)
    test.strictSame(service.asked.map(({ method, target }) => `${method} ${target}`), [asked], id)
  }
  const service = await startService(test, { body: known })
  test.match(await check(test, service, {}, { ...put, method: 'HEAD' }), known, 'HEAD has no document, so GET asks')
  test.equal(service.asked[0]?.method, 'GET')
})

t.test('CS-7 CS-8 preserve_host tells the host, whatever additional_headers say', async test => {
  const service = await startService(test, { body: known })
  const headers = { cookie: 'sessionid=zyx' }
  await check(test, service, { preserve_host: true, additional_headers: { 'X-Forwarded-Host': 'not-some-host', 'X-Foo': 'bar' } }, { ...put, headers })
  test.match(service.asked[0]?.headers, { 'x-forwarded-host': 'some-host', 'x-foo': 'bar' })
  test.strictSame(headers, { cookie: 'sessionid=zyx' }, 'the request is as it was')
})

t.test('CS-9 the body stays with the request', async test => {
  const service = await startService(test, { body: known })
  await check(test, service, {}, { method: 'POST', headers: { 'cookie': 'sessionid=zyx', 'content-length': '4', 'content-type': 'text/plain' } })
  test.equal(service.asked[0]?.body, '')
  test.equal(service.asked[0]?.headers['content-length'] ?? '0', '0')
  test.equal(service.asked[0]?.headers['content-type'], undefined)
})

t.test('CS-10 to CS-12 which cookies matter', async test => {
  const rows: readonly (readonly [id: string, config: object, headers: Record<string, string>, responsible: boolean])[] = [
    ['CS-10', { only: ['session', 'sid'] }, { cookie: 'sessionid=zyx' }, false],
    ['CS-11', {}, {}, false],
    ['CS-12', { only: ['session', 'sid'] }, { cookie: 'sid=zyx' }, true],
    ['an empty value', { only: ['sid'] }, { cookie: 'sid=' }, true],
    ['in the middle', { only: ['sid'] }, { cookie: 'a=1;  sid=x; b=2' }, true],
    ['no cookie at all', {}, { cookie: '' }, false],
  ]
  for (const [id, config, headers, responsible] of rows) {
    const service = await startService(test, { body: known })
    const session = await check(test, service, config, { headers })
    test.equal(session !== undefined, responsible, id)
    test.equal(service.asked.length, responsible ? 1 : 0, `${id}: calls`)
  }
})

t.test('CS-13 CS-14 where subject and extra are', async test => {
  const document = { identity: { id: '123' }, session: { foo: 'bar' } }
  const service = await startService(test, { body: document })
  test.match(await check(test, service, { subject_from: 'identity.id', extra_from: 'session' }), { subject: '123', extra: { foo: 'bar' } })
  test.strictSame((await check(test, service, { subject_from: 'identity.id', extra_from: '@this' }))?.extra, document)
  test.match(await check(test, service, { subject_from: 'nowhere', extra_from: 'nowhere' }), { subject: '', extra: undefined })
})

t.test('CS-15 CS-16 the store gets the cookie and the named fields, no others', async test => {
  const headers = { 'cookie': 'sessionid=zyx', 'x-user': '123', 'accept-encoding': 'br', 'authorization': 'Bearer x', 'accept': '*/*' }
  const rows: readonly (readonly [names: string[], passed: object])[] = [
    [[], {}], [['X-User'], { 'x-user': '123' }], [['acCept-enCodinG'], { 'accept-encoding': 'br' }], [['Authorization'], { authorization: 'Bearer x' }],
    [['X-Absent'], {}],
  ]
  for (const [forward_http_headers, passed] of rows) {
    const service = await startService(test, { body: known })
    await check(test, service, { forward_http_headers }, { headers })
    const { host: _, connection: __, ...got } = service.asked[0]?.headers ?? {}
    test.strictSame(got, { cookie: 'sessionid=zyx', ...passed })
  }
})

t.test('H6 what only a proxy may say is passed on from trusted ones only', async test => {
  const service = await startService(test, { body: known })
  const headers = { 'cookie': 'a=1', 'x-forwarded-for': '6.6.6.6', 'x-real-ip': '6.6.6.6', 'host': 'evil', 'connection': 'x', 'content-length': '3' }
  const forward_http_headers = Object.keys(headers)
  await check(test, service, { forward_http_headers }, { headers })
  const { host, connection, ...got } = service.asked[0]?.headers ?? {}
  test.strictSame(got, { cookie: 'a=1' })
  test.match(host, /^127\.0\.0\.1/)
  test.not(connection, 'x')

  const authenticate = makeHandler(cookieSession, { check_session_url: service.url, forward_http_headers }, remoteServices(test))
  await authenticate(nobody({ ...accessRequest('GET', 'http://some-host/', { headers }), peer: { address: '10.0.0.1', trusted: true } }))
  test.equal(service.asked[1]?.headers['x-forwarded-for'], '6.6.6.6')
})

t.test('CS-17 a store that says 429 is quoted', async test => {
  const all = { 'Retry-After': '7', 'X-Ratelimit-Limit': '10', 'X-Ratelimit-Remaining': '0', 'X-Ratelimit-Reset': '9', 'X-Ratelimit-Type': 'ip' }
  await test.rejects(check(test, await startService(test, { status: 429, headers: { ...all, 'X-Other': 'x' } }), {}), { code: 'too_many_requests', headers: all })
  const some = await startService(test, { status: 429, headers: { 'Retry-After': '7' } })
  await check(test, some, {}).then(() => test.fail('accepted'), (error: { headers: object }) => test.strictSame(error.headers, { 'Retry-After': '7' }))
})

t.test('0.11 an answer without a subject is a session without one, unless the rule wants one', async test => {
  for (const body of ['', '{}', '{"subject":""}', '{"subject":null,"extra":null}']) {
    const service = await startService(test, { body })
    test.match(await check(test, service, {}), { subject: '', extra: undefined }, body)
    await test.rejects(check(test, service, { require_subject: true }), { code: 'unauthorized' }, body)
  }
})

t.test('O10 garbage is no session', async test => {
  for (const body of ['<!doctype html>', '[]', '"123"', '{"subject":1}', '{"subject":"1","extra":[]}', '{"subject":"1"', '[['.repeat(50_000), `{"extra":${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`]) {
    await test.rejects(check(test, await startService(test, { body }), {}), { code: 'forbidden' }, body.slice(0, 20))
  }
})

t.test('O10 a store that fails lets nobody pass, and does so in time', async test => {
  for (const { name, answer } of faults) {
    const service = await startService(test, answer)
    const code = name === 'redirects' || name === 'answers 500' ? 'unauthorized' : 'forbidden'
    await test.rejects(check(test, service, { timeout: '200ms' }), { code }, name)
    if (code === 'forbidden') await test.rejects(check(test, service, { timeout: '200ms', on_unreachable: 'unavailable' }), { code: 'service_unavailable' }, name)
  }
  await test.rejects(check(test, { url: await deadOrigin(test) } as Service, {}), { code: 'forbidden' })
})

t.test('the path of a request can\'t lead the check to another host', async test => {
  const service = await startService(test, { body: known })
  for (const path of ['/@evil.test/', '/%2F%2Fevil.test', '/:80@evil.test', '/http://evil.test/']) {
    await check(test, service, {}, { url: `http://some-host${path}` })
    test.equal(service.asked.at(-1)?.target, path)
  }
})

t.test('mistakes are found when rules are loaded', async test => {
  const make = (config: object) => () => makeHandler(cookieSession, config, remoteServices(test))
  test.throws(make({ check_session_url: 'not a url' }), /check_session_url must be a URL/)
  test.throws(make({ check_session_url: 'ftp://x/' }), /http or https/)
  test.throws(make({ check_session_url: 'http://x/', subject_from: 'a.#.b' }), /subject_from/)
  test.throws(make({ check_session_url: 'http://x/', additional_headers: { Host: 'x' } }), /can not be set/)
  test.throws(make({ check_session_url: 'http://x/', checksession: 1 }), /is not a known key/)
})
