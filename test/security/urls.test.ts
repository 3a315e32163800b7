/** Path confusion: no spelling of a URL reaches an upstream's closed part through an open rule (security U). */
import fc from 'fast-check'
import t from 'tap'

import { pathModels } from '../helpers/path-models.js'
import { aliceCookie, start, type GatewayUnderTest } from '../helpers/gateway-harness.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'
import { readTarget } from '../../src/http/target.js'
import { upstreamPath } from '../../src/proxy/upstream-path.js'

let proxy: GatewayUnderTest
t.before(async () => { proxy = await start() })
t.teardown(() => proxy.close())

interface Asked {
  readonly host?: string
  readonly fields?: string
}

/** Asks and says the status, and what the recorder saw of it. */
async function ask(target: string, { host = 'Host: app.test', fields = '' }: Asked = {}): Promise<[status: number, seen: string | undefined]> {
  proxy.recorder.reset()
  const head = ['GET ' + target + ' HTTP/1.1', ...host === '' ? [] : [host], ...fields === '' ? [] : [fields]]
  const { status } = await sendRaw(proxy.port, `${head.join('\r\n')}\r\n\r\n`, { until: oneAnswer })
  return [status, proxy.recorder.requests[0]?.target]
}

const rows: Readonly<Record<string, readonly (readonly [target: string, status: number, seen?: string])[]>> = {
  'U1 dot segments': [
    ['/public/../admin/x', 400], ['/public/%2e%2e/admin/x', 400], ['/public/.%2e/admin/x', 400], ['/public/x/../../admin/x', 400],
    ['/public//../admin/x', 400], ['/public/./../admin/x', 400], ['/public/..', 400], ['/public/%2E', 400],
  ],
  'U2 encoded slashes, refused by every rule and by the lack of one': [
    ['/public/..%2fadmin/x', 400], ['/public/%2e%2e%2fadmin/x', 400], ['/public%2f..%2fadmin/x', 400], ['/%2fadmin/x', 404],
    ['/public/a%2fb', 400], ['/admin%2fx', 404],
  ],
  'U3 backslashes': [
    ['/public/..\\admin', 400], ['/public/..%5cadmin', 400], ['/public/%5c..%5cadmin', 400], ['/public\\..\\admin', 400],
  ],
  'U4 repeated slashes and single dots': [
    ['//admin/x', 401], ['///admin/x', 401], ['/admin//x', 401], ['//public///x', 200, '/public/x'], ['/./admin/x', 400], ['/admin/./x', 400],
  ],
  'U5 escaped letters, once and twice': [
    ['/%61dmin/x', 401], ['/%2561dmin/x', 400], ['/public/%252e%252e/admin/x', 400], ['/public/%25%32%65/x', 400], ['/public/%78', 200, '/public/x'],
  ],
  'U6 another case is another path': [['/ADMIN/x', 404], ['/Public/x', 404]],
  'U7 path parameters': [['/public/..;/admin', 400], ['/public/.;x=1/admin', 400], ['/public/;/admin', 400], ['/public/..%3b/admin', 400], ['/admin;x=1', 404]],
  'U8 broken escapes and UTF-8': [
    ['/public/..%c0%af', 400], ['/public/%c0%ae%c0%ae/', 400], ['/public/%u002e%u002e/', 400], ['/public/%', 400], ['/public/%zz', 400], ['/public/%2', 400],
  ],
  'U9 control characters and bytes beyond ASCII': [
    ['/admin%00', 400], ['/public/%00/../admin', 400], ['/public/..%0a/admin', 400], ['/public/%7f', 400], ['/public/\xe9', 400], ['/public/\xff', 400],
    ['/public/a\tb', 400], ['/public/a b', 400],
  ],
  'U10 fragments': [['/admin#/public', 400], ['/public/#/../admin', 400], ['/public/a?b#c', 400], ['/admin%23', 404], ['/public/x%23/bar', 200, '/public/x%23/bar']],
  'U11 the query decides nothing': [
    ['/public/?/../admin', 200, '/public/?/../admin'], ['/admin?x', 401], ['/admin%3fx', 404], ['/public/a?x=1&x=2;%zz+%20', 200, '/public/a?x=1&x=2;%zz+%20'],
    ['/admin/x?/public/', 401],
  ],
  'U12 no Unicode folding': [
    ['/public/..%ef%bc%8fadmin', 200, '/public/..%EF%BC%8Fadmin'], ['/public/%ef%bc%8e%ef%bc%8e/admin', 200, '/public/%EF%BC%8E%EF%BC%8E/admin'],
  ],
  'U13 targets that are no path': [
    ['http://evil.test/admin', 400], ['http://user@app.test/public/x', 400], ['https://app.test/public/x', 400], ['gopher://app.test/public/', 400],
    ['admin', 400], ['@evil/', 400], ['*', 400], ['http://app.test/public/x?y', 200, '/public/x?y'], ['HTTP://APP.test:80/public/x', 200, '/public/x'],
    ['http://app.test/admin/x', 401], ['http://app.test', 404], ['http://[::1/p', 400], ['http://xn--i/', 400], ['/public/http://evil.test/', 200, '/public/http:/evil.test/'],
  ],
}

for (const [name, table] of Object.entries(rows)) {
  t.test(name, async t => {
    for (const [target, status, seen] of table) {
      t.same(await ask(target), [status, seen], JSON.stringify(target))
      t.same(proxy.recorder.leftovers, [])
    }
  })
}

