import { Readable } from 'node:stream'
import t, { type Test } from 'tap'

import { remoteJson } from '../../../src/access/authorizers/remote-json.js'
import { remote } from '../../../src/access/authorizers/remote.js'
import type { AuthenticationSession, Authorizer } from '../../../src/access/pipeline.js'
import type { GatewayError } from '../../../src/errors.js'
import { createRequestBody } from '../../../src/http/request-body.js'
import { makeHandler, remoteServices } from '../../helpers/handler.js'
import { deadOrigin, faults, startService } from '../../helpers/service.js'
import { accessRequest, nobody } from '../requests.js'

const quick = { retry: { max_delay: '1ms', give_up_after: '50ms' } }

interface Sent { readonly headers?: Readonly<Record<string, string>>, readonly body?: string, readonly over?: Partial<AuthenticationSession> }

function session({ headers = {}, body = '', over = {} }: Sent = {}): AuthenticationSession {
  const request = accessRequest('POST', 'http://gateway.test/x', { headers })
  const stream = Object.assign(Readable.from(body === '' ? [] : [Buffer.from(body)]), { headers: { ...headers } })
  return nobody({ ...request, body: createRequestBody(stream as never, { headersSent: false } as never) }, { subject: 'alice', ...over })
}

function make(test: Test, kind: 'remote' | 'remote_json', config: object): Authorizer {
  const services = remoteServices(test)
  return kind === 'remote' ? makeHandler(remote, { ...quick, ...config }, services) : makeHandler(remoteJson, { payload: '{}', ...quick, ...config }, services)
}

async function authorize({ authorize: ask }: Authorizer, asked: AuthenticationSession): Promise<AuthenticationSession> {
  return ask(asked)
}

t.test('7.11 mistakes are found when rules are loaded', async test => {
  for (const kind of ['remote', 'remote_json'] as const) {
    const load = (config: object) => () => make(test, kind, config)
    test.throws(load({}), /remote is required/)
    test.throws(load({ remote: 'nowhere' }), /remote must be a URL/)
    test.throws(load({ remote: 'ftp://x/' }), /http or https/)
    test.throws(load({ remote: 'http://x/', headers: 'x' }), /headers must be/)
    test.throws(load({ remote: 'http://x/', headers: { 'X-A': '{{ Invalid Template }}' } }), /headers\.X-A: 1:4: function "Invalid" not defined/)
    test.throws(load({ remote: 'http://x/', headers: { 'Content-Length': '1' } }), /can not be set/)
    test.throws(load({ remote: 'http://x/', forward_response_headers_to_upstream: ['Transfer-Encoding'] }), /can not be set/)
    test.doesNotThrow(load({ remote: 'http://x/', retry: { max_delay: '100ms' } }))
    test.doesNotThrow(load({ remote: 'http://x/', retry: { give_up_after: '3s' } }))
  }
  test.throws(() => make(test, 'remote_json', { remote: 'http://x/', payload: '{{' }), /payload: 1:1: unclosed action/)
  test.throws(() => makeHandler(remoteJson, { remote: 'http://x/' }, remoteServices(test)), /payload is required/)
})

t.test('7.11 only 200 lets the request pass', async test => {
  for (const kind of ['remote', 'remote_json'] as const) {
    for (const [status, code] of [[200, undefined], [201, 'internal_error'], [204, 'internal_error'], [302, 'internal_error'], [400, 'internal_error'], [401, 'internal_error'], [403, 'forbidden'], [500, 'internal_error']] as const) {
      const service = await startService(test, { status })
      const outcome = authorize(make(test, kind, { remote: service.url }), session())
      if (code === undefined) test.match(await outcome, { subject: 'alice' }, `${kind} ${status}`)
      else await test.rejects(outcome, { code }, `${kind} ${status}`)
    }
    const busy = await startService(test, { status: 429, headers: { 'Retry-After': '1' } })
    await test.rejects(authorize(make(test, kind, { remote: busy.url }), session()), { code: 'too_many_requests', headers: { 'Retry-After': '1' } })
    await test.rejects(authorize(make(test, kind, { remote: await deadOrigin(test) }), session()), { code: 'internal_error' })
  }
})

t.test('7.11 remote hands over the body, and keeps it for the upstream', async test => {
  const service = await startService(test)
  const { authorize: ask } = make(test, 'remote', { remote: `${service.url}/check` })
  const mib = 'x'.repeat(1_048_576)
  for (const body of ['', 'testtest', mib]) {
    const asked = session({ headers: { 'content-type': 'text/plain', 'cookie': 'a=1' }, body })
    await ask(asked)
    test.equal(service.asked.at(-1)?.body, body)
    test.equal(asked.match.request.body?.taken?.toString(), body, 'still readable')
    const { host: _, connection: __, 'content-length': ___, ...headers } = service.asked.at(-1)?.headers ?? {}
    test.strictSame(headers, { 'content-type': 'text/plain' })
    test.match(service.asked.at(-1), { method: 'POST', target: '/check' })
  }
  await ask(session({ headers: { authorization: 'Bearer x' } }))
  test.equal(service.asked.at(-1)?.headers.authorization, 'Bearer x')
  await test.rejects(authorize(make(test, 'remote', { remote: service.url, max_body_bytes: 7 }), session({ body: 'testtest' })), { code: 'payload_too_large' })
  await test.rejects(authorize(make(test, 'remote', { remote: service.url, max_body_bytes: 7 }), session({ headers: { 'content-length': '8' } })), { code: 'payload_too_large' })
  test.equal(service.asked.length, 4)
})

