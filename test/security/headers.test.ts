/** Header fields that upstreams trust: only the gateway's word reaches them, in whatever spelling (security H). */
import t from 'tap'

import { foldName } from '../../src/proxy/field-names.js'
import { fieldValue } from '../../src/proxy/headers.js'
import { aliceCookie, start, type GatewayUnderTest } from '../helpers/gateway-harness.js'
import { oneAnswer, sendRaw, type RawAnswer } from '../helpers/raw.js'

let proxy: GatewayUnderTest
let trusting: GatewayUnderTest
t.before(async () => {
  proxy = await start()
  trusting = await start({ trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] })
})
t.teardown(async () => {
  await proxy.close()
  await trusting.close()
})

async function ask(target: string, fields: readonly string[], through: GatewayUnderTest = proxy): Promise<RawAnswer> {
  through.recorder.reset()
  const answer = await sendRaw(through.port, [`GET ${target} HTTP/1.1`, 'Host: app.test', ...fields, '', ''].join('\r\n'), { until: oneAnswer })
  if (through.recorder.leftovers.length > 0) throw new Error(`not well framed: ${through.recorder.leftovers.join()}`)
  return answer
}

const asAlice = (target: string, fields: readonly string[], through?: GatewayUnderTest): Promise<RawAnswer> => ask(target, [`Cookie: ${aliceCookie}`, ...fields], through)

/** What the recorder saw under any spelling of a name. */
const folded = (fold: string, through: GatewayUnderTest = proxy): (readonly [string, string])[] =>
  through.recorder.requests.flatMap(({ fields }) => fields.filter(([name]) => foldName(name) === fold))

const h1: readonly (readonly string[])[] = [
  ['X-User: mallory'], ['x-user:'], ['X-USER: mallory'], ['X-User: mallory', 'x-user: eve'], [`X-User: ${Array<string>(300).fill('mallory').join(', ')}`],
]
const h2 = ['X_User', 'X.User', 'X--User', 'XUser', 'X-User-', 'x_uSeR', 'X~User', "X'User", 'X|User'].map(name => [`${name}: mallory`])

t.test('H1 H2 one X-User reaches the upstream, and it is ours', async t => {
  for (const fields of [...h1, ...h2]) {
    t.equal((await asAlice('/app/x', fields)).status, 200)
    t.same(folded('xuser'), [['x-user', 'alice']], fields.join())
  }
})

t.test('H3 none reaches it where nobody is known', async t => {
  for (const fields of [...h1, ...h2]) {
    t.equal((await ask('/public/x', fields)).status, 200)
    t.same(folded('xuser'), [], fields.join())
    await ask('/nothing', fields)
    await ask('/app/x', fields)
    t.same(proxy.recorder.requests, [])
  }
})

t.test('H4 P-16 Connection takes off what the client sent, never what we set', async t => {
  for (const value of ['X-User', 'close, X-User', 'x-user, keep-alive, X-Other', 'X_User', 'x-forwarded-for, x-request-id']) {
    t.equal((await asAlice('/app/x', [`Connection: ${value}`, 'X-Other: 1'])).status, 200, value)
    t.same(folded('xuser'), [['x-user', 'alice']], value)
    t.same(folded('xforwardedfor'), [['x-forwarded-for', '127.0.0.1']])
    t.equal(folded('xrequestid').length, 1)
    t.same(folded('connection'), [['connection', 'keep-alive']])
    t.equal(folded('xother').length, value.includes('X-Other') ? 0 : 1)
  }
  for (const value of ['x-user, x-forwarded-for, cookie', 'Authorization', 'close, HOST', 'content-length', 'Content-Type']) {
    t.equal((await asAlice('/app/x', [`Connection: ${value}`])).status, 400, value)
    t.same(proxy.recorder.requests, [])
  }
  t.equal((await asAlice('/app/x', ['Connection: keep-alive', 'Connection: cookie'])).status, 400, 'in a second field')
})

