/** What each error handler says (contract 7.13). */
import t from 'tap'

import { type Answer, GatewayError } from '../../../src/errors.js'
import { type RequestOptions, accessRequest, rule, ruleSet } from '../requests.js'

function answer(handler: string, config: object, error: GatewayError, target = 'http://h/test', options: RequestOptions & { readonly method?: string } = {}): Answer {
  const request = accessRequest(options.method ?? 'GET', target, options)
  const rules = ruleSet([rule('http://h/<.*>', { match: { url: 'http://h/<.*>', methods: [request.method] }, errors: [{ handler, config }] })])
  return rules.match(request).rule.answerError(error, request)
}

const unauthorized = new GatewayError('unauthorized', { reason: 'The session has ended', details: { claim: 1 } })

t.test('json says what kind of failure it is, and why only when it is verbose', async t => {
  t.same(answer('json', {}, unauthorized), {
    status: 401, headers: { 'content-type': 'application/json' },
    body: '{"error":{"code":401,"status":"Unauthorized","request":"request-1","message":"The request could not be authorized"}}\n',
  })
  t.same(JSON.parse(answer('json', { verbose: true }, unauthorized).body), {
    error: {
      code: 401, status: 'Unauthorized', request: 'request-1', reason: 'The session has ended', details: { claim: 1 },
      message: 'Access credentials are invalid',
    },
  })
})

t.test('json: one sentence per status, and the specific one when it is verbose (contract 1.3, 2.5.2)', async t => {
  const rows: [error: GatewayError, generic: string, verbose: string][] = [
    [new GatewayError('no_rule'), 'The requested resource could not be found', 'Requested url does not match any rules'],
    [new GatewayError('several_rules', { detail: 'a, b' }), 'An internal server error occurred, please contact the system administrator', 'Expected exactly one rule but found multiple rules'],
    [new GatewayError('forbidden'), 'The requested action was forbidden', 'Access credentials are not sufficient to access this resource'],
    [new GatewayError('too_many_requests'), 'Too many requests', 'Too many requests'],
    [new GatewayError('upstream_timeout', { reason: 'why' }), 'The upstream service is timing out', 'The upstream service is timing out'],
  ]
  for (const [error, generic, verbose] of rows) {
    const [hidden, said] = [false, true].map(isVerbose => JSON.parse(answer('json', { verbose: isVerbose }, error).body) as { error: { message: string, reason?: string } })
    t.equal(hidden?.error.message, generic, error.code)
    t.equal(hidden?.error.reason, undefined)
    t.equal(said?.error.message, verbose, error.code)
  }
})

t.test('json passes on the error\'s own header fields, in both modes; the others do not', async t => {
  const headers = { 'Retry-After': '30', 'X-Ratelimit-Limit': '100' }
  const error = new GatewayError('too_many_requests', { headers })
  for (const verbose of [false, true]) t.match(answer('json', { verbose }, error), { status: 429, headers })
  t.notOk('Retry-After' in answer('www_authenticate', {}, error).headers)
})

t.test('the log\'s detail is never said', async t => {
  const error = new GatewayError('internal_error', { detail: 's3cret', cause: new Error('s3cret') })
  for (const verbose of [false, true]) t.notMatch(answer('json', { verbose }, error).body, /s3cret/)
})

t.test('redirect goes where it is told, with 302 or 301', async t => {
  const rows: [config: object, target: string, status: number, location: string][] = [
    [{ to: 'http://test/test' }, 'http://h/test', 302, 'http://test/test'],
    [{ to: 'https://test/test', code: 301 }, 'http://h/test', 301, 'https://test/test'],
    [{ to: '/login?a=b#top' }, 'http://h/test', 302, '/login?a=b#top'],
    [{ to: 'login' }, 'http://h/a/b', 302, '/a/login'],
    [{ to: '?login' }, 'http://h/a/b', 302, '?login'],
  ]
  for (const [config, target, status, location] of rows) t.match(answer('redirect', config, unauthorized, target), { status, headers: { location } }, location)
})

t.test('P-19 redirect tells where the browser came from: the URL that was asked for, whatever X-Forwarded-* says', async t => {
  const spoofed = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example', 'x-forwarded-uri': '/evil' }
  const { headers } = answer('redirect', { to: 'http://example.com/error?z=1&return_to=old&a=2#top', return_to_query_param: 'return_to' }, unauthorized, 'http://h/a%20b?x=1&y=%26', { headers: spoofed })
  const location = new URL(headers['location'] as string)
  t.equal(location.searchParams.get('return_to'), 'http://h/a%20b?x=1&y=%26')
  t.same([...location.searchParams.keys()], ['a', 'return_to', 'z'])
  t.equal(location.hash, '#top')
  t.equal(location.origin, 'http://example.com')
})

t.test('redirect says it in HTML to browsers that read, and escapes what it says', async t => {
  const { headers, body } = answer('redirect', { to: '/login?a=\'"<&' }, unauthorized)
  t.equal(headers['content-type'], 'text/html; charset=utf-8')
  t.equal(body, '<a href="/login?a=&#39;&#34;&lt;&amp;">Found</a>.\n\n')
  t.match(answer('redirect', { to: '/login' }, unauthorized, 'http://h/test', { method: 'POST' }), { body: '' })
})

t.test('redirect goes to http(s) URLs and paths only', t => {
  for (const to of ['javascript:alert(1)', 'data:text/html,x', '//h\\x', 'http:', 'https:///x', 'ftp://x/', 'http://a b/', 'x\r\ny']) {
    t.throws(() => answer('redirect', { to }, unauthorized), /is neither an http\(s\) URL nor a path/, to)
  }
  t.end()
})

t.test('www_authenticate is always 401, with the realm as it is', async t => {
  t.same(answer('www_authenticate', {}, new GatewayError('forbidden')), {
    status: 401, body: 'Unauthorized\n',
    headers: { 'www-authenticate': 'Basic realm=Please authenticate.', 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
  })
  t.equal(answer('www_authenticate', { realm: 'staff only' }, unauthorized).headers['www-authenticate'], 'Basic realm=staff only')
  t.throws(() => answer('www_authenticate', { realm: 'a\r\nb' }, unauthorized), /realm/)
})
