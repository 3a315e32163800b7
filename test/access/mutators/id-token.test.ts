import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compactVerify, decodeJwt, decodeProtectedHeader, importJWK, type JWK, type JWTPayload } from 'jose'
import t, { type Test } from 'tap'

import { jwt } from '../../../src/access/authenticators/jwt.js'
import { generateJwks, type SigningAlgorithm } from '../../../src/access/jwks.js'
import { idToken } from '../../../src/access/mutators/id-token.js'
import type { AuthenticationSession, Services } from '../../../src/access/pipeline.js'
import { makeHandler, remoteServices } from '../../helpers/handler.js'
import { deadOrigin, faults, startService } from '../../helpers/service.js'
import { accessRequest, nobody } from '../requests.js'

const issuer_url = 'https://my-issuer.test/'
const sets = new Map<SigningAlgorithm, { keys: JWK[] }>()
for (const alg of ['RS256', 'ES256', 'EdDSA', 'HS256'] as const) sets.set(alg, await generateJwks(alg, `kid-${alg}`, alg === 'RS256' ? 2048 : undefined))

async function keyFile(test: Test, alg: SigningAlgorithm = 'ES256', name = alg): Promise<string> {
  const file = join(test.testdirName, `${name}.json`)
  test.testdir({ [`${name}.json`]: JSON.stringify(sets.get(alg)) })
  return `file://${file}`
}

interface Asking { readonly subject?: string, readonly extra?: AuthenticationSession['extra'], readonly captures?: readonly string[] }

function session({ subject = 'foo', extra, captures = [] }: Asking = {}): AuthenticationSession {
  const asked = nobody(accessRequest('GET', 'http://gateway.test/', { headers: { authorization: 'Bearer of-the-client' } }), { subject, extra, header: { 'x-before': '1' } })
  return { ...asked, match: { ...asked.match, captures: () => captures } }
}

async function token(test: Test, config: object, asking?: Asking, services: Services = remoteServices(test)): Promise<string> {
  const mutator = makeHandler(idToken, { issuer_url, ...config }, services)
  const { header } = await mutator.mutate(session(asking))
  const [, value = ''] = /^Bearer (.+)$/.exec(header['authorization'] ?? '') ?? []
  return value
}

async function claims(test: Test, config: object, asking?: Asking): Promise<JWTPayload> {
  return decodeJwt(await token(test, { jwks_url: await keyFile(test), ...config }, asking))
}

t.test('7.12 the upstream gets a token under which the published key can be found', async test => {
  for (const alg of ['RS256', 'ES256', 'EdDSA'] as const) {
    const services = remoteServices(test)
    const signed = await token(test, { jwks_url: await keyFile(test, alg) }, {}, services)
    test.match(decodeProtectedHeader(signed), { alg, kid: `kid-${alg}`, typ: 'JWT' })
    const { keys } = await services.keySets.publicJwks()
    test.equal(keys.length, 1)
    await test.resolves(compactVerify(signed, await importJWK(keys[0] ?? { kty: '' }, alg)), alg)
    test.equal(keys[0]?.d, undefined)
  }
  const services = remoteServices(test)
  const signed = await token(test, { jwks_url: await keyFile(test, 'HS256') }, {}, services)
  await test.resolves(compactVerify(signed, await importJWK(sets.get('HS256')?.keys[0] ?? { kty: '' }, 'HS256')))
  test.strictSame((await services.keySets.publicJwks()).keys, [], 'nothing of a symmetric key is published')
})

t.test('X-2 the authenticator jwt believes it, by the published keys', async test => {
  const services = remoteServices(test)
  const signed = await token(test, { jwks_url: await keyFile(test), claims: '{"role":"admin"}' }, { subject: 'ann' }, services)
  const published = await startService(test, { body: await services.keySets.publicJwks() })
  const authenticate = makeHandler(jwt, { jwks_urls: [published.url], allowed_algorithms: ['ES256'], trusted_issuers: [issuer_url] }, remoteServices(test))
  const found = await authenticate(nobody(accessRequest('GET', 'http://upstream.test/', { headers: { authorization: `Bearer ${signed}` } })))
  test.match(found, { subject: 'ann', extra: { role: 'admin' } })
})

t.test('7.12 what it says and where', async test => {
  const mutator = makeHandler(idToken, { issuer_url, jwks_url: await keyFile(test) }, remoteServices(test))
  test.strictSame(mutator.sets, ['authorization'])
  const { header, subject } = await mutator.mutate(session())
  test.match(header, { 'x-before': '1', 'authorization': /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/ })
  test.equal(subject, 'foo')

  const now = Date.now() / 1000
  const said = await claims(test, {})
  test.match(said, { iss: issuer_url, sub: 'foo', jti: /^[0-9a-f-]{36}$/ })
  test.ok(Math.abs((said.iat ?? 0) - now) < 20)
  test.equal(said.nbf, said.iat)
  test.equal((said.exp ?? 0) - (said.iat ?? 0), 900, '15m by default')
  const short = await claims(test, { ttl: '30s' })
  test.equal((short.exp ?? 0) - (short.iat ?? 0), 30)
})