t.test('H5 hop-by-hop fields end here', async t => {
  const fields = [
    'Proxy-Authorization: Basic x', 'Proxy-Connection: keep-alive', 'Keep-Alive: 300', 'TE: trailers', 'Upgrade: foo', 'HTTP2-Settings: x', 'Trailer: x', 'Proxy: evil',
    'Proxy_Connection: x', 'Connection: upgrade, http2-settings, te',
  ]
  t.equal((await ask('/public/x', fields)).status, 200)
  t.same(proxy.recorder.requests[0]?.fields.map(([name]) => name).toSorted(), ['connection', 'host', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-request-id'])
})

const forwarding = [
  'X-Forwarded-For: 6.6.6.6', 'X-Forwarded-Host: evil.test', 'X-Forwarded-Proto: https', 'X-Forwarded-Port: 1', 'X-Forwarded-Prefix: /x', 'X-Forwarded-Uri: /public',
  'X-Forwarded-Server: x', 'X-Forwarded: x', 'Forwarded: for=6.6.6.6', 'X-Real-IP: 6.6.6.6', 'X-Original-URL: /public', 'X-Original-Host: x', 'X-Rewrite-URL: /public',
  'X-HTTP-Method-Override: DELETE', 'X-Forwarded-Method: DELETE', 'X_Forwarded_For: 6.6.6.6', 'X_Real_IP: 6.6.6.6', 'X-Request-Id: chosen',
]

t.test('H6 an unknown peer says nothing about where a request comes from', async t => {
  t.equal((await ask('/public/x', forwarding)).status, 200)
  const seen = proxy.recorder.requests[0]?.fields.filter(([name]) => name !== 'connection' && name !== 'host')
  t.same(seen?.slice(0, 3), [['x-forwarded-for', '127.0.0.1'], ['x-forwarded-host', 'app.test'], ['x-forwarded-proto', 'http']])
  t.equal(seen?.length, 4)
  t.match(seen?.[3], ['x-request-id', /^[0-9a-f-]{36}$/])
})

t.test('H7 a trusted peer does, and what it appends to is kept', async t => {
  t.equal((await ask('/public/x', [...forwarding.filter(field => !field.startsWith('X-Forwarded-For')), 'X-Forwarded-For: 6.6.6.6, 10.0.0.9'], trusting)).status, 200)
  t.same(folded('xforwardedfor', trusting), [['x-forwarded-for', '6.6.6.6, 10.0.0.9, 127.0.0.1']])
  t.same(folded('xforwardedhost', trusting), [['x-forwarded-host', 'evil.test']])
  t.same(folded('xforwardedproto', trusting), [['x-forwarded-proto', 'https']])
  t.same(folded('xrequestid', trusting), [['x-request-id', 'chosen']])
  t.same(folded('xforwardedport', trusting), [['X-Forwarded-Port', '1']])
  t.same(folded('xuser', trusting), [])

  await ask('/public/x', ['X-Request-Id: no spaces', 'X-Forwarded-Proto: gopher'], trusting)
  t.match(folded('xrequestid', trusting)[0]?.[1], /^[0-9a-f-]{36}$/)
  t.same(folded('xforwardedproto', trusting), [['x-forwarded-proto', 'http']])
  await ask('/public/x', ['X-Forwarded-Host: evil.test, APP.test:80'], trusting)
  t.same(folded('xforwardedhost', trusting), [['x-forwarded-host', 'app.test']], 'the nearest proxy appends')
  t.equal((await ask('/public/x', ['X-Forwarded-Host: a b'], trusting)).status, 400)
})

t.test('H8 what a rule decides does not move with forwarding fields', async t => {
  for (const field of forwarding) {
    t.equal((await ask('/admin/x', [field])).status, 401, field)
    t.equal((await ask('/nothing', [field])).status, 404, field)
  }
})

t.test('H9 a value is one line, in UTF-8', async t => {
  const table: readonly (readonly [value: string, sent: string])[] = [
    ['alice', 'alice'],
    ['alice\r\nX-Role: admin', 'alice%0D%0AX-Role: admin'],
    ['a\0b\x7f', 'a%00b%7F'],
    ['a\tb', 'a\tb'],
    ['\u00e5lice', Buffer.from('\u00e5lice').toString('latin1')],
    ['\u{1f600}\n', `${Buffer.from('\u{1f600}').toString('latin1')}%0A`],
    ['', ''],
  ]
  for (const [value, sent] of table) t.equal(fieldValue(value), sent)
  const all = Array.from({ length: 0x3000 }, (_, code) => fieldValue(String.fromCharCode(code)))
  t.same(all.filter(value => !/^[\t\x20-\x7e\x80-\xff]+$/.test(value)), [])
})

t.test('H10 names that mean something to JavaScript are names', async t => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__defineGetter__']) {
    t.equal((await asAlice('/app/x', [`${name}: x`])).status, 200, name)
    t.same(proxy.recorder.field(name.toLowerCase()), ['x'])
    t.same(folded('xuser'), [['x-user', 'alice']])
  }
})

t.test('H11 Authorization passes as it is, beside the cookie', async t => {
  await asAlice('/app/x', ['Authorization: Bearer token', 'Authorization: Bearer other'])
  t.same(proxy.recorder.field('authorization'), ['Bearer token', 'Bearer other'])
})

