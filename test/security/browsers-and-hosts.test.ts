/** What other sites' scripts may do with the gateway (security C10, C13), and hosts that are nobody's (U16). */
import t from 'tap'

import { startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { startRecorder, type Recorder } from '../helpers/recorder.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'

let recorder: Recorder
t.before(async () => { recorder = await startRecorder() })
t.teardown(() => recorder.close())
t.beforeEach(() => recorder.reset())

function rule(id: string, authenticator: string): object {
  return {
    id, match: { url: `http://app.test/${id}`, methods: ['GET', 'POST', 'OPTIONS'] }, upstream: { url: recorder.origin },
    authenticators: [{ handler: authenticator }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
  }
}

/** The answer's fields, by lower-case name. */
async function ask(gateway: TestGateway, head: string): Promise<{ status: number, fields: Readonly<Record<string, string>> }> {
  const { status, text } = await sendRaw(Number(new URL(gateway.url).port), `${head}\r\n\r\n`, { until: oneAnswer })
  const lines = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n').slice(1)
  return { status, fields: Object.fromEntries(lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)])) }
}

const origin = 'access-control-allow-origin'
const credentials = 'access-control-allow-credentials'

t.test('C10 scripts of listed origins are let in by name, all others get nothing', async t => {
  const gateway = await startTestGateway(t, {
    rules: [rule('open', 'noop'), rule('closed', 'cookie_session')],
    config: { serve: { public: { cors: { enabled: true, allowed_origins: ['https://app.test', 'https://*.partner.test'], allow_credentials: true } } } },
  })
  const from = (asked: string, path = 'open') => ask(gateway, `GET /${path} HTTP/1.1\r\nHost: app.test\r\nOrigin: ${asked}`)

  for (const listed of ['https://app.test', 'https://shop.partner.test']) {
    const { status, fields } = await from(listed)
    t.match([status, fields[origin], fields[credentials], fields['vary']], [200, listed, 'true', /Origin/], listed)
    t.equal((await from(listed, 'closed')).fields[origin], listed, 'a refusal can be read, too')
  }
  for (const other of [
    'https://evil.test', 'https://app.test.evil.test', 'https://evilapp.test', 'http://app.test', 'https://app.test:8443', 'null', 'https://partner.test',
    'https://a.b.partner.test', 'https://evil.test/.partner.test', '*',
  ]) {
    const { fields } = await from(other)
    t.same([fields[origin], fields[credentials]], [undefined, undefined], other)
    t.match(fields['vary'], /Origin/, other)
  }
})

t.test('C10 a preflight is answered here: without a login, and without the upstream', async t => {
  const gateway = await startTestGateway(t, {
    rules: [rule('closed', 'cookie_session')],
    config: { serve: { public: { cors: { enabled: true, allowed_origins: ['https://app.test'], max_age: 60 } } } },
  })
  const preflight = (from: string) => ask(gateway, `OPTIONS /closed HTTP/1.1\r\nHost: app.test\r\nOrigin: ${from}\r\nAccess-Control-Request-Method: PUT`)
  const { status, fields } = await preflight('https://app.test')
  t.match([status, fields[origin], fields['access-control-allow-methods'], fields['access-control-max-age']], [204, 'https://app.test', /PUT/, '60'])
  t.equal(fields[credentials], undefined)
  const refused = await preflight('https://evil.test')
  t.same(Object.keys(refused.fields).filter(name => name.startsWith('access-control-')), [])
  t.same(recorder.requests, [])
})

t.test('C13 cookies that are ours come from us alone', async t => {
  const gateway = await startTestGateway(t, { rules: [rule('open', 'noop')] })
  recorder.behave({ answer: socket => socket.write([
    'HTTP/1.1 200 OK', 'Set-Cookie: ory_kratos_session=x; Path=/', 'Set-Cookie: ORY=1', 'Set-Cookie:  oathgate_csrf=x', 'Set-Cookie: __Host-oathgate_csrf=x; Secure; Path=/',
    'Set-Cookie: oathgate_device=x', 'Content-Length: 0', '', '',
  ].join('\r\n')) })
  const { text } = await sendRaw(Number(new URL(gateway.url).port), 'GET /open HTTP/1.1\r\nHost: app.test\r\n\r\n', { until: oneAnswer })
  t.same(text.match(/^set-cookie:.*$/gim), ['Set-Cookie: ORY=1'])
})

t.test('U16 a host that no rule names is 404, whatever its path', async t => {
  const gateway = await startTestGateway(t, { rules: [rule('open', 'noop')] })
  for (const host of ['evil.test', 'app.test.evil.test', 'app.test:8080', '127.0.0.1', 'xapp.test']) {
    t.equal((await ask(gateway, `GET /open HTTP/1.1\r\nHost: ${host}`)).status, 404, host)
  }
  t.same(recorder.requests, [])
})
