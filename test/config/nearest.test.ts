/** Slips of the keyboard, durations and the formats of the schema, as tables. */
import t from 'tap'

import { durationMs } from '../../src/config/duration.js'
import { isCidr, isHttpUrl } from '../../src/config/formats.js'
import { editDistance, nearest } from '../../src/config/nearest.js'

t.test('how many slips lie between two words', t => {
  for (const [a, b, distance] of [
    ['', '', 0], ['', 'abc', 3], ['abc', 'abc', 0], ['registration_iu', 'registration_ui', 1], ['prot', 'port', 1], ['sesion', 'session', 1],
    ['trusted_proxys', 'trusted_proxies', 2], ['kitten', 'sitting', 3], ['ab', 'ba', 1], ['abc', 'cab', 2],
  ] as const) {
    t.equal(editDistance(a, b), distance, `${a} ${b}`)
    t.equal(editDistance(b, a), distance, `${b} ${a}`)
  }
  t.end()
})

t.test('what may have been meant', t => {
  const words = ['host', 'port', 'trusted_proxies', 'timeout']
  for (const [word, meant] of [
    ['prot', 'port'], ['hots', 'host'], ['Port', 'port'], ['trusted_proxy', 'trusted_proxies'], ['time_out', 'timeout'], ['zebra', undefined], ['x', undefined], ['hosts', 'host'],
  ] as const) t.equal(nearest(word, words), meant, word)
  t.equal(nearest('anything', []), undefined)
  t.end()
})

t.test('http(s) URLs, absolute and without credentials', t => {
  for (const url of ['http://a', 'https://example.org/x?y#z', 'HTTP://127.0.0.1:80', 'https://[::1]/', 'https://example.org?x', 'https://bücher.example/']) t.ok(isHttpUrl(url), url)
  for (const url of [
    '', '/x', 'example.org', 'http:', 'http://', 'http:///x', 'http:a', 'ftp://a', 'javascript:alert(1)', 'https://u:p@a', 'https://u@a', 'https://a b', 'https://a\\b',
    ' https://a', 'https://a\n', 'https://a:99999', 'https://[::1', 'https://%',
  ]) t.notOk(isHttpUrl(url), url)
  t.end()
})

t.test('CIDRs', t => {
  for (const cidr of ['10.0.0.0/8', '0.0.0.0/0', '192.0.2.1/32', '::/0', 'fd00::/8', '::1/128', '::ffff:10.0.0.0/104']) t.ok(isCidr(cidr), cidr)
  for (const cidr of ['', '10.0.0.1', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '10.0.0/8', '010.0.0.0/8', '::/129', 'fe80::1%eth0/64', 'localhost/8', '10.0.0.0/ 8', '10.0.0.0/1e1']) t.notOk(isCidr(cidr), cidr)
  t.end()
})

t.test('Go\'s durations', t => {
  for (const [text, ms] of [['0s', 0], ['1ns', 1e-6], ['1us', 1e-3], ['1.5s', 1500], ['1h30m', 5_400_000], ['720h', 2_592_000_000], ['10m', 600_000], ['250ms', 250]] as const) t.equal(durationMs(text), ms, text)
  t.end()
})
