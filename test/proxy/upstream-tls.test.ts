/** `upstream.tls` and `proxy.tls` through the whole gateway: authorities of one's own, client certificates, no check at all. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'

import { startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'
import { newVisitor } from '../helpers/visitor.js'

const folder = t.testdir({ 'garbage.pem': 'no certificate', 'damaged.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' })
const file = (name: string): string => join(folder, name)
const openssl = ((): boolean => {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const run = (...args: string[]): Buffer => execFileSync('openssl', args, { stdio: 'pipe' })
  try {
    run('req', '-x509', ...curve, '-days', '2', '-subj', '/CN=Test authority', '-keyout', file('ca-key.pem'), '-out', file('ca.pem'))
    for (const [name, subject] of [['server', 'orders.test'], ['client', 'gateway.test']] as const) {
      run('req', '-x509', ...curve, '-days', '2', '-subj', `/CN=${subject}`, '-addext', `subjectAltName=DNS:${subject}`, '-addext', 'basicConstraints=critical,CA:FALSE',
        '-CA', file('ca.pem'), '-CAkey', file('ca-key.pem'), '-keyout', file(`${name}-key.pem`), '-out', file(`${name}.pem`))
    }
    return true
  } catch {
    return false
  }
})()
const skip = openssl ? false : 'no openssl to make certificates with'

interface Orders {
  readonly port: number
  /** The common name of the client's certificate, for each request. */
  readonly clients: (string | undefined)[]
}

/** A service that shows a certificate for `orders.test`, and may ask for one. */
async function startOrders(t: Test, requestCert: boolean): Promise<Orders> {
  const clients: (string | undefined)[] = []
  const server = createServer({
    key: readFileSync(file('server-key.pem')), cert: readFileSync(file('server.pem')), ca: readFileSync(file('ca.pem')), requestCert, rejectUnauthorized: requestCert,
  }, (req, res) => {
    clients.push((req.socket as TLSSocket).getPeerCertificate().subject?.CN as string | undefined)
    res.end('ok')
  })
  server.on('upgrade', (_req, socket) => socket.end('HTTP/1.1 418 Teapot\r\nContent-Length: 2\r\n\r\nno'))
  await new Promise<void>(listening => { server.listen(0, '127.0.0.1', listening) })
  t.teardown(() => new Promise(closed => {
    server.closeAllConnections()
    server.close(closed)
  }))
  return { port: (server.address() as AddressInfo).port, clients }
}

