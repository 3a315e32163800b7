import t, { type Test } from 'tap'

import { hydrator } from '../../../src/access/mutators/hydrator.js'
import type { AuthenticationSession, Services } from '../../../src/access/pipeline.js'
import type { GatewayError } from '../../../src/errors.js'
import type { JsonObject } from '../../../src/store/records.js'
import { makeHandler, remoteServices } from '../../helpers/handler.js'
import { deadOrigin, faults, startService, type Answering } from '../../helpers/service.js'
import { accessRequest, nobody } from '../requests.js'

function session(over: Partial<AuthenticationSession> = {}, query = '', headers: Readonly<Record<string, string>> = {}): AuthenticationSession {
  const asked = nobody(accessRequest('GET', `http://gateway.test/orders/4%202${query}`, { headers }), { subject: 'foo', extra: { bar: 'baz' }, header: { 'x-user': 'foo' }, ...over })
  return { ...asked, match: { ...asked.match, captures: () => ['42'] } }
}

async function hydrate(test: Test, api: object, asked = session(), config: object = {}, services: Services = remoteServices(test)): Promise<AuthenticationSession> {
  return makeHandler(hydrator, { api, ...config }, services).mutate(asked)
}

async function failureOf(promise: Promise<unknown>): Promise<GatewayError> {
  return promise.then(() => { throw new Error('it passed') }, (error: GatewayError) => error)
}

/** Answers with the session it was sent, changed. */
function echo(change: (document: JsonObject) => JsonObject = document => document): Answering {
  return (res, { body }) => { res.end(JSON.stringify(change(JSON.parse(body) as JsonObject))) }
}

t.test('3.1 the service gets the session as JSON', async test => {
  const service = await startService(test, echo())
  await hydrate(test, { url: `${service.url}/hydrate` }, session({}, '?a=1', { 'accept': '*/*', 'x-forwarded-for': '6.6.6.6' }))
  test.match(service.asked[0], { method: 'POST', headers: { 'content-type': 'application/json' } })
  test.strictSame(JSON.parse(service.asked[0]?.body ?? ''), {
    subject: 'foo', extra: { bar: 'baz' }, header: { 'X-User': ['foo'] },
    match_context: {
      regexp_capture_groups: ['42'], method: 'GET', header: { Accept: ['*/*'] },
      url: {
        Scheme: 'http', Opaque: '', User: null, Host: 'gateway.test', Path: '/orders/4 2', RawPath: '', OmitHost: false, ForceQuery: false,
        RawQuery: 'a=1', Fragment: '', RawFragment: '',
      },
    },
  })
  await hydrate(test, { url: service.url }, session({ extra: undefined, header: {} }))
  test.match(JSON.parse(service.asked[1]?.body ?? ''), { extra: null, header: {} })
})

t.test('7.12 what it answers takes the place of what was there', async test => {
  const rows: readonly (readonly [name: string, change: (document: JsonObject) => JsonObject, expected: object])[] = [
    ['unchanged', document => document, { extra: { bar: 'baz' }, header: { 'x-user': 'foo' } }],
    ['adds', document => ({ ...document, extra: { bar: 'baz', more: 1 } }), { extra: { bar: 'baz', more: 1 } }],
    ['overrides', document => ({ ...document, extra: { bar: 'other' } }), { extra: { bar: 'other' } }],
    ['nests', document => ({ ...document, extra: { a: { b: ['c'] } } }), { extra: { a: { b: ['c'] } } }],
    ['removes', ({ subject }) => ({ subject: subject ?? '' }), { extra: undefined, header: {} }],
    ['header', document => ({ ...document, header: { 'X-New': ['1', '2'], 'x-text': 'x' } }), { header: { 'x-new': '1', 'x-text': 'x' } }],
  ]
  for (const [name, change, expected] of rows) {
    const hydrated = await hydrate(test, { url: (await startService(test, echo(change))).url })
    test.match(hydrated, { subject: 'foo', ...expected }, name)
    test.strictSame(Object.keys(hydrated.header), Object.keys((expected as { header?: object }).header ?? { 'x-user': '' }), name)
  }
})

t.test('what no rule could set, an answer can\'t either', async test => {
  const header = { 'Host': ['evil'], 'Content-Length': ['0'], 'Transfer-Encoding': ['chunked'], 'Connection': ['x'], 'bad name': ['x'], '__proto__': ['x'], 'X-A': ['a\r\nX-Evil: 1'], 'X-N': [1] }
  const service = await startService(test, { body: `{"subject":"foo","header":${JSON.stringify({ ...header })},"match_context":{"method":"DELETE"}}` })
  const hydrated = await hydrate(test, { url: service.url })
  test.strictSame(hydrated.header, { 'x-a': 'a%0D%0AX-Evil: 1' })
  test.equal(hydrated.match.request.method, 'GET', 'nor what the request is')
})

t.test('7.12 the subject must stay', async test => {
  const empty = await startService(test, { body: {} })
  const failure = await failureOf(hydrate(test, { url: empty.url }))
  test.match(failure, { code: 'internal_error', reason: 'The call to an external API returned an invalid JSON object' })
  test.match(await hydrate(test, { url: empty.url }, session({ subject: '' })), { subject: '', extra: undefined, header: {} })
  for (const change of [{ subject: 'root' }, { subject: null }, { subject: 1 }, { extra: [] }, { extra: 'x' }, { header: [] }] as JsonObject[]) {
    await test.rejects(hydrate(test, { url: (await startService(test, echo(document => ({ ...document, ...change })))).url }), { code: 'internal_error' }, JSON.stringify(change))
  }
})

