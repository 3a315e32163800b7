/** The request target in its one spelling, as a table. */
import t from 'tap'

import { readTarget } from '../../src/http/target.js'

const canonical: readonly (readonly [sent: string, path: string, query?: string])[] = [
  ['/', '/'],
  ['/?x', '/', '?x'],
  ['/foo/', '/foo/'],
  ['/.well-known/jwks.json', '/.well-known/jwks.json'],
  ['/a..b/...', '/a..b/...'],
  ['/foo?x=1?y=%zz&z=\\"', '/foo', '?x=1?y=%zz&z=\\"'],
  ['//foo//bar/', '/foo/bar/'],
  ['///', '/'],
  ['/%61dmin/%7e', '/admin/~'],
  ['/caf%c3%a9', '/caf%C3%A9'],
  ['/a+b%20c', '/a+b%20c'],
  ['/a"<>^`{|}b', '/a%22%3C%3E%5E%60%7B%7C%7Db'],
  ['/a%22%3c', '/a%22%3C'],
  ['/a[0]', '/a[0]'],
  ['/a;x=1/b', '/a;x=1/b'],
  ['/a%3bx', '/a%3Bx'],
  ['/admin%23', '/admin%23'],
  ['/admin%3fx', '/admin%3Fx'],
  ['/100%25', '/100%25'],
  ['/100%25/x', '/100%25/x'],
  ['/a%2fb', '/a%2Fb'],
  ['/a%5cb', '/a%5Cb'],
  ['/%ef%bc%8e%ef%bc%8e/', '/%EF%BC%8E%EF%BC%8E/'],
  ['/public/?/../admin', '/public/', '?/../admin'],
  ['/a?b#', '400'], ['/a#b', '400'], ['#', '400'], ['/admin%23#', '400'],
  ['', '400'], ['*', '400'], ['a', '400'], ['@evil/', '400'], ['?x', '400'], ['gopher://app.test/', '400'], ['http:/x', '400'],
  ['/a\x7f', '400'], ['/a b', '400'], ['/a\tb', '400'], ['/a\u00e9', '400'], ['/?\u00e9', '400'], ['/a?\x01', '400'],
  ['/a%00', '400'], ['/a%0ab', '400'], ['/a%1f', '400'], ['/a%7F', '400'],
  ['/%', '400'], ['/%2', '400'], ['/%zz', '400'], ['/%u002e', '400'], ['/%%36%31', '400'],
  ['/%2561', '400'], ['/%25%36%31', '400'], ['/%2%35', '400'], ['/%252%66', '400'], ['/%25252e', '400'],
  ['/a\\b', '400'],
  ['/.', '400'], ['/..', '400'], ['/a/./b', '400'], ['/a/../b', '400'], ['/a/%2e', '400'], ['/%2E%2e/', '400'], ['/.%2e/x', '400'],
  ['/a/..%2fb', '400'], ['/a%2f..%2fb', '400'], ['/a%5c..', '400'], ['/a%2f.', '400'], ['/a%2f%2e%2e', '400'],
  ['/a/..;/b', '400'], ['/a/..;x=1/b', '400'], ['/a/.;', '400'], ['/a/..%3b/b', '400'], ['/a/;x/b', '400'], ['/a/%2e%2e%3Bx', '400'],
  ['/%c0%af', '400'], ['/%c0%ae%c0%ae/', '400'], ['/%ed%a0%80', '400'], ['/%f5%80%80%80', '400'], ['/%80', '400'], ['/%e2%82', '400'],
]

t.test('a target has one spelling, or is refused', async t => {
  for (const [sent, path, query = ''] of canonical) {
    if (path === '400') {
      t.throws(() => readTarget(sent, 4096), { code: 'bad_request' }, sent)
      continue
    }
    const { encodedSlashes, ...read } = readTarget(sent, 4096)
    t.same(read, { absolute: undefined, path, query }, sent)
    t.equal(encodedSlashes, /%2F|%5C/.test(path), sent)
    t.same(readTarget(path, 4096).path, path, `${path} is its own canonical spelling`)
  }
})

t.test('absolute-form gives its scheme and authority', async t => {
  t.match(readTarget('HTTP://App.test:80/a?b', 4096), { absolute: { scheme: 'http', authority: 'App.test:80' }, path: '/a', query: '?b' })
  t.match(readTarget('https://app.test', 4096), { absolute: { scheme: 'https', authority: 'app.test' }, path: '/', query: '' })
  t.match(readTarget('http://app.test?x', 4096), { path: '/', query: '?x' })
  t.throws(() => readTarget('http://app.test/../x', 4096), { code: 'bad_request' })
})

t.test('a path beyond its limit is refused, a query is not counted', async t => {
  t.equal(readTarget(`/${'a'.repeat(255)}?${'q'.repeat(9999)}`, 256).path.length, 256)
  t.throws(() => readTarget(`/${'a'.repeat(256)}`, 256), { code: 'bad_request' })
  t.throws(() => readTarget(`/${'%61'.repeat(100)}`, 256), { code: 'bad_request' })
})
