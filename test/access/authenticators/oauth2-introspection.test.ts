import t, { type Test } from 'tap'

import { oauth2Introspection } from '../../../src/access/authenticators/oauth2-introspection.js'
import type { Authenticate, AuthenticationSession, Services } from '../../../src/access/pipeline.js'
import type { GatewayError } from '../../../src/errors.js'
import { makeHandler, remoteServices } from '../../helpers/handler.js'
import { deadOrigin, faults, startService, type Service } from '../../helpers/service.js'
import { accessRequest, nobody } from '../requests.js'

const now = Math.floor(Date.now() / 1000)
const active = { active: true, sub: 'ann', iss: 'iss', aud: ['aud'], username: 'ann', client_id: 'app', scope: 'scope-a scope-b', ext: { extra: 'foo' } }

type Sent = Parameters<typeof accessRequest>[2]
const withToken: Sent = { headers: { authorization: 'bearer token' } }

function make(test: Test, service: Pick<Service, 'url'>, config: object = {}, services: Services = remoteServices(test)): (sent?: Sent, query?: string) => Promise<AuthenticationSession | undefined> {
  const authenticate: Authenticate = makeHandler(oauth2Introspection, { introspection_url: `${service.url}/introspect`, ...config }, services)
  return async (sent = withToken, query = '') => authenticate(nobody(accessRequest('GET', `http://some-host/${query}`, sent)))
}

t.test('7.10 without a token where it should be, nobody is asked', async test => {
  const service = await startService(test, { body: active })
  const rows: readonly (readonly [config: object, sent: Sent])[] = [
    [{}, {}], [{}, { headers: { authorization: 'Basic eDp5' } }], [{ token_from: { header: 'X-Token' } }, withToken],
    [{ token_from: { query_parameter: 'token' } }, withToken], [{ token_from: { cookie: 'token' } }, withToken], [{ prefix: 'ory_at_' }, withToken],
  ]
  for (const [config, sent] of rows) test.equal(await make(test, service, config)(sent), undefined, JSON.stringify(config))
  test.equal(service.asked.length, 0)
})