t.test('U14 a Host that is missing, doubled or malformed', async t => {
  const bad = [
    '', 'Host: app.test\r\nHost: app.test', 'Host: app.test\r\nhost: evil.test', 'Host:', 'Host: a, b', 'Host: app.test@evil.test', 'Host: evil.test:x@app.test',
    'Host: app.test/evil', 'Host: app.test evil', 'Host: app.test\\evil', 'Host: app.test:99999', 'Host: app.test:abc', 'Host: app.test:', 'Host: app.test?x',
    'Host: app.test#x', 'Host: app%2etest', 'Host: app\xe3\x80\x82test', 'Host: [::1', 'Host: .', 'Host: app..test',
  ]
  for (const host of bad) t.same(await ask('/public/x', { host }), [400, undefined], host)
})

t.test('U15 spellings of one host', async t => {
  for (const host of ['APP.TEST', 'app.test.', 'app.test:80', 'App.Test.:80']) {
    t.same(await ask('/public/x', { host: `Host: ${host}` }), [200, '/public/x'], host)
    t.same(proxy.recorder.field('x-forwarded-host'), ['app.test'])
  }
  await ask('/public/x', { host: 'Host: app.test:8080' })
  t.same(proxy.recorder.field('x-forwarded-host'), ['app.test:8080'])
})

t.test('U17 a prefix is stripped at a segment boundary, in front only', async t => {
  const table: readonly (readonly [path: string, strip: string | undefined, base: string, seen: string])[] = [
    ['/api/users/1234', undefined, '', '/api/users/1234'],
    ['/api/users/1234', '/api', '', '/users/1234'],
    ['/api/users/1234', '/api', '/foo', '/foo/users/1234'],
    ['/apiadmin', '/api', '', '/apiadmin'],
    ['/x/api/y', '/api', '', '/x/api/y'],
    ['/api', '/api', '', '/'],
    ['/api/', '/api', '', '/'],
    ['/api', '/api', '/foo', '/foo'],
    ['/api%2Fx', '/api', '', '/api%2Fx'],
    ['/v1/x', '/v1', '/v1', '/v1/x'],
    ['/', undefined, '/base', '/base/'],
  ]
  for (const [path, stripPath, basePath, seen] of table) {
    t.equal(upstreamPath({ basePath, ...stripPath !== undefined && { stripPath } }, path), seen, `${path} - ${stripPath} + ${basePath}`)
  }

  const stripping = await start({ upstream: { stripPath: '/public', basePath: '/base' } })
  t.teardown(() => stripping.close())
  for (const [target, seen] of [['/public/x?y', '/base/x?y'], ['/public/', '/base/'], ['/public//admin', '/base/admin']] as const) {
    await sendRaw(stripping.port, `GET ${target} HTTP/1.1\r\nHost: app.test\r\n\r\n`, { until: oneAnswer })
    t.equal(stripping.recorder.requests.at(-1)?.target, seen)
  }
  const { status } = await sendRaw(stripping.port, 'GET /public/../admin HTTP/1.1\r\nHost: app.test\r\n\r\n', { until: oneAnswer })
  t.equal(status, 400)
})

t.test('U18 what an upstream makes of a path is under the rule that was asked', async t => {
  const area = (path: string): string => /^\/(public|admin|app)(?=\/|$)/.exec(path)?.[1] ?? 'nothing'
  const piece = fc.constantFrom(
    '/', '/', '//', '.', '..', '...', 'public', 'admin', 'app', 'Admin', '%2e', '%2E', '%2f', '%5c', '\\', '%25', '%252e', '%2e%2e', '25', '2e', '2f', '%32%65',
    ';', '%3b', ';x=1', '%00', '%0a', '%20', '%61', '%c0%ae', '%ef%bc%8f', '%23', '#', '?', '%3f', '%', 'x', '~', '"', '|', ':', '@', 'http:', '%u002e',
  )
  const target = fc.array(piece, { minLength: 1, maxLength: 12 }).map(pieces => `/${pieces.join('')}`)

  fc.assert(fc.property(target, raw => {
    let read
    try {
      read = readTarget(raw, 4096)
    } catch {
      return // refused
    }
    if (read.encodedSlashes) return // refused, unless a rule says otherwise

    const forwarded = read.path + read.query
    for (const [name, model] of Object.entries(pathModels)) {
      const seen = model(forwarded)
      const decided = area(read.path)
      // To servlet containers `/admin;x` is `/admin`; here it is under no rule (the README warns of rules that take everything).
      if (name === 'servlet' && decided === 'nothing') continue
      if (seen !== undefined && area(seen) !== decided) throw new Error(`${name} takes ${raw} for ${seen}, decided as ${decided} on ${read.path}`)
    }
    if (readTarget(forwarded, 4096).path !== read.path) throw new Error(`${raw} is not canonical as ${forwarded}`)
  }), { numRuns: 50_000 })
  t.pass('50,000 targets')
})

t.test('U18 the recorder sees what was decided on, over the wire', async t => {
  for (const target of ['/public/%7Eme/%41?%41', '/public/a%2Cb;c=d/', '/app/x/./y', '/public/"x"']) {
    const [status, seen] = await ask(target, { fields: `Cookie: ${aliceCookie}` })
    t.equal(seen === undefined, status === 400, target)
    if (seen !== undefined) t.equal(readTarget(seen, 4096).path + readTarget(seen, 4096).query, seen)
  }
})
