/** Upstreams that are the gateway itself, by a name that says so only when it is asked (security A15). */
import dns from 'node:dns'
import { writeFile } from 'node:fs/promises'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'

import { GatewayError } from '../../src/errors.js'
import { createOwnListeners } from '../../src/proxy/own-listeners.js'
import { rule } from '../access/requests.js'
import { startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { start } from '../helpers/proxy-harness.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'
import { startService } from '../helpers/service.js'

const handshake = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'

/** From now on every name of `.internal` is this machine. */
function resolveHere(t: Test): void {
  const real = dns.lookup
  const here = { address: '127.0.0.1', family: 4 }
  const lookup = (host: string, options: { all?: boolean }, done: (...found: unknown[]) => void): void => {
    if (!host.endsWith('.internal')) real(host, options as dns.LookupAllOptions, done)
    else if (options.all === true) done(null, [here])
    else done(null, here.address, here.family)
  }
  t.intercept(dns, 'lookup', { value: lookup })
}

/** A gateway with one rule for each of these upstreams, at `/0/`, `/1/` and so on: loaded when its ports are known. */
async function startBefore(t: Test, upstreamsOf: (gateway: TestGateway) => readonly string[]): Promise<TestGateway> {
  const gateway = await startTestGateway(t, {
    rules: [], config: { authenticators: { anonymous: { enabled: true } }, authorizers: { allow: { enabled: true } }, mutators: { noop: { enabled: true } } },
  })
  const rules = upstreamsOf(gateway).map((url, at) => rule(`http://<.*>/${at}/<.*>`, { id: `rule ${at}`, upstream: { url } }))
  await writeFile(join(gateway.folder, 'rules.yml'), JSON.stringify(rules))
  for (let tries = 0; tries < 400 && (await fetch(`${gateway.adminUrl}/rules`).then(answer => answer.json()) as unknown[]).length === 0; tries++) await pause(10)
  return gateway
}

/** The line of the one request for a path, which is written when the answer has gone out. */
async function lineOf({ logged }: TestGateway, path: string): Promise<Record<string, unknown> | undefined> {
  const find = () => logged.find(line => line['path'] === path)
  for (let tries = 0; tries < 200 && find() === undefined; tries++) await pause(10)
  return find()
}

t.test('A15 a name that leads to the admin API, or round in circles, leads nowhere', async t => {
  resolveHere(t)
  const app = await startService(t, { body: 'the app' })
  const gateway = await startBefore(t, ({ url, adminUrl }) => [adminUrl, url, app.url].map(it => it.replace('127.0.0.1', 'apps.internal')))

  for (const [at, which] of ['admin', 'public'].entries()) {
    const answer = await fetch(`${gateway.url}/${at}/health/alive`)
    t.equal(answer.status, 502)
    t.notMatch(await answer.text(), /listener/, 'clients are told nothing of it')
    t.match(await lineOf(gateway, `/${at}/health/alive`), {
      level: 50, rule_id: `rule ${at}`, status: 502, detail: new RegExp(`gateway's own ${which} listener.*upstream\\.url`),
    })
    const upgrade = `GET /${at}/socket HTTP/1.1\r\nHost: app.test\r\n${handshake}\r\n`
    t.equal((await sendRaw(Number(new URL(gateway.url).port), upgrade, { until: oneAnswer })).status, 502, 'neither for a WebSocket')
    t.match(await lineOf(gateway, `/${at}/socket`), { rule_id: `rule ${at}`, detail: new RegExp(`own ${which} listener`) })
  }
  t.equal(gateway.logged.filter(({ path }) => String(path).includes('/health/alive')).length, 2, 'nothing went round')

  const answer = await fetch(`${gateway.url}/2/x`)
  t.equal(answer.status, 200)
  t.equal(await answer.text(), 'the app', 'another port of this machine is another service')
})

t.test('A15 not a byte is sent to whoever is refused, with TLS or without, by request or by upgrade', async t => {
  for (const scheme of ['http', 'https']) {
    const seen: (number | undefined)[] = []
    const refusePeer = ({ remotePort }: Socket): GatewayError => {
      seen.push(remotePort)
      return new GatewayError('upstream_unreachable', { detail: 'refused' })
    }
    const proxy = await start({ refusePeer, originOf: ({ port }) => `${scheme}://localhost:${port}` })
    t.teardown(() => proxy.close())
    const ask = (fields: string) => sendRaw(proxy.port, `GET /public/x HTTP/1.1\r\nHost: app.test\r\n${fields}\r\n`, { until: oneAnswer })
    t.equal((await ask('')).status, 502)
    t.equal((await ask(handshake)).status, 502)
    t.same(seen, [proxy.recorder.port, proxy.recorder.port])
    t.same(proxy.recorder.bytes, ['', ''])
  }
})

t.test('A15 a peer is looked at once for each connection', async t => {
  let looks = 0
  const proxy = await start({ refusePeer: () => {
    looks += 1
    return undefined
  } })
  t.teardown(() => proxy.close())
  for (let asked = 0; asked < 5; asked++) {
    t.equal((await sendRaw(proxy.port, 'GET /public/x HTTP/1.1\r\nHost: app.test\r\n\r\n', { until: oneAnswer })).status, 200)
  }
  t.equal(looks, 1)
})

t.test('A15 an address is a listener\'s own when it would take connections there', async t => {
  const cases: readonly (readonly [listening: string, local: string, remote: string, port: number, own: boolean])[] = [
    ['127.0.0.1', '127.0.0.1', '127.0.0.1', 4434, true],
    ['127.0.0.1', '127.0.0.1', '127.0.0.1', 4435, false],
    ['127.0.0.1', '127.0.0.1', '127.8.9.1', 4434, false],
    ['127.0.0.1', '192.0.2.7', '192.0.2.7', 4434, false],
    ['127.0.0.1', '::ffff:127.0.0.1', '::ffff:127.0.0.1', 4434, true],
    ['0.0.0.0', '127.0.0.1', '127.8.9.1', 4434, true],
    ['0.0.0.0', '192.0.2.7', '192.0.2.7', 4434, true],
    ['0.0.0.0', '192.0.2.7', '192.0.2.8', 4434, false],
    ['0.0.0.0', '::1', '::1', 4434, false],
    ['::', '::1', '::1', 4434, true],
    ['::', '2001:db8::7', '2001:db8::7', 4434, true],
    ['::', '2001:db8::7', '2001:db8::8', 4434, false],
    ['::', '127.0.0.1', '127.0.0.1', 4434, true],
    ['192.0.2.7', '192.0.2.7', '192.0.2.7', 4434, true],
    ['192.0.2.7', '127.0.0.1', '127.0.0.1', 4434, false],
  ]
  for (const [address, localAddress, remoteAddress, remotePort, own] of cases) {
    const listeners = createOwnListeners()
    listeners.add('admin', { address, port: 4434 } as AddressInfo)
    const refusal = listeners.refusePeer({ localAddress, remoteAddress, remotePort } as Socket)
    t.equal(refusal !== undefined, own, `${remoteAddress}:${remotePort} from ${localAddress}, listening on ${address}`)
  }
})