t.test('7.10 a token is introspected wherever it may be', async test => {
  const service = await startService(test, { body: active })
  test.match(await make(test, service, { token_from: { header: 'X-Token' } })({ headers: { 'x-token': 'token' } }), { subject: 'ann' })
  test.match(await make(test, service, { token_from: { query_parameter: 'token' } })({}, '?token=token'), { subject: 'ann' })
  test.match(await make(test, service, { token_from: { cookie: 'token' } })({ headers: { cookie: 'token=token' } }), { subject: 'ann' })
  test.match(await make(test, service, { prefix: 'to' })(), { subject: 'ann' })
  for (const asked of service.asked) {
    test.match(asked, { method: 'POST', target: '/introspect', body: 'token=token', headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  }
})

t.test('7.10 what the session knows of an active token', async test => {
  const session = await make(test, await startService(test, { body: active }))()
  test.strictSame(session?.extra, { extra: 'foo', username: 'ann', client_id: 'app', scope: 'scope-a scope-b', aud: ['aud'] })
  const little = await make(test, await startService(test, { body: { active: true, aud: 'one' } }))()
  test.match(little, { subject: '', extra: { username: '', client_id: '', scope: '', aud: ['one'] } })
})

t.test('7.10 without a strategy the server is told the scopes and judges them', async test => {
  for (const config of [{}, { scope_strategy: 'none' }]) {
    const service = await startService(test, { body: { ...active, scope: 'none of them' } })
    test.match(await make(test, service, { ...config, required_scope: ['scope-a', 'scope-b'] })(), { subject: 'ann' })
    test.equal(new URLSearchParams(service.asked[0]?.body).get('scope'), 'scope-a scope-b')
  }
  const service = await startService(test, { body: active })
  await make(test, service, { scope_strategy: 'exact', required_scope: ['scope-a'] })()
  test.equal(service.asked[0]?.body, 'token=token', 'with one it is not')
})

t.test('7.10 what a rule asks of a token', async test => {
  const rows: readonly (readonly [name: string, config: object, facts: object, code: string | undefined, reason?: RegExp])[] = [
    ['exact', { scope_strategy: 'exact', required_scope: ['scope-a', 'scope-b'] }, {}, undefined],
    ['exact', { scope_strategy: 'exact', required_scope: ['scope-c'] }, {}, 'forbidden', /Scope scope-c was not granted/],
    ['hierarchic', { scope_strategy: 'hierarchic', required_scope: ['scope-b.foo'] }, {}, undefined],
    ['hierarchic', { scope_strategy: 'hierarchic', required_scope: ['scope-c.foo'] }, {}, 'forbidden'],
    ['wildcard', { scope_strategy: 'wildcard', required_scope: ['scope-b.foo'] }, { scope: 'scope-b.*' }, undefined],
    ['wildcard', { scope_strategy: 'wildcard', required_scope: ['scope-b.foo'] }, { scope: 'scope-b' }, 'forbidden'],
    ['issuer', { trusted_issuers: ['iss', 'other'] }, {}, undefined],
    ['issuer', { trusted_issuers: ['other'] }, {}, 'forbidden', /issuer/],
    ['issuer', { trusted_issuers: ['other'] }, { iss: undefined }, 'forbidden', /issuer/],
    ['audience', { target_audience: ['aud'] }, { aud: 'aud' }, undefined],
    ['audience', { target_audience: ['aud', 'aud-2'] }, {}, 'forbidden', /target audience aud-2/],
    ['inactive', {}, { active: false }, 'unauthorized', /not active/],
    ['active by a text', {}, { active: 'true' }, 'unauthorized', /not active/],
    ['active by nothing', {}, { active: undefined }, 'unauthorized', /not active/],
    ['expired', {}, { exp: now - 10 }, 'unauthorized', /expired/],
    ['not expired', {}, { exp: now + 100 }, undefined],
    ['token_use', {}, { token_use: 'access_token' }, undefined],
    ['token_use', {}, { token_use: 'any-token-use' }, 'forbidden', /not an access token/],
    ['a refresh token', {}, { token_use: 'refresh_token' }, 'forbidden'],
  ]
  for (const [name, config, facts, code, reason] of rows) {
    const outcome = make(test, await startService(test, { body: { ...active, ...facts } }), config)()
    if (code === undefined) test.match(await outcome, { subject: 'ann' }, name)
    else await outcome.then(() => test.fail(name), (error: GatewayError) => test.match(error, { code, ...reason === undefined ? {} : { reason } }, name))
  }
})

t.test('7.10 a server that does not answer 200 is our failure, but 429 is quoted', async test => {
  for (const status of [204, 302, 400, 401, 404, 500, 503]) {
    await test.rejects(make(test, await startService(test, { status, body: status === 204 ? '' : active }))(), { code: 'internal_error' }, String(status))
  }
  await test.rejects(make(test, await startService(test, { status: 429, headers: { 'Retry-After': '5' } }))(), { code: 'too_many_requests', headers: { 'Retry-After': '5' } })
})

t.test('O10 a server that fails lets nobody pass', async test => {
  for (const { name, answer } of faults.filter(({ name }) => name !== 'hangs' && name !== 'answers one byte at a time')) {
    await test.rejects(make(test, await startService(test, answer))(), { code: 'internal_error' }, name)
  }
  for (const body of ['', '<html>', '[]', 'true', '"active"']) {
    await test.rejects(make(test, await startService(test, { body }))(), { code: 'internal_error' }, body)
  }
  await test.rejects(make(test, { url: await deadOrigin(test) })(), { code: 'internal_error' })
})

t.test('7.10 header fields of the question', async test => {
  const service = await startService(test, { body: active })
  await make(test, service, { preserve_host: true, introspection_request_headers: { 'X-Foo': 'bar', 'Content-Type': 'no', 'X-Forwarded-Host': 'no' } })()
  test.match(service.asked[0]?.headers, { 'x-foo': 'bar', 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-host': 'some-host' })
  test.equal(service.asked[0]?.headers.authorization, undefined, 'the client\'s token goes in the form alone')
})

t.test('7.10 pre_authorization gets a token, and uses it again', async test => {
  for (const scope of [undefined, ['scope-x', 'scope-y']]) {
    const issuer = await startService(test, { body: { access_token: 'foo-token', expires_in: 3600 } })
    const service = await startService(test, { body: active })
    const authenticate = make(test, service, {
      pre_authorization: { enabled: true, client_id: 'some id', client_secret: 's:cret', token_url: `${issuer.url}/token`, audience: 'https://audience.test', ...scope === undefined ? {} : { scope } },
    })
    await authenticate()
    await authenticate()
    test.equal(issuer.asked.length, 1)
    const form = new URLSearchParams(issuer.asked[0]?.body)
    test.strictSame(Object.fromEntries(form), { grant_type: 'client_credentials', audience: 'https://audience.test', ...scope === undefined ? {} : { scope: 'scope-x scope-y' } })
    test.equal(issuer.asked[0]?.headers.authorization, `Basic ${Buffer.from('some+id:s%3Acret').toString('base64')}`)
    test.strictSame(service.asked.map(({ headers }) => headers.authorization), ['Bearer foo-token', 'Bearer foo-token'])
  }
  for (const answer of [{ status: 401 }, { body: {} }, { body: { access_token: '' } }, { body: 'x' }]) {
    const issuer = await startService(test, answer)
    const service = await startService(test, { body: active })
    const pre_authorization = { enabled: true, client_id: 'a', client_secret: 'b', token_url: issuer.url }
    await test.rejects(make(test, service, { pre_authorization })(), { code: 'internal_error' })
    test.equal(service.asked.length, 0)
  }
})

t.test('7.10 what is remembered', async test => {
  const cache = { enabled: true, ttl: '1m' }
  const rows: readonly (readonly [name: string, config: object, facts: object, calls: number])[] = [
    ['no scope', { cache }, {}, 1],
    ['scopes compared here', { cache, scope_strategy: 'exact', required_scope: ['scope-a'] }, {}, 1],
    ['scopes compared there', { cache, required_scope: ['scope-a'] }, {}, 2],
    ['an inactive token', { cache }, { active: false }, 2],
    ['not asked for', {}, {}, 2],
  ]
  for (const [name, config, facts, calls] of rows) {
    const service = await startService(test, { body: { ...active, ...facts } })
    const authenticate = make(test, service, config)
    await authenticate().catch(() => undefined)
    await authenticate().catch(() => undefined)
    test.equal(service.asked.length, calls, name)
  }
})

t.test('H14 what is remembered for one rule is judged anew by another', async test => {
  const services = remoteServices(test)
  const cache = { enabled: true }
  const exp = Math.floor(Date.now() / 1000) + 5
  const service = await startService(test, { body: { ...active, exp } })
  test.match(await make(test, service, { cache }, services)(), { subject: 'ann' })
  service.answer({ status: 500 })

  const scopes = { scope_strategy: 'wildcard', required_scope: ['scope-c'] }
  await test.rejects(make(test, service, { cache, ...scopes }, services)(), { code: 'forbidden' }, 'scope (GHSA-qvp4-rpmr-xwrr)')
  await test.rejects(make(test, service, { cache, target_audience: ['other'] }, services)(), { code: 'forbidden' }, 'audience')
  await test.rejects(make(test, service, { cache, trusted_issuers: ['other'] }, services)(), { code: 'forbidden' }, 'issuer')
  test.equal(service.asked.length, 1, 'all of it from memory')

  const elsewhere = await startService(test, { body: { active: false } })
  await test.rejects(make(test, elsewhere, { cache }, services)(), { code: 'unauthorized' }, 'another server (GHSA-4mq7-pvjg-xp2r)')
  await test.rejects(make(test, service, { cache }, services)({ headers: { authorization: 'bearer other' } }), { code: 'internal_error' }, 'another token')
  await test.rejects(make(test, service, { cache, introspection_request_headers: { 'x-tenant': '2' } }, services)(), { code: 'internal_error' }, 'asked in other words')
  await test.rejects(make(test, service, { cache, preserve_host: true }, services)(), { code: 'internal_error' }, 'asked for a host')

  while (Date.now() <= exp * 1000) await new Promise(resolve => setTimeout(resolve, 100))
  await test.rejects(make(test, service, { cache }, services)(), { code: 'unauthorized' }, 'expired meanwhile')
})

t.test('7.10 remembering ends after ttl', async test => {
  const service = await startService(test, { body: active })
  const authenticate = make(test, service, { cache: { enabled: true, ttl: '100ms' } })
  await authenticate()
  await new Promise(resolve => setTimeout(resolve, 150))
  await authenticate()
  test.equal(service.asked.length, 2)
})

t.test('mistakes are found when rules are loaded', async test => {
  const load = (config: object) => () => makeHandler(oauth2Introspection, config, remoteServices(test))
  const url = { introspection_url: 'http://x/' }
  const whole = { enabled: true, client_id: 'a', client_secret: 'b', token_url: 'http://x/' }
  test.throws(load({}), /introspection_url is required/)
  test.throws(load({ introspection_url: '/introspect' }), /introspection_url must be a URL/)
  for (const missing of ['client_id', 'client_secret', 'token_url']) {
    test.throws(load({ ...url, pre_authorization: { ...whole, [missing]: undefined } }), /pre_authorization/, missing)
  }
  for (const empty of ['client_id', 'client_secret', 'token_url']) {
    test.throws(load({ ...url, pre_authorization: { ...whole, [empty]: '' } }), /pre_authorization/, empty)
  }
  test.throws(load({ ...url, pre_authorization: { ...whole, token_url: 'foo' } }), /token_url must be a URL/)
  test.throws(load({ ...url, pre_authorization: { enabled: false, token_url: 'foo' } }), /token_url must be a URL/)
  test.doesNotThrow(load({ ...url, pre_authorization: whole }))
})
