/** The decision API as nginx, Traefik and Envoy ask it (contract oathkeeper 5.1, 7.9). */
import t from 'tap'

import { startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { newVisitor, type Page } from '../helpers/visitor.js'

const rule = (id: string, url: string, over: object = {}): object => ({
  id, match: { url, methods: ['GET', 'POST'] },
  authenticators: [{ handler: 'noop' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
  ...over,
})

const rules = [
  rule('open', 'http://app.test/open<.*>'),
  rule('decided', 'https://foobar.ory/some/path', { match: { url: 'https://foobar.ory/some/path', methods: ['POST'] } }),
  rule('bar', 'http://app.test/bar'),
  rule('root', 'http://app.test/'),
  rule('who', 'http://app.test/who', {
    authenticators: [{ handler: 'anonymous' }],
    mutators: [{ handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}' } } }],
  }),
  rule('denied', 'http://app.test/denied', { authorizer: { handler: 'deny' } }),
  rule('asks', 'http://app.test/asks', { authorizer: { handler: 'deny' }, errors: [{ handler: 'www_authenticate' }] }),
  rule('unauthorized', 'http://app.test/unauthorized', { authenticators: [{ handler: 'unauthorized' }] }),
  rule('redirected', 'http://app.test/redirected', {
    authenticators: [{ handler: 'unauthorized' }],
    errors: [{ handler: 'redirect', config: { to: 'http://login.test/', return_to_query_param: 'return_to' } }],
  }),
]

function ask(gateway: TestGateway, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Page> {
  return newVisitor().send(`${gateway.adminUrl}/decisions${path}`, { method, headers })
}

t.test('decisions', async t => {
  const gateway = await startTestGateway(t, { rules })
  const host = { 'x-forwarded-host': 'app.test' }

  t.test('nothing of the client is echoed, with noop either', async t => {
    const page = await ask(gateway, '/open', { ...host, 'authorization': 'Bearer secret', 'cookie': 'a=b', 'x-anything': 'goes' })
    t.equal(page.status, 200)
    t.equal(page.text, '')
    for (const name of ['authorization', 'cookie', 'x-anything']) t.equal(page.headers[name], undefined, name)
  })

  t.test('what the mutators set for the upstream is in the answer', async t => {
    t.equal((await ask(gateway, '/who', host)).headers['x-user'], 'anonymous')
  })

  t.test('D-1 a request body does not matter, and the answer has its own length', async t => {
    const page = await newVisitor().send(`${gateway.adminUrl}/decisions/open`, { method: 'POST', headers: host, body: 'x'.repeat(1337) })
    t.equal(page.status, 200)
    t.equal(page.headers['content-length'], '0')
  })

  t.test('D-2 all of it from X-Forwarded', async t => {
    const forwarded = {
      'x-forwarded-method': 'POST', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'foobar.ory', 'x-forwarded-uri': '/some/path',
    }
    t.equal((await ask(gateway, '', forwarded)).status, 200)
    t.equal((await ask(gateway, '', { ...forwarded, 'x-forwarded-method': 'GET' })).status, 404)
    t.equal((await ask(gateway, '', { ...forwarded, 'x-forwarded-proto': 'http' })).status, 404)
    t.equal((await ask(gateway, '', { ...forwarded, 'x-forwarded-host': 'other.ory' })).status, 404)
  })

  t.test('D-3 without anything below it, it is about the root', async t => {
    t.equal((await ask(gateway, '', host)).status, 200)
  })

  t.test('D-4 the query of X-Forwarded-Uri is no part of the match', async t => {
    t.equal((await ask(gateway, '', { ...host, 'x-forwarded-uri': '/bar?this=is&a=test' })).status, 200)
  })

  t.test('refusals are those of the proxy', async t => {
    t.equal((await ask(gateway, '/none', host)).status, 404)
    t.equal((await ask(gateway, '/denied', host)).status, 403)
    const asks = await ask(gateway, '/asks', host)
    t.equal(asks.status, 401)
    t.equal(asks.headers['www-authenticate'], 'Basic realm=Please authenticate.')
    t.equal((await ask(gateway, '/unauthorized', host)).status, 401)
    const redirected = await ask(gateway, '/redirected?q=1', host)
    t.equal(redirected.status, 302)
    t.equal(redirected.headers['location'], 'http://login.test/?return_to=http%3A%2F%2Fapp.test%2Fredirected%3Fq%3D1')
  })

  t.test('U1 a path that is refused at the proxy is refused here, wherever it is written', async t => {
    for (const path of ['/open/%2e%2e/denied', '/open/..%2fdenied', '/open\\denied']) {
      t.equal((await ask(gateway, '', { ...host, 'x-forwarded-uri': path })).status, 400, path)
    }
  })
})

t.test('A15 with an admin token, a decision needs it in a field of its own', async t => {
  const token = '0123456789abcdef0123456789abcdef'
  const gateway = await startTestGateway(t, { rules, config: { serve: { admin: { token } } } })
  const host = { 'x-forwarded-host': 'app.test' }
  t.equal((await ask(gateway, '/open', host)).status, 401)
  t.equal((await ask(gateway, '/open', { ...host, authorization: `Bearer ${token}` })).status, 401, 'Authorization is the client\'s')
  t.equal((await ask(gateway, '/open', { ...host, 'x-oathgate-token': token })).status, 200)
})