t.test('7.11 remote without a body to see sends none', async test => {
  const service = await startService(test)
  await authorize(make(test, 'remote', { remote: service.url }), nobody(accessRequest('GET', 'http://gateway.test/')))
  test.equal(service.asked[0]?.body, '')
})

t.test('7.11 header templates; a field that renders empty is not sent', async test => {
  for (const kind of ['remote', 'remote_json'] as const) {
    const service = await startService(test)
    const headers = { 'Subject': '{{ .Subject }}', 'Empty-Header': '', 'Missing': '{{ print .Extra.missing }}', 'Name': '{{ print .Extra.name }}' }
    await authorize(make(test, kind, { remote: service.url, headers }), session({ over: { extra: { name: 'a\r\nX-Evil: é' } } }))
    const got = service.asked[0]?.headers
    test.match(got, { subject: 'alice', name: 'a%0D%0AX-Evil: %C3%A9' })
    test.strictSame([got?.['empty-header'], got?.['missing'], got?.['x-evil']], [undefined, undefined, undefined])

    const failing = make(test, kind, { remote: service.url, headers: { X: '{{ .UnknownField }}' } })
    await authorize(failing, session()).then(() => test.fail('passed'), (error: GatewayError) => {
      test.equal(error.code, 'internal_error')
      test.match(error.detail, /can't evaluate field UnknownField/)
    })
  }
})

t.test('7.11 fields of the answer reach the upstream, also when the answer lacks them', async test => {
  for (const kind of ['remote', 'remote_json'] as const) {
    const service = await startService(test, { headers: { 'X-Foo': 'bar', 'X-Other': 'no' } })
    const authorizer = make(test, kind, { remote: service.url, forward_response_headers_to_upstream: ['X-Foo', 'X-Absent'] })
    test.strictSame(authorizer.sets, ['x-foo', 'x-absent'], 'so no client\'s own gets through')
    test.strictSame((await authorize(authorizer, session({ over: { header: { 'x-before': '1' } } }))).header, { 'x-before': '1', 'x-foo': 'bar', 'x-absent': '' })
  }
})

t.test('7.11 the payload of remote_json', async test => {
  const service = await startService(test)
  const extra = { roles: ['a', 'b'], n: 3 }
  const rows: readonly (readonly [payload: string, sent: unknown])[] = [
    ['{}', {}],
    ['["foo"]', ['foo']],
    ['"text"', 'text'],
    ['{"subject":"{{ print .Subject }}","extra":{{ .Extra | toJson }},"match":"{{ printIndex .MatchContext.RegexpCaptureGroups 0 }}"}', { subject: 'alice', extra, match: '' }],
  ]
  for (const [payload, sent] of rows) {
    await authorize(make(test, 'remote_json', { remote: service.url, payload }), session({ headers: { authorization: 'Bearer x', 'content-type': 'text/plain' }, over: { extra } }))
    test.strictSame(JSON.parse(service.asked.at(-1)?.body ?? ''), sent, payload)
    test.match(service.asked.at(-1)?.headers, { 'content-type': 'application/json', 'authorization': 'Bearer x' })
  }
  const before = service.asked.length
  for (const payload of ['{', '', '{"a":{{ print .Extra.missing }}}']) {
    await authorize(make(test, 'remote_json', { remote: service.url, payload }), session()).then(() => test.fail('passed'), (error: GatewayError) => {
      test.equal(error.code, 'internal_error')
      test.equal(error.detail, 'payload is not a JSON text')
    })
  }
  test.equal(service.asked.length, before)
})

t.test('a busy or failing service is asked again, with the same body', async test => {
  let count = 0
  const service = await startService(test, res => { res.writeHead(++count < 3 ? 503 : 200).end() })
  await authorize(make(test, 'remote', { remote: service.url, retry: { max_delay: '1ms', give_up_after: '1m' } }), session({ body: 'testtest' }))
  test.strictSame(service.asked.map(({ body }) => body), ['testtest', 'testtest', 'testtest'])
})

t.test('O10 a service that fails lets nobody pass, and does so in time', async test => {
  for (const { name, answer } of faults) {
    const service = await startService(test, answer)
    const began = performance.now()
    await test.rejects(authorize(make(test, 'remote', { remote: service.url, timeout: '200ms' }), session()), { code: 'internal_error' }, name)
    test.ok(performance.now() - began < 10_000, name)
  }
})