t.test('7.12 the texts of its failures', async test => {
  const auth = { basic: { username: 'user', password: 'pass' } }
  const guarded: Answering = (res, { headers, body }) => {
    if (headers.authorization === `Basic ${Buffer.from('user:pass').toString('base64')}`) res.end(body)
    else res.writeHead(401).end()
  }
  const service = await startService(test, guarded)
  test.match(await hydrate(test, { url: service.url, auth }, session({}, '', { authorization: 'Bearer client' })), { subject: 'foo' })
  test.equal((await failureOf(hydrate(test, { url: service.url }))).reason, 'No credentials were provided in mutator configuration')
  test.equal((await failureOf(hydrate(test, { url: service.url, auth: { basic: { username: 'user', password: 'x' } } }))).reason, 'Invalid credentials were provided in mutator configuration')
  for (const status of [201, 204, 302, 400, 403, 404, 429, 500]) {
    const failure = await failureOf(hydrate(test, { url: (await startService(test, { status })).url }))
    test.match(failure, { code: 'internal_error', reason: 'The call to an external API returned a non-200 HTTP response' }, String(status))
  }
})

t.test('7.12 it tries again only when it is told to', async test => {
  const flaky = (): Answering => {
    let count = 0
    return (res, { body }) => { res.writeHead(++count < 3 ? 500 : 200).end(body) }
  }
  test.match(await hydrate(test, { url: (await startService(test, flaky())).url, retry: { give_up_after: '1m', max_delay: '5ms' } }), { subject: 'foo' })
  const service = await startService(test, flaky())
  await test.rejects(hydrate(test, { url: service.url }), { code: 'internal_error' })
  test.equal(service.asked.length, 1)
})

t.test('7.12 query and header fields of the request go along, what belongs to its connection does not', async test => {
  const service = await startService(test, echo())
  const headers = { 'x-custom': '1', 'cookie': 'a=b', 'connection': 'close, x-nominated', 'x-nominated': '1', 'transfer-encoding': 'chunked', 'expect': '100-continue', 'accept-encoding': 'gzip', 'x-forwarded-for': '6.6.6.6', 'host': 'gateway.test', 'content-length': '999', 'content-type': 'text/plain' }
  await hydrate(test, { url: `${service.url}/p?fixed=1` }, session({}, '?a=b&c=%2612', headers))
  test.equal(service.asked[0]?.target, '/p?a=b&c=%2612')
  const { host, connection: _, 'content-length': length, ...got } = service.asked[0]?.headers ?? {}
  test.strictSame(got, { 'x-custom': '1', 'cookie': 'a=b', 'content-type': 'application/json' })
  test.match(host, /^127/)
  test.equal(Number(length), service.asked[0]?.body.length)
  await hydrate(test, { url: `${service.url}/p?fixed=1` })
  test.equal(service.asked[1]?.target, '/p?fixed=1')
})

t.test('H14 answers are remembered for the same session, fields and query only', async test => {
  const services = remoteServices(test)
  const service = await startService(test, echo())
  const cache = { cache: { enabled: true } }
  const ask = (asked: AuthenticationSession, config: object = cache, api: object = {}) => hydrate(test, { url: service.url, ...api }, asked, config, services)
  await ask(session())
  await ask(session())
  test.equal(service.asked.length, 1)

  const others: readonly (readonly [what: string, ask: () => Promise<unknown>])[] = [
    ['subject', () => ask(session({ subject: 'bar' }))],
    ['extra', () => ask(session({ extra: { bar: 'other' } }))],
    ['header', () => ask(session({ header: {} }))],
    ['query', () => ask(session({}, '?x=1'))],
    ['field of the request', () => ask(session({}, '', { 'x-tenant': '2' }))],
    ['url', () => ask(session(), cache, { url: `${service.url}/other` })],
    ['credentials', () => ask(session(), cache, { auth: { basic: { username: 'u', password: 'p' } } })],
    ['a rule that remembers nothing', () => ask(session(), {})],
  ]
  for (const [index, [what, other]] of others.entries()) {
    await other()
    test.equal(service.asked.length, index + 2, what)
  }

  const failing = await startService(test, { status: 500 })
  await failureOf(hydrate(test, { url: failing.url }, session(), cache, services))
  await failureOf(hydrate(test, { url: failing.url }, session(), cache, services))
  test.equal(failing.asked.length, 2, 'failures are not')
})

t.test('O10 a service that fails lets nobody pass, and does so in time', async test => {
  for (const { name, answer } of faults) {
    const service = await startService(test, answer)
    await test.rejects(hydrate(test, { url: service.url, timeout: '200ms' }), { code: 'internal_error' }, name)
  }
  for (const body of ['', '<html>', '[]', 'null', '{"subject":"foo"']) {
    await test.rejects(hydrate(test, { url: (await startService(test, { body })).url }), { code: 'internal_error' }, body)
  }
  await test.rejects(hydrate(test, { url: await deadOrigin(test) }), { code: 'internal_error' })
})

t.test('mistakes are found when rules are loaded', async test => {
  const load = (config: object) => () => makeHandler(hydrator, config, remoteServices(test))
  test.throws(load({}), /api is required/)
  test.throws(load({ api: {} }), /api.url is required/)
  test.throws(load({ api: { url: 'zyx' } }), /api.url must be a URL/)
  test.throws(load({ api: { url: 'ftp://x/' } }), /http or https/)
  test.throws(load({ api: { url: 'http://x/', auth: { basic: { username: 'u' } } } }), /password is required/)
  test.throws(load({ api: { url: 'http://x/', retry: { max_delay: 'soon' } } }), /max_delay/)
})

