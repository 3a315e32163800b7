/** `response` of a rule: what the client gets of the upstream's header, through the whole gateway. */
import t from 'tap'

import { startTestGateway, type GatewayOptions } from '../helpers/gateway.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'
import { startRecorder } from '../helpers/recorder.js'
import { newVisitor } from '../helpers/visitor.js'

const recorder = await startRecorder()
t.teardown(() => recorder.close())
const head = [
  'HTTP/1.1 200 OK', 'Content-Length: 2', 'Server: secret/1.0', 'X-Powered-By: secret', 'x-frame-options: ALLOWALL', 'Set-Cookie: a=1', 'Set-Cookie: b=2',
  'Cache-Control: public', 'X-Kept: kept',
]
recorder.behave({ answer: socket => socket.write(`${head.join('\r\n')}\r\n\r\nok`) })

function rule(path: string, response: object, over: object = {}): object {
  return {
    id: path, match: { url: `<.*>/${path}`, methods: ['GET'] }, upstream: { url: recorder.origin }, response,
    authenticators: [{ handler: 'anonymous', config: { subject: 'guest\r\nX-Injected: yes' } }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
    ...over,
  }
}

t.test('fields are set in place of the upstream\'s, and removed, in any case', async t => {
  const gateway = await startTestGateway(t, {
    rules: [
      rule('changed', {
        set: { 'X-Frame-Options': 'DENY', 'X-User': '{{ print .Subject }}', 'X-Path': '{{ .MatchContext.URL.Path }}', 'Set-Cookie': 'c=3; Path=/', 'X-Nothing': '{{ print .Extra.nothing }}' },
        remove: ['Server', 'x-powered-by'],
      }),
      rule('no-cookies', { remove: ['set-cookie', 'cache-control'] }),
      rule('own-cookie', { set: { 'set-cookie': 'ory_kratos_session=forged', 'cache-control': 'no-cache' } }),
      rule('failing', { set: { 'X-User': '{{ index .Extra.a.b "c" }}' } }),
    ],
  })
  const get = (path: string): ReturnType<ReturnType<typeof newVisitor>['visit']> => newVisitor().visit(`${gateway.url}/${path}`)

  const { headers } = await get('changed')
  t.equal(headers['x-frame-options'], 'DENY')
  t.equal(headers['x-user'], 'guest%0D%0AX-Injected: yes', 'one line, whatever the value is')
  t.equal(headers['x-path'], '/changed')
  t.same(headers['set-cookie'], ['a=1', 'b=2', 'c=3; Path=/'])
  t.same([headers['server'], headers['x-powered-by'], headers['x-nothing'], headers['x-injected']], [undefined, undefined, undefined, undefined])
  t.same([headers['x-kept'], headers['content-length'], headers['cache-control']], ['kept', '2', 'public'])

  const bare = await get('no-cookies')
  t.equal(bare.headers['set-cookie'], undefined)
  t.equal(bare.headers['cache-control'], 'private, no-store', 'an answer for somebody stays theirs')
  const own = await get('own-cookie')
  t.same(own.headers['set-cookie'], ['a=1', 'b=2'], 'nothing but the gateway sets its cookies')
  t.equal(own.headers['cache-control'], 'no-cache')

  const asked = recorder.requests.length
  t.equal((await get('failing')).status, 500)
  t.equal(recorder.requests.length, asked, 'a template that fails does so before the upstream is asked')
})

t.test('the answer to an upgrade is changed too, the gateway\'s own answers are not', async t => {
  const gateway = await startTestGateway(t, {
    rules: [rule('socket', { set: { 'X-Frame-Options': 'DENY' } }), rule('denied', { set: { 'X-Frame-Options': 'DENY' } }, { authorizer: { handler: 'deny' } })],
  })
  const handshake = 'GET /socket HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
  t.match((await sendRaw(Number(new URL(gateway.url).port), handshake, { until: oneAnswer })).text, /\r\nX-Frame-Options: DENY\r\n/)
  t.equal((await newVisitor().visit(`${gateway.url}/denied`)).headers['x-frame-options'], undefined)
})

t.test('fields that frame the answer or belong to one connection are refused at load', async t => {
  const refused = ['Connection', 'Transfer-Encoding', 'content-length', 'Trailer', 'Upgrade', 'Keep-Alive', 'Sec-WebSocket-Accept', 'not a name']
  const start = (response: object, options: GatewayOptions = {}): Promise<string> => (
    startTestGateway(t, { rules: [rule('one', response)], ...options }).then(() => '', (error: Error) => error.message)
  )
  for (const name of refused) {
    t.match(await start({ set: { [name]: 'x' } }), new RegExp(`^rules\\.yml:1:\\d+ rule "one": Value of "response\\.set\\.${name}" is not right`), name)
    t.match(await start({ remove: [name] }), /Value of "response\.remove\.0" is not right/, name)
  }
  t.match(await start({ set: { 'X-A': '1', 'x-a': '2' } }), /"x-a" is set twice/)
  t.match(await start({ set: { 'X-A': '{{ if }}' } }), /Value of "response\.set\.X-A" is not right/)
})

t.test('GET /rules shows it', async t => {
  const response = { set: { 'X-Frame-Options': 'DENY' }, remove: ['Server'] }
  const gateway = await startTestGateway(t, { rules: [rule('one', response)] })
  t.same((await newVisitor().fetch(`${gateway.adminUrl}/rules/one`)).json().response, response)
})
