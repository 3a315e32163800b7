/** Who the client is behind proxies, and what a host is, as tables. */
import t from 'tap'

import { clientAddress, createTrust, plainAddress } from '../../src/http/client-address.js'
import { readHost } from '../../src/http/host.js'

t.test('the client is the nearest address that is not trusted', async t => {
  const isTrusted = createTrust(['10.0.0.0/8', '::1/128', '192.0.2.7'])
  const table: readonly (readonly [peer: string, forwardedFor: string | undefined, client: string])[] = [
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['10.0.0.1', '6.6.6.6', '6.6.6.6'],
    ['10.0.0.1', '6.6.6.6, 10.0.0.9', '6.6.6.6'],
    ['10.0.0.1', '1.1.1.1, 6.6.6.6, 10.0.0.9', '6.6.6.6'],
    ['10.0.0.1', '10.0.0.3, 10.0.0.9', '10.0.0.3'],
    ['::1', '2001:db8::1', '2001:db8::1'],
    ['::1', '[2001:db8::1]:4711,192.0.2.7:80', '2001:db8::1'],
    ['10.0.0.1', '6.6.6.6, unknown', '10.0.0.1'],
    ['10.0.0.1', '6.6.6.6, ::ffff:10.0.0.9', '6.6.6.6'],
    ['192.0.2.8', '6.6.6.6', '192.0.2.8'],
  ]
  for (const [peer, forwardedFor, client] of table) t.equal(clientAddress(peer, forwardedFor, isTrusted), client, `${peer} ${forwardedFor}`)
})

t.test('a CIDR that is none stops the start', async t => {
  for (const cidr of ['10.0.0.0/33', 'x', '10.0.0.0/8/8', '10.0.0.0/', '::1/129', '10.0.0.0/x']) t.throws(() => createTrust([cidr]), cidr)
})

t.test('an address of a dual-stack socket is the plain one', async t => {
  t.equal(plainAddress('::ffff:192.0.2.1'), '192.0.2.1')
  t.equal(plainAddress('2001:db8::1'), '2001:db8::1')
})

t.test('a host has one spelling', async t => {
  const table: readonly (readonly [sent: string, http: string | undefined, https?: string])[] = [
    ['APP.test', 'app.test'], ['app.test.', 'app.test'], ['app.test:80', 'app.test', 'app.test:80'], ['app.test.:443', 'app.test:443', 'app.test'],
    ['app.test:0443', 'app.test:443', 'app.test'], ['[::1]:4455', '[::1]:4455'], ['[::1]', '[::1]'], ['127.0.0.1:3000', '127.0.0.1:3000'],
    ['xn--i', 'xn--i'], ['a_b.test', 'a_b.test'],
    ['', undefined], ['.', undefined], ['a..b', undefined], ['a b', undefined], ['a,b', undefined], ['a@b', undefined], ['a:b@c', undefined],
    ['a/b', undefined], ['a\\b', undefined], ['a:', undefined], ['a:0', undefined], ['a:99999', undefined], ['a:123456', undefined], ['a:abc', undefined],
    ['?x', undefined], ['#x', undefined], ['app%2etest', undefined], ['app\u3002test', undefined], ['[::1', undefined], ['[::1].', undefined],
    ['[fe80::1%25eth0]', undefined], [`${'a'.repeat(300)}`, undefined], ['\u212aelvin.test', undefined],
  ]
  for (const [sent, http, https = http] of table) {
    t.equal(readHost(sent, 'http'), http, sent)
    t.equal(readHost(sent, 'https'), https, sent)
  }
})
