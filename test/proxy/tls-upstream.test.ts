/** Upstreams behind TLS: their certificate is checked against their own name, whatever `Host` the client sends. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import t from 'tap'

import { start } from '../helpers/proxy-harness.js'
import { startProcess } from '../helpers/proxy-process.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'

const folder = t.testdir({})
const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
const openssl = ((): boolean => {
  try {
    execFileSync('openssl', [
      'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
      '-addext', 'subjectAltName=DNS:localhost', '-keyout', keyFile, '-out', certFile,
    ], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

t.test('https upstreams', { skip: !openssl && 'no openssl to make a certificate with' }, async t => {
  const names: (string | false)[] = []
  let connections = 0
  const server = createServer({ key: readFileSync(keyFile), cert: readFileSync(certFile) }, (req, res) => {
    names.push((req.socket as TLSSocket & { servername: string | false }).servername)
    res.end('ok')
  })
  server.on('secureConnection', () => connections++)
  server.on('upgrade', (_req, socket) => socket.end('HTTP/1.1 418 Teapot\r\nContent-Length: 2\r\n\r\nno'))
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  t.teardown(() => new Promise(closed => {
    server.closeAllConnections()
    server.close(closed)
  }))
  const get = (host: string): string => `GET /public/x HTTP/1.1\r\nHost: ${host}\r\n\r\n`
  const upgrade = 'GET /public/x HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'

  const wary = await start({ upstream: { origin: `https://localhost:${port}`, preserveHost: true } })
  t.teardown(() => wary.close())
  t.equal((await sendRaw(wary.port, get('a.test'), { until: oneAnswer })).status, 502, 'a certificate that nobody vouches for')
  t.equal((await sendRaw(wary.port, upgrade, { until: oneAnswer })).status, 502, 'neither for an upgrade')
  t.same(names, [])

  const trusting = await startProcess({ upstream: { origin: `https://localhost:${port}`, preserveHost: true } }, { NODE_EXTRA_CA_CERTS: certFile })
  t.teardown(() => trusting.close())
  connections = 0
  for (const host of ['a.test', 'b.test', 'a.test']) {
    t.equal((await sendRaw(trusting.port, get(host), { until: text => text.endsWith('ok') })).status, 200)
  }
  t.same(names, ['localhost', 'localhost', 'localhost'])
  t.equal(connections, 1, 'another Host is no reason for another connection')
  t.equal((await sendRaw(trusting.port, upgrade, { until: oneAnswer })).status, 418)

  const misnamed = await startProcess({ upstream: { origin: `https://127.0.0.1:${port}`, preserveHost: true } }, { NODE_EXTRA_CA_CERTS: certFile })
  t.teardown(() => misnamed.close())
  t.equal((await sendRaw(misnamed.port, get('localhost'), { until: oneAnswer })).status, 502, 'a certificate for another name')
})
