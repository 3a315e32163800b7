/** TLS on the public listener: certificates from files, the way from http to https, and everything that holds on http. */
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import WebSocket from 'ws'

import { sayBack, startApp } from '../helpers/app.js'
import { makeCertificate, type CertificatePaths } from '../helpers/certificates.js'
import { freePort, startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'
import { until } from '../helpers/redis.js'

/** Says what it was asked, and `Strict-Transport-Security` of its own; a WebSocket is echoed. */
async function startUpstream(t: Test): Promise<string> {
  return startApp(t, (req, res) => {
    res.setHeader('Strict-Transport-Security', 'max-age=1')
    if (req.url === '/cut') {
      res.write('half')
      setTimeout(() => res.destroy(), 100)
      return
    }
    res.end(JSON.stringify({ url: req.url, headers: req.headers }))
  }, sayBack)
}

interface TlsGateway extends TestGateway {
  readonly port: number
  readonly redirectPort: number
}

async function startTls(t: Test, tls: Readonly<Record<string, unknown>>, serve: Readonly<Record<string, unknown>> = {}): Promise<TlsGateway> {
  const upstream = await startUpstream(t)
  const [port, redirectPort] = [await freePort(), await freePort()]
  const gateway = await startTestGateway(t, {
    config: {
      serve: { public: { port, ...serve, tls: { redirect: { enabled: true, port: redirectPort }, ...tls } } },
      urls: { self: { public: `https://a.test:${port}/.ory/kratos/public` } },
    },
    rules: [{
      id: 'open', upstream: { url: upstream }, match: { url: 'https://<[^/]+>/<.*>', methods: ['GET', 'POST'] },
      authenticators: [{ handler: 'anonymous' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
    }],
  })
  return { ...gateway, port, redirectPort }
}

interface Answered {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

/** One request over a connection of its own. */
function get(port: number, path: string, options: RequestOptions = {}): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const asking = httpsRequest({ host: '127.0.0.1', port, path, agent: false, rejectUnauthorized: false, servername: 'a.test', ...options }, res => {
      let body = ''
      res.setEncoding('utf8').on('data', (text: string) => { body += text }).on('error', reject)
        .on('end', () => { resolve({ status: res.statusCode, headers: res.headers, body }) })
    })
    asking.on('error', reject).end()
  })
}

/** What a client that asks for a name is shown. */
async function shown(port: number, options: ConnectionOptions = {}): Promise<{ readonly name: string, readonly protocol: string | null, readonly alpn: string | false | null }> {
  const socket = await handshake(port, options)
  const { subject } = socket.getPeerCertificate()
  const answer = { name: String(subject.CN), protocol: socket.getProtocol(), alpn: socket.alpnProtocol }
  socket.destroy()
  return answer
}

async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
  await once(socket, 'secureConnect')
  return socket
}

const listed = ({ cert, key }: CertificatePaths): object => ({ cert_file: cert, key_file: key })

t.test('each client is shown the certificate for the name it asks for', async t => {
  const folder = t.testdir({})
  const [a, wild, both] = [
    makeCertificate(folder, 'a', ['a.test', '127.0.0.1']), makeCertificate(folder, 'wild', ['*.wild.test']), makeCertificate(folder, 'exact', ['x.wild.test', 'a.test']),
  ]
  const { port, logged } = await startTls(t, { certificates: [a, wild, both].map(listed) })

  const names: [servername: string | undefined, common: string][] = [
    ['a.test', 'a'], ['A.TEST', 'a'], ['b.wild.test', 'wild'], ['x.wild.test', 'exact'], ['c.b.wild.test', 'a'], ['wild.test', 'a'], ['else.test', 'a'], [undefined, 'a'],
  ]
  for (const [servername, name] of names) {
    t.equal((await shown(port, servername === undefined ? {} : { servername })).name, name, servername ?? 'no name')
  }
  t.match(logged.filter(({ msg }) => msg === 'a certificate is in force').map(line => line['names']), [['a.test', '127.0.0.1'], ['*.wild.test'], ['x.wild.test', 'a.test']])
})