t.test('H12 hop-by-hop fields of the answer end here, everything else arrives as it was', async t => {
  proxy.recorder.reset()
  proxy.recorder.behave({ answer: socket => socket.write([
    'HTTP/1.1 299 Fine Indeed', 'Connection: close, X-Secret', 'X-Secret: 1', 'Keep-Alive: timeout=99', 'Proxy-Authenticate: Basic', 'Trailer: X', 'Upgrade: x', 'X-Thing: 1', 'x-thing: 2', 'X-Empty:',
    'Set-Cookie: a=1', 'Set-Cookie: ory_kratos_session=stolen; Path=/', 'Set-Cookie: b=2', 'set-cookie:  oathgate_csrf = x', 'Content-Length: 2', '', 'ok',
  ].join('\r\n')) })
  const { text } = await sendRaw(proxy.port, 'GET /public/x HTTP/1.1\r\nHost: app.test\r\n\r\n', { until: oneAnswer })
  const [status, ...fields] = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n')
  t.equal(status, 'HTTP/1.1 299 Fine Indeed')
  t.same(fields.filter(field => !/^(?:date|connection|keep-alive):/i.test(field)), ['X-Thing: 1', 'x-thing: 2', 'X-Empty: ', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'Content-Length: 2'])
  t.same(fields.filter(field => /^(?:connection|keep-alive):/i.test(field)), ['Connection: keep-alive', 'Keep-Alive: timeout=5'])
})

t.test('H13 a health checker is a client', async t => {
  for (const agent of ['GoogleHC/1.0', 'kube-probe/1.30', 'ELB-HealthChecker/2.0']) t.equal((await ask('/admin', [`User-Agent: ${agent}`])).status, 401)
})

t.test('C12 our own cookies stay here, others travel', async t => {
  const table: readonly (readonly [sent: readonly string[], seen: readonly string[]])[] = [
    [[`Cookie: ${aliceCookie}`], []],
    [[`Cookie: a=1; ${aliceCookie}; b=2`], ['a=1; b=2']],
    [[`Cookie: a=1;${aliceCookie};oathgate_csrf=x;`, 'Cookie: c=3'], ['a=1', 'c=3']],
    [[`Cookie: ${aliceCookie}; xory_kratos_session=1; ory_kratos_session2=2`], ['xory_kratos_session=1; ory_kratos_session2=2']],
    [[`Cookie: ${aliceCookie}; a=ory_kratos_session`], ['a=ory_kratos_session']],
    [[`Cookie: a="x; ${aliceCookie}; b=y"`], ['a="x; b=y"']],
    [[`Cookie: ${aliceCookie};  ory_kratos_session =x`], []],
  ]
  for (const [sent, seen] of table) {
    await ask('/app/x', sent)
    t.same(proxy.recorder.field('cookie'), seen, sent.join())
  }
})

t.test('C9 an answer to somebody is not for caches, unless the upstream has a say in it', async t => {
  t.match((await asAlice('/app/x', [])).text, /^cache-control: private, no-store\r$/im)
  t.notMatch((await ask('/public/x', [])).text, /cache-control/i)
  proxy.recorder.behave({ answer: socket => socket.write('HTTP/1.1 200 OK\r\ncache-control: max-age=5\r\nContent-Length: 0\r\n\r\n') })
  const { text } = await sendRaw(proxy.port, `GET /app/x HTTP/1.1\r\nHost: app.test\r\nCookie: ${aliceCookie}\r\n\r\n`, { until: oneAnswer })
  t.same(text.match(/^cache-control:.*$/gim), ['cache-control: max-age=5'])
})

t.test('P-3 P-4 B-2 the upstream gets its own Host, or the client\'s when the rule says so', async t => {
  await ask('/public/x', [])
  t.same(proxy.recorder.field('host'), [`127.0.0.1:${proxy.recorder.port}`])
  const preserving = await start({ upstream: { preserveHost: true } })
  t.teardown(() => preserving.close())
  await sendRaw(preserving.port, 'GET /public/x HTTP/1.1\r\nHost: App.test:3000\r\n\r\n', { until: oneAnswer })
  t.same(preserving.recorder.field('host'), ['app.test:3000'])
})

t.test('other spellings of the fields that frame a message do not travel', async t => {
  await ask('/public/x', ['Content_Length: 5', 'Transfer_Encoding: chunked', 'Transfer.Encoding: chunked', 'Ho-st: evil'])
  t.same([...folded('contentlength'), ...folded('transferencoding'), ...folded('host')].map(([name]) => name), ['host'])
})
