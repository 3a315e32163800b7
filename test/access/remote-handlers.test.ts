/** The handlers that ask other services, in a whole gateway. */
import { compactVerify, createLocalJWKSet, importJWK, CompactSign, type JSONWebKeySet } from 'jose'
import t from 'tap'
import { request } from 'undici'

import { generateJwks } from '../../src/access/jwks.js'
import { startTestGateway } from '../helpers/gateway.js'
import { startService } from '../helpers/service.js'

const enabled = { enabled: true }
const json = [{ handler: 'json', config: { verbose: true } }]

t.test('7.11 the authorizer remote sees the body, and the upstream gets it all the same', async test => {
  const upstream = await startService(test, { body: 'from the upstream' })
  const policy = await startService(test, (res, { body }) => { res.writeHead(body.includes('no') ? 403 : 200, { 'X-Granted': 'yes' }).end() })
  const gateway = await startTestGateway(test, {
    config: { authorizers: { remote: enabled } },
    rules: [{
      id: 'remote', match: { url: '<https?>://<[^/]*>/app/<.*>', methods: ['POST', 'GET'] }, upstream: { url: upstream.url },
      authenticators: [{ handler: 'noop' }],
      authorizer: { handler: 'remote', config: { remote: policy.url, max_body_bytes: 2_000_000, forward_response_headers_to_upstream: ['X-Granted'] } },
      mutators: [{ handler: 'noop' }], errors: json,
    }],
  })
  const post = (body: string | Buffer | AsyncIterable<Buffer>, headers: Record<string, string> = {}) => (
    request(`${gateway.url}/app/x`, { method: 'POST', body: body as string, headers: { 'content-type': 'text/plain', ...headers } })
  )
  async function* chunks(): AsyncIterable<Buffer> {
    for (let n = 0; n < 5; n++) yield Buffer.from(`part ${n};`)
  }

  const mib = 'x'.repeat(1_048_576)
  for (const body of ['testtest', mib]) {
    const answer = await post(body)
    test.equal(await answer.body.text(), 'from the upstream')
    test.equal(policy.asked.at(-1)?.body, body)
    test.equal(upstream.asked.at(-1)?.body, body)
    test.match(upstream.asked.at(-1)?.headers, { 'content-type': 'text/plain', 'content-length': String(body.length), 'x-granted': 'yes' })
    test.equal(upstream.asked.at(-1)?.headers['transfer-encoding'], undefined)
  }
  test.equal((await post(chunks())).statusCode, 200, 'chunked')
  test.equal(upstream.asked.at(-1)?.body, 'part 0;part 1;part 2;part 3;part 4;')
  test.equal((await request(`${gateway.url}/app/x`, { headers: { 'X-Granted': 'forged' } })).statusCode, 200, 'without a body')
  test.equal(upstream.asked.at(-1)?.headers['x-granted'], 'yes')

  const before = upstream.asked.length
  test.equal((await post('no')).statusCode, 403)
  test.equal((await post('x'.repeat(2_000_001))).statusCode, 413)
  test.equal(upstream.asked.length, before)
  test.equal((await post('fine')).statusCode, 200, 'and it goes on')
})

t.test('X-2 a foreign token comes in, the gateway\'s own goes on, and the upstream can verify it', async test => {
  const foreign = await generateJwks('ES256', 'foreign')
  const own = await generateJwks('EdDSA', 'own')
  const folder = test.testdir({ 'foreign.json': JSON.stringify({ keys: foreign.keys.slice(1) }), 'own.json': JSON.stringify(own) })
  const upstream = await startService(test)
  const gateway = await startTestGateway(test, {
    config: {
      serve: { admin: { token: 'a-long-enough-token-for-the-admin-api' } },
      authenticators: { jwt: { ...enabled, config: { jwks_urls: [`file://${folder}/foreign.json`], allowed_algorithms: ['ES256'] } } },
      mutators: { id_token: { ...enabled, config: { issuer_url: 'https://gateway.test/', jwks_url: `file://${folder}/own.json` } } },
    },
    rules: [{
      id: 'jwt', match: { url: '<https?>://<[^/]*>/app/<.*>', methods: ['GET'] }, upstream: { url: upstream.url },
      authenticators: [{ handler: 'jwt' }], authorizer: { handler: 'allow' },
      mutators: [{ handler: 'id_token', config: { claims: '{"role":{{ .Extra.role | toJson }}}' } }], errors: json,
    }],
  })
  const token = await new CompactSign(Buffer.from('{"sub":"ann","role":"admin"}')).setProtectedHeader({ alg: 'ES256', kid: 'foreign' })
    .sign(await importJWK(foreign.keys[0] ?? { kty: '' }, 'ES256'))

  const answer = await request(`${gateway.url}/app/x`, { headers: { authorization: `Bearer ${token}` } })
  test.equal(answer.statusCode, 200)
  const published = await (await request(`${gateway.adminUrl}/.well-known/jwks.json`)).body.json() as JSONWebKeySet
  test.strictSame(published.keys.map(({ kid, d }) => [kid, d]), [['own', undefined]])
  const [, received = ''] = /^Bearer (.+)$/.exec(String(upstream.asked[0]?.headers.authorization)) ?? []
  const { payload } = await compactVerify(received, createLocalJWKSet(published))
  test.match(JSON.parse(Buffer.from(payload).toString()), { sub: 'ann', role: 'admin', iss: 'https://gateway.test/' })

  test.equal((await request(`${gateway.url}/app/x`, { headers: { authorization: `Bearer ${token.slice(0, -4)}AAAA` } })).statusCode, 401)
  test.equal((await request(`${gateway.url}/app/x`)).statusCode, 401)
  test.equal(upstream.asked.length, 1)
})

t.test('O10 a session service that hangs takes nobody else along, and nothing secret into the log', async test => {
  const upstream = await startService(test)
  const hanging = await startService(test, () => undefined)
  const rule = (path: string, over: object) => ({
    id: path, match: { url: `<https?>://<[^/]*>/${path}/<.*>`, methods: ['GET'] }, upstream: { url: upstream.url },
    authenticators: [{ handler: 'noop' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }], errors: json, ...over,
  })
  const gateway = await startTestGateway(test, {
    config: { authenticators: { bearer_token: enabled } },
    rules: [
      rule('open', {}),
      rule('closed', { authenticators: [{ handler: 'bearer_token', config: { check_session_url: hanging.url, timeout: '300ms', on_unreachable: 'unavailable' } }, { handler: 'anonymous' }] }),
    ],
    logLevel: 'debug',
  })
  const closed = Array.from({ length: 20 }, () => request(`${gateway.url}/closed/x?token=canary-query`, { headers: { authorization: 'Bearer canary-token' } }))
  test.equal((await request(`${gateway.url}/open/x`)).statusCode, 200)
  for (const answer of await Promise.all(closed)) {
    test.equal(answer.statusCode, 503)
    await answer.body.dump()
  }
  test.equal(upstream.asked.length, 1, 'nothing turns anonymous')
  test.notMatch(JSON.stringify(gateway.logged), /canary/)
})

t.test('a mistake in a template stops the start, with its place', async test => {
  const broken = startTestGateway(test, {
    rules: [{
      id: 'x', match: { url: 'http://h/', methods: ['GET'] }, upstream: { url: 'http://127.0.0.1:9' },
      authenticators: [{ handler: 'noop' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'header', config: { headers: { 'X-A': '{{ env "HOME" }}' } } }],
    }],
  })
  await test.rejects(broken, /headers\.X-A: 1:4: function "env" is refused: a rule must not read the environment/)
})