function rule(path: string, port: number, tls?: object): object {
  return {
    id: path, match: { url: `<.*>/${path}`, methods: ['GET'] }, upstream: { url: `https://127.0.0.1:${port}`, ...(tls === undefined ? {} : { tls }) },
    authenticators: [{ handler: 'noop' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
  }
}

async function status(gateway: TestGateway, path: string): Promise<number> {
  return (await newVisitor().visit(`${gateway.url}/${path}`)).status
}

async function upgradeStatus(gateway: TestGateway, path: string): Promise<number> {
  const handshake = `GET /${path} HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`
  return (await sendRaw(Number(new URL(gateway.url).port), handshake, { until: oneAnswer })).status
}

const trusted = { ca_file: file('ca.pem'), server_name: 'orders.test' }

t.test('a rule says whom it trusts; rules for the same upstream do not share connections when they say otherwise', { skip }, async t => {
  const { port, clients } = await startOrders(t, false)
  const gateway = await startTestGateway(t, {
    rules: [
      rule('trusting', port, trusted), rule('default', port), rule('other-name', port, { ...trusted, server_name: 'other.test' }),
      rule('by-address', port, { ca_file: file('ca.pem') }), rule('careless', port, { insecure_skip_verify: true }),
    ],
  })
  const expected = { 'trusting': 200, 'default': 502, 'other-name': 502, 'by-address': 502, 'careless': 200 }
  for (const [path, code] of Object.entries(expected)) t.equal(await status(gateway, path), code, path)
  t.equal(clients.length, 2)
  for (const [path, code] of Object.entries(expected)) t.equal(await upgradeStatus(gateway, path), code === 200 ? 418 : 502, `upgrade: ${path}`)

  const warnings = gateway.logged.map(({ warning }) => String(warning ?? '')).filter(warning => warning.includes('not verified'))
  t.match(warnings, [/^rules\.yml:\d+:\d+ rule "careless": certificates of upstreams are not verified/])
  t.equal(warnings.length, 1)
})

t.test('a service that asks for a client certificate gets the rule\'s', { skip }, async t => {
  const { port, clients } = await startOrders(t, true)
  const gateway = await startTestGateway(t, {
    rules: [rule('known', port, { ...trusted, cert_file: file('client.pem'), key_file: file('client-key.pem') }), rule('unknown', port, trusted)],
  })
  t.equal(await status(gateway, 'known'), 200)
  t.equal(await upgradeStatus(gateway, 'known'), 418)
  t.equal(await status(gateway, 'unknown'), 502)
  t.equal(await upgradeStatus(gateway, 'unknown'), 502)
  t.same(clients, ['gateway.test'])
})

t.test('proxy.tls goes for rules that do not say otherwise, key by key', { skip }, async t => {
  const { port, clients } = await startOrders(t, true)
  const tls = { ca_file: file('ca.pem'), cert_file: file('client.pem'), key_file: file('client-key.pem') }
  const gateway = await startTestGateway(t, { config: { proxy: { tls } }, rules: [rule('named', port, { server_name: 'orders.test' }), rule('unnamed', port)] })
  t.equal(await status(gateway, 'named'), 200)
  t.equal(await status(gateway, 'unnamed'), 502, 'the certificate is not for the address')
  t.same(clients, ['gateway.test'])

  const careless = await startTestGateway(t, { config: { proxy: { tls: { ...tls, insecure_skip_verify: true } } }, rules: [rule('unnamed', port), rule('strict', port, { insecure_skip_verify: false })] })
  t.equal(await status(careless, 'unnamed'), 200)
  t.equal(await status(careless, 'strict'), 502)
  t.match(careless.logged.map(({ warning }) => warning).filter(Boolean), [/^configuration proxy\.tls\.insecure_skip_verify: /])
})

t.test('files that are not there or not right are mistakes, with their place, and never quoted', { skip }, async t => {
  const rules = [
    rule('gone', 1, { ca_file: 'gone.pem' }), rule('garbage', 1, { ca_file: file('garbage.pem') }), rule('damaged', 1, { ca_file: file('damaged.pem') }),
    rule('keyless', 1, { cert_file: file('client.pem') }), rule('swapped', 1, { cert_file: file('client.pem'), key_file: file('server-key.pem') }),
    rule('no-key', 1, { cert_file: file('client.pem'), key_file: file('client.pem') }), rule('address', 1, { server_name: 'a b' }),
    { ...rule('plain', 1), upstream: { url: 'http://127.0.0.1:1', tls: {} } },
  ]
  const { message } = await startTestGateway(t, { rules }).then(() => new Error('it started'), (error: Error) => error)
  const lines = message.split('\n')
  const expected = [
    /^rules\.yml:1:\d+ rule "gone": Value of "upstream\.tls\.ca_file" is not right: "gone\.pem" can not be read: there is no such file$/,
    /rule "garbage": .*holds no certificates in PEM$/,
    /rule "damaged": .*holds no certificates in PEM$/,
    /rule "keyless": Value of "upstream\.tls\.cert_file" is not right: a certificate needs its key_file$/,
    /rule "swapped": Value of "upstream\.tls\.key_file" is not right: it is not the key of the certificate$/,
    /rule "no-key": Value of "upstream\.tls\.key_file" is not right: it can not be used as a key/,
    /rule "plain": Value of "upstream\.tls" is for an "upstream\.url" that begins with https:\/\/$/,
    /rule "address": upstream\.tls\.server_name /,
  ]
  for (const one of expected) t.ok(lines.some(line => one.test(line)), one.source)
  t.equal(lines.length, expected.length)

  await t.rejects(startTestGateway(t, { config: { proxy: { tls: { ca_file: 'gone.pem' } } } }), { message: /configuration proxy\.tls\.ca_file "gone\.pem" can not be read/ })
})