t.test('7.12 claims are rendered; the reserved ones are the gateway\'s', async test => {
  const asking: Asking = { extra: { name: 'bar', n: 3, yes: true, list: ['a'] }, captures: ['user', 'pass'] }
  const template = '{"custom-claim":"{{ print .Extra.name }}","aud":["{{ print .Subject }}"],"n":{{ .Extra.n }},"b":{{ .Extra.yes }},"list":{{ .Extra.list | toJson }},"g":"{{ printIndex .MatchContext.RegexpCaptureGroups 0 }}","none":"{{ printIndex .MatchContext.RegexpCaptureGroups 9 }}"}'
  test.match(await claims(test, { claims: template }, asking), { 'custom-claim': 'bar', 'aud': ['foo'], 'n': 3, 'b': true, 'list': ['a'], 'g': 'user', 'none': '' })

  const said = await claims(test, { claims: '{"iss":"x","sub":"root","exp":9999999999,"iat":1,"nbf":1,"jti":"x","aud":"mine"}' })
  test.match(said, { iss: issuer_url, sub: 'foo', aud: 'mine', jti: /.{36}/ })
  test.ok((said.exp ?? 0) < 9999999999)

  for (const broken of ['{', '[]', '"x"', '{"a":"{{ .Subject }}}']) {
    await test.rejects(claims(test, { claims: broken }), { code: 'internal_error' }, broken)
  }
  await test.rejects(claims(test, { claims: '{"a":"{{ print .Subject }}"}' }, { subject: 'a","sub":"root' }).then(said => {
    test.equal(said.sub, 'a","sub":"root', 'what a subject smuggles in does not become the subject')
    throw new Error('as it should be')
  }), /as it should be/)
})

t.test('7.12 tokens are used again for the same question only', async test => {
  const services = remoteServices(test)
  const config = { jwks_url: await keyFile(test), claims: '{"a":"{{ print .Extra.a }}"}' }
  const asking: Asking = { extra: { a: 'x', b: 'y' } }
  const first = await token(test, config, asking, services)
  test.equal(await token(test, config, asking, services), first)
  test.equal(await token(test, config, { extra: { a: 'x', b: 'z' } }, services), first, 'what no claim says does not matter')

  const others: readonly (readonly [what: string, config: object, asking: Asking])[] = [
    ['subject', config, { ...asking, subject: 'bar' }],
    ['extra that a claim says', config, { extra: { a: 'other' } }],
    ['template', { ...config, claims: '{"b":"x"}' }, asking],
    ['ttl', { ...config, ttl: '1h' }, asking],
    ['issuer', { ...config, issuer_url: 'https://other.test/' }, asking],
    ['key set', { ...config, jwks_url: await keyFile(test, 'RS256') }, asking],
    ['no cache', { ...config, cache: { enabled: false } }, asking],
  ]
  for (const [what, otherConfig, otherAsking] of others) test.not(await token(test, otherConfig, otherAsking, services), first, what)
})

t.test('7.12 a token is used again until nine tenths of its time are over', async test => {
  const services = remoteServices(test)
  const config = { jwks_url: await keyFile(test), ttl: '150ms' }
  const first = await token(test, config, {}, services)
  await new Promise(resolve => setTimeout(resolve, 160))
  test.not(await token(test, config, {}, services), first)
})

t.test('K3 the old key stays published when a new one signs', async test => {
  const [oldPrivate, oldPublic] = (await generateJwks('ES256', 'old')).keys
  const [newPrivate, newPublic] = (await generateJwks('ES256', 'new')).keys
  const folder = test.testdir({})
  await writeFile(join(folder, 'keys.json'), JSON.stringify({ keys: [newPrivate, newPublic, oldPublic] }))
  const services = remoteServices(test)
  const signed = await token(test, { jwks_url: `file://${folder}/keys.json` }, {}, services)
  test.equal(decodeProtectedHeader(signed).kid, 'new')
  test.strictSame((await services.keySets.publicJwks()).keys.map(({ kid }) => kid), ['new', 'old'])
  test.ok(oldPrivate)
})

t.test('O10 without a key nobody passes', async test => {
  for (const { name, answer } of faults.filter(({ name }) => name !== 'hangs' && name !== 'answers one byte at a time')) {
    const service = await startService(test, answer)
    await test.rejects(token(test, { jwks_url: service.url }), { code: 'internal_error' }, name)
  }
  const bad = [{ keys: [] }, { keys: [sets.get('ES256')?.keys[1]] }, { keys: [{ kty: 'EC', d: 'x' }] }, { keys: [{ kty: 'RSA', d: 'AQAB', n: 'AQAB', e: 'AQAB' }] }]
  for (const body of bad) {
    await test.rejects(token(test, { jwks_url: (await startService(test, { body })).url }), { code: 'internal_error' }, JSON.stringify(body).slice(0, 40))
  }
  await test.rejects(token(test, { jwks_url: await deadOrigin(test) }), { code: 'internal_error' })
  await test.rejects(token(test, { jwks_url: 'file:///nowhere/keys.json' }), { code: 'internal_error' })
})

t.test('mistakes are found when rules are loaded', async test => {
  const load = (config: object) => () => makeHandler(idToken, config, remoteServices(test))
  test.throws(load({ issuer_url }), /jwks_url is required/)
  test.throws(load({ jwks_url: 'file:///x' }), /issuer_url is required/)
  test.throws(load({ issuer_url, jwks_url: 's3://x/y' }), /file, https or http/)
  test.throws(load({ issuer_url, jwks_url: 'file:///x', claims: '{{ env "HOME" }}' }), /claims: 1:4: function "env" is refused/)
})
