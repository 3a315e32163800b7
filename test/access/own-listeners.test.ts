/** Upstreams that are the gateway itself, in every spelling (security A15). */
import { hostname, networkInterfaces } from 'node:os'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'

import { createOwnListenerCheck } from '../../src/access/own-listeners.js'
import { startTestGateway } from '../helpers/gateway.js'
import { rule } from './requests.js'

const admin = { serve: { host: '127.0.0.1', port: 4434 }, url: 'http://gateway.internal:4434/' }
const open = { host: '0.0.0.0', port: 4455 }

function verdicts(upstreams: readonly string[], check = createOwnListenerCheck(admin, open)): (string | undefined)[] {
  return upstreams.map(url => /own (admin|public)/.exec(check(new URL(url)) ?? '')?.[1])
}

t.test('A15 the admin API is recognised by every name that leads to it', async t => {
  const own = [
    'http://127.0.0.1:4434', 'http://127.0.0.1:4434/identities', 'https://127.0.0.1:4434', 'http://localhost:4434', 'http://LOCALHOST.:4434/',
    'http://api.localhost:4434', 'http://127.1:4434', 'http://0x7f.1:4434', 'http://2130706433:4434', 'http://127.8.9.1:4434',
    'http://[::1]:4434', 'http://[0:0:0:0:0:0:0:1]:4434', 'http://[::ffff:127.0.0.1]:4434', 'http://0.0.0.0:4434', 'http://[::]:4434',
    'http://[::ffff:0.0.0.0]:4434', 'http://gateway.internal:4434', 'http://GATEWAY.internal.:4434/identities',
  ]
  t.same(verdicts(own), own.map(() => 'admin'))
})

t.test('A15 so is the public listener, which would be a circle', async t => {
  const addresses = Object.values(networkInterfaces()).flatMap(found => found ?? []).map(({ address, family }) => family === 'IPv6' ? `[${address}]` : address)
  const own = ['localhost', '127.0.0.1', '[::1]', '0.0.0.0', hostname(), ...addresses].map(host => `http://${host}:4455`)
  t.same(verdicts(own), own.map(() => 'public'))
})

t.test('A15 other ports and other machines are other services', async t => {
  const others = [
    'http://127.0.0.1:4433', 'http://localhost', 'https://localhost', 'http://gateway.internal', 'http://gateway.internal:4435', 'http://tasks:4434',
    'http://192.0.2.1:4455', 'http://[2001:db8::1]:4434', 'http://localhost.example.org:4434', 'http://127.0.0.1.example.org:4434',
  ]
  t.same(verdicts(others), others.map(() => undefined))
})

t.test('A15 an address of its own is compared with itself, and port 80 and 443 need not be said', async t => {
  const check = createOwnListenerCheck({ serve: { host: '2001:db8:0::7', port: 80 }, url: 'https://gateway.internal' }, { host: '192.0.2.7', port: 443 })
  const own = ['http://[2001:db8::7]', 'http://[2001:db8::7]:80', 'https://gateway.internal', 'http://gateway.internal:443', 'https://192.0.2.7', 'https://[::ffff:192.0.2.7]']
  t.same(verdicts(own, check), ['admin', 'admin', 'admin', 'admin', 'public', 'public'])
  t.same(verdicts(['http://127.0.0.1', 'https://127.0.0.1', 'http://gateway.internal'], check), [undefined, undefined, undefined])
})

t.test('A15 a rule that leads to the admin API stops the start, and stays out on a reload', async t => {
  const gateway = await startTestGateway(t, { rules: [rule('http://<.*>/')] })
  const port = new URL(gateway.adminUrl).port
  const leads = [rule('http://<.*>/<.*>', { upstream: { url: `http://localhost:${port}` } })]
  await t.rejects(startTestGateway(t, {
    rules: leads, config: { serve: { admin: { port: Number(port) } } },
  }), { message: /rules\.yml:\d+:\d+ rule "http:\/\/<\.\*>\/<\.\*>": Value "http:\/\/localhost:\d+" of "upstream\.url" is the gateway's own admin API/ })

  await writeFile(join(gateway.folder, 'rules.yml'), JSON.stringify(leads))
  const isRefused = () => gateway.logged.some(line => JSON.stringify(line).includes('own admin API'))
  for (let tries = 0; tries < 200 && !isRefused(); tries++) await delay(25)
  t.ok(isRefused())
  t.equal((await fetch(`${gateway.url}/identities`)).status, 404)
})