t.test('old versions, weak ciphers and other protocols are not spoken', async t => {
  const folder = t.testdir({})
  const { port } = await startTls(t, { certificates: [listed(makeCertificate(folder, 'a', ['a.test']))] })
  t.match(await shown(port, { ALPNProtocols: ['h2', 'http/1.1'] }), { protocol: 'TLSv1.3', alpn: 'http/1.1' })
  t.match(await shown(port, { maxVersion: 'TLSv1.2' }), { protocol: 'TLSv1.2' })
  await t.rejects(shown(port, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }))
  await t.rejects(shown(port, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' }))
  await t.rejects(shown(port, { ALPNProtocols: ['h2'] }))

  const strict = await startTls(t, { min_version: 'TLSv1.3', certificates: [listed(makeCertificate(folder, 'b', ['a.test']))] })
  await t.rejects(shown(strict.port, { maxVersion: 'TLSv1.2' }))
  t.match(await shown(strict.port), { protocol: 'TLSv1.3' })
})

t.test('everything that asks for the scheme hears https', async t => {
  const folder = t.testdir({})
  const { port } = await startTls(t, { certificates: [listed(makeCertificate(folder, 'a', ['a.test']))] })
  const { status, body, headers } = await get(port, '/x', { headers: { host: 'a.test', 'x-forwarded-proto': 'http' } })
  t.equal(status, 200, 'the rule is for https URLs')
  t.equal((JSON.parse(body) as { headers: Record<string, string> }).headers['x-forwarded-proto'], 'https')
  t.equal(headers['strict-transport-security'], 'max-age=1', 'the upstream\'s own, where none is configured')

  const begun = await get(port, '/.ory/kratos/public/auth/browser/login', { headers: { host: `a.test:${port}` } })
  t.equal(begun.status, 302)
  t.match(String(begun.headers['set-cookie']), /; Secure/i)

  const cut = await get(port, '/cut', { headers: { host: 'a.test' } }).catch((error: NodeJS.ErrnoException) => error.code)
  t.equal(cut, 'ECONNRESET', 'half an answer is no answer')
})

t.test('a WebSocket goes through, and so does what asks for another protocol', async t => {
  const folder = t.testdir({})
  const { port } = await startTls(t, { certificates: [listed(makeCertificate(folder, 'a', ['a.test']))] })
  const socket = new WebSocket(`wss://127.0.0.1:${port}/ws`, { rejectUnauthorized: false, headers: { host: 'a.test' } })
  await once(socket, 'open')
  socket.send('hello')
  t.equal(String((await once(socket, 'message'))[0]), 'hello')
  socket.close()
  await once(socket, 'close')

  const client = await handshake(port, { servername: 'a.test' })
  for (let asked = 0; asked < 3; asked++) {
    client.write('GET /again HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n')
    t.match(String((await once(client, 'data'))[0]), /^HTTP\/1\.1 200/)
  }
  client.destroy()
})

t.test('D1 limits of time and number hold', async t => {
  const folder = t.testdir({})
  const certificates = [listed(makeCertificate(folder, 'a', ['a.test']))]
  const { port } = await startTls(t, { certificates }, { timeout: { read: '500ms' }, limits: { connections: 4 } })

  const head = await handshake(port)
  head.write('GET / HTTP/1.1\r\nHost: a')
  t.match(String((await once(head, 'data'))[0]), /^HTTP\/1\.1 408/)
  head.destroy()

  const before = performance.now()
  t.equal((await sendRaw(port, '')).text, '', 'a handshake that does not begin')
  const hello = Buffer.from('1603010200010001fc0303', 'hex')
  const dripping = connectPlain(port, '127.0.0.1')
  const drip = setInterval(() => dripping.write('x'), 100)
  dripping.write(hello)
  dripping.on('error', () => undefined)
  await new Promise(resolve => dripping.once('close', resolve))
  clearInterval(drip)
  t.ok(performance.now() - before < 3000, 'and one that drips')
  t.equal((await sendRaw(port, 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')).text.includes('HTTP'), false, 'plain HTTP is not answered in plain text')

  const clients = await Promise.all(Array.from({ length: 4 }, () => handshake(port)))
  await t.rejects(handshake(port), 'one too many')
  for (const client of clients) client.destroy()
  await until(() => handshake(port).then(client => client.destroy(), () => undefined).then(() => true))

  const few = await startTls(t, { certificates }, { limits: { connections_per_address: 2 } })
  const two = await Promise.all([handshake(few.port), handshake(few.port)])
  await t.rejects(handshake(few.port), 'one too many of an address')
  for (const client of two) client.destroy()
})

t.test('files that change hold for new connections, and no open one notices', async t => {
  const folder = t.testdir({})
  const [first, second, third] = ['first', 'second', 'third'].map(name => makeCertificate(folder, name, ['a.test'])) as [CertificatePaths, CertificatePaths, CertificatePaths]
  for (const [version, pair] of [['v1', first], ['v2', second], ['v3', third]] as const) {
    mkdirSync(join(folder, version))
    copyFileSync(pair.cert, join(folder, version, 'tls.crt'))
    copyFileSync(pair.key, join(folder, version, 'tls.key'))
  }
  // As Kubernetes mounts secrets: files are links into `..data`, which is a link that is swapped.
  symlinkSync('v1', join(folder, '..data'.replace('..', 'dot-')))
  const data = join(folder, 'dot-data')
  for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('dot-data', name), join(folder, name))
  const swap = (version: string): void => {
    symlinkSync(version, `${data}.next`)
    renameSync(`${data}.next`, data)
  }
  const { port, logged } = await startTls(t, { certificates: [{ cert_file: join(folder, 'tls.crt'), key_file: join(folder, 'tls.key') }] })
  const open = await handshake(port, { servername: 'a.test' })
  const isShown = (name: string) => async () => (await shown(port)).name === name && (await shown(port, { servername: 'a.test' })).name === name
  t.ok(await isShown('first')())

  swap('v2')
  await until(isShown('second'))
  open.write('GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n')
  t.match(String((await once(open, 'data'))[0]), /^HTTP\/1\.1 200/)

  const problems = (): unknown[] => logged.filter(({ msg }) => msg === 'a certificate can not be used, the one before stays')
  const good = readFileSync(join(folder, 'v2', 'tls.key'))
  writeFileSync(join(folder, 'v2', 'tls.key'), readFileSync(third.key))
  await until(() => problems().length === 1)
  t.match(problems(), [{ reason: /oathgate\.yml:1:\d+ serve\.public\.tls\.certificates\[0\]\.key_file ".*tls\.key" is not the key of the certificate \(.*tls\.crt\)$/ }])
  t.ok(await isShown('second')())
  writeFileSync(join(folder, 'v2', 'tls.key'), 'no key at all')
  await until(() => problems().length === 2)
  t.ok(await isShown('second')())
  writeFileSync(join(folder, 'v2', 'tls.key'), good)
  swap('v3')
  await until(isShown('third'))
  open.destroy()
})

t.test('a certificate that can not be used stops the start, all of them named', async t => {
  const folder = t.testdir({ 'text.pem': 'no certificate' })
  const [a, b] = [makeCertificate(folder, 'a', ['a.test']), makeCertificate(folder, 'b', ['b.test'])]
  const start = startTls(t, { certificates: [
    { cert_file: a.cert, key_file: b.key }, { cert_file: join(folder, 'text.pem'), key_file: b.key }, { cert_file: b.cert, key_file: join(folder, 'none.key') },
  ] })
  const error = await start.then(() => undefined, (thrown: Error) => thrown)
  t.match(error?.message, /certificates\[0\]\.key_file ".*b\.key" is not the key of the certificate \(.*a\.pem\)/)
  t.match(error?.message, /certificates\[1\]\.cert_file ".*text\.pem" holds no certificate in PEM/)
  t.match(error?.message, /certificates\[2\]\.key_file ".*none\.key" can not be read: there is no such file/)
})

t.test('Oathkeeper\'s spelling, and the text itself in base64', async t => {
  const folder = t.testdir({})
  const { cert, key } = makeCertificate(folder, 'a', ['a.test'])
  t.equal((await shown((await startTls(t, { cert: { path: cert }, key: { path: key } })).port)).name, 'a')
  const base64 = (file: string): object => ({ base64: readFileSync(file).toString('base64') })
  t.equal((await shown((await startTls(t, { cert: base64(cert), key: base64(key) })).port)).name, 'a')
})

t.test('plain HTTP is sent to the same URL in https, and nowhere else', async t => {
  const folder = t.testdir({})
  const { port, redirectPort } = await startTls(t, { certificates: [listed(makeCertificate(folder, 'a', ['a.test', '*.wild.test', '127.0.0.1']))] })
  const ask = async (line: string, host: string, more = ''): Promise<{ status: number, location: string | undefined }> => {
    const { status, text } = await sendRaw(redirectPort, `${line} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`, { until: oneAnswer })
    return { status, location: /^location: (.*)\r$/im.exec(text)?.[1] }
  }
  const to = (location: string): object => ({ status: 308, location })
  t.match(await ask('GET /a/%7Eb//c?x=%2f&y', 'a.test'), to(`https://a.test:${port}/a/%7Eb//c?x=%2f&y`))
  t.match(await ask('POST /form', `A.test:${redirectPort}`, 'Content-Length: 0\r\n'), to(`https://a.test:${port}/form`))
  t.match(await ask('GET //evil.test/x', 'b.wild.test'), to(`https://b.wild.test:${port}//evil.test/x`))
  t.match(await ask('GET http://a.test', 'a.test'), to(`https://a.test:${port}/`))
  t.match(await ask('GET http://a.test/p?q', 'a.test'), to(`https://a.test:${port}/p?q`))
  t.match(await ask('GET /', '127.0.0.1'), to(`https://127.0.0.1:${port}/`))
  t.match(await ask('GET /ws', 'a.test', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'), to(`https://a.test:${port}/ws`))
  for (const host of ['evil.test', 'a.test.evil.test', 'a.test@evil.test', 'a.test, evil.test', 'c.b.wild.test', '[::1]']) {
    t.match(await ask('GET /', host), { status: 400, location: undefined }, host)
  }
  t.match(await ask('GET /a/../b', 'a.test'), { status: 400, location: undefined }, 'what https would refuse is refused here')
  const { text } = await sendRaw(redirectPort, 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n', { until: oneAnswer })
  t.notMatch(text, /strict-transport-security/i, 'RFC 6797 7.2: not over http')
})

t.test('Strict-Transport-Security is on every answer, in place of the upstream\'s', async t => {
  const folder = t.testdir({})
  const { port } = await startTls(t, {
    certificates: [listed(makeCertificate(folder, 'a', ['a.test']))], hsts: { max_age: 31536000, include_subdomains: true, preload: true },
  })
  for (const path of ['/proxied', '/a/../refused', '/.ory/kratos/public/auth/browser/login', '/.ory/kratos/public/none']) {
    const { headers } = await get(port, path, { headers: { host: `a.test:${port}` } })
    t.equal(headers['strict-transport-security'], 'max-age=31536000; includeSubDomains; preload', path)
  }
})

t.test('who has not begun to speak TLS does not hold up the end', async t => {
  const folder = t.testdir({})
  const gateway = await startTls(t, { certificates: [listed(makeCertificate(folder, 'a', ['a.test']))] })
  const silent = connectPlain(gateway.port, '127.0.0.1')
  silent.on('error', () => undefined)
  await once(silent, 'connect')
  const idle = await handshake(gateway.port)
  const closed = once(idle, 'close')
  idle.on('error', () => undefined).resume()
  const before = performance.now()
  await gateway.stop()
  await closed
  t.ok(performance.now() - before < 4000)
  silent.destroy()
})
