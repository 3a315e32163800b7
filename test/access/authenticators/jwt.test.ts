import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { base64url, CompactSign, importJWK, type JWK } from 'jose'
import t, { type Test } from 'tap'

import { jwt } from '../../../src/access/authenticators/jwt.js'
import { generateJwks, publicKeys, type SigningAlgorithm } from '../../../src/access/jwks.js'
import type { AuthenticationSession } from '../../../src/access/pipeline.js'
import { GatewayError } from '../../../src/errors.js'
import { makeHandler, remoteServices } from '../../helpers/handler.js'
import { deadOrigin, faults, startService } from '../../helpers/service.js'
import { accessRequest, nobody } from '../requests.js'

const now = Math.floor(Date.now() / 1000)
const keys = new Map<SigningAlgorithm, JWK[]>()
for (const alg of ['RS256', 'ES256', 'HS256', 'EdDSA'] as const) {
  keys.set(alg, (await generateJwks(alg, alg, alg === 'RS256' ? 2048 : undefined)).keys)
}

async function sign(claims: object, { alg = 'RS256', kid = alg, header = {}, jwk }: { alg?: SigningAlgorithm, kid?: string, header?: object, jwk?: JWK } = {}): Promise<string> {
  const key = await importJWK(jwk ?? keys.get(alg)?.[0] ?? { kty: '' }, alg)
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims))).setProtectedHeader({ alg, ...kid === '' ? {} : { kid }, ...header }).sign(key)
}

/** A file with the public and symmetric keys, as `jwks_urls` names it. */
async function jwksFile(test: Test): Promise<string> {
  const file = join(test.testdir({}), 'jwks.json')
  const all = [...keys.values()].flat()
  await writeFile(file, JSON.stringify({ keys: [...publicKeys({ keys: all }), ...all.filter(({ kty }) => kty === 'oct')] }))
  return `file://${file}`
}

interface Sent { readonly headers?: Readonly<Record<string, string>>, readonly query?: string }

async function authenticate(test: Test, config: object, sent: Sent): Promise<AuthenticationSession | undefined> {
  const handler = makeHandler(jwt, { jwks_urls: [await jwksFile(test)], ...config }, remoteServices(test))
  return handler(nobody(accessRequest('GET', `http://gateway.test/${sent.query ?? ''}`, { headers: sent.headers ?? {} })))
}

function bearer(token: string): Sent {
  return { headers: { authorization: `Bearer ${token}` } }
}

async function refusal(promise: Promise<unknown>): Promise<GatewayError> {
  try {
    await promise
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown
    throw thrown
  }
  throw new Error('it was accepted')
}

t.test('7.10 what is no token with three parts is left to the next authenticator', async test => {
  const token = await sign({ sub: 'ann' })
  const rows: readonly (readonly [config: object, sent: Sent])[] = [
    [{}, {}],
    [{}, bearer('invalid-token')],
    [{}, bearer('a.b')],
    [{}, bearer('a.b.c.d.e')],
    [{ token_from: { header: 'X-Custom-Header' } }, bearer(token)],
    [{ token_from: { header: 'X-Custom-Header' } }, { headers: { 'x-custom-header': 'not a jwt' } }],
    [{ token_from: { query_parameter: 'token' } }, bearer(token)],
    [{ token_from: { cookie: 'token' } }, bearer(token)],
  ]
  for (const [config, sent] of rows) test.equal(await authenticate(test, config, sent), undefined, JSON.stringify(config))
})

t.test('7.10 a valid token is accepted wherever it may be', async test => {
  const token = await sign({ sub: 'ann', exp: now + 100, n: 1 })
  const rows: readonly (readonly [config: object, sent: Sent])[] = [
    [{}, bearer(token)],
    [{ token_from: { header: 'X-Custom-Header' } }, { headers: { 'x-custom-header': token } }],
    [{ token_from: { query_parameter: 'token' } }, { query: `?token=${token}` }],
    [{ token_from: { cookie: 'token' } }, { headers: { cookie: `token=${token}` } }],
  ]
  for (const [config, sent] of rows) {
    test.match(await authenticate(test, config, sent), { subject: 'ann', extra: { sub: 'ann', n: 1, scp: [] } }, JSON.stringify(config))
  }
})

t.test('7.10 scopes end up in scp, whichever claim they came in', async test => {
  const config = { scope_strategy: 'exact', required_scope: ['scope-1', 'scope-2'], target_audience: ['aud-1', 'aud-2'], trusted_issuers: ['iss-1', 'iss-2'] }
  for (const scopes of [{ scope: ['scope-1', 'scope-2'] }, { scope: 'scope-1 scope-2' }, { scp: ['scope-1', 'scope-2'] }, { scopes: 'scope-1 scope-2' }]) {
    const session = await authenticate(test, config, bearer(await sign({ sub: 'ann', aud: ['aud-1', 'aud-2'], iss: 'iss-2', ...scopes })))
    test.strictSame(session?.extra, { sub: 'ann', aud: ['aud-1', 'aud-2'], iss: 'iss-2', scp: ['scope-1', 'scope-2'] }, JSON.stringify(scopes))
  }
})

t.test('7.10 algorithms count only when they are allowed', async test => {
  for (const alg of ['HS256', 'ES256', 'EdDSA'] as const) {
    const sent = bearer(await sign({ sub: 'ann' }, { alg }))
    test.match(await authenticate(test, { allowed_algorithms: [alg] }, sent), { subject: 'ann' }, alg)
    await test.rejects(authenticate(test, {}, sent), { code: 'unauthorized' }, `${alg} is not allowed by default`)
  }
})

t.test('7.10 what is wrong with a token is 401, with a reason and its claims', async test => {
  const checks = { scope_strategy: 'exact', required_scope: ['a'], target_audience: ['aud'], trusted_issuers: ['iss'] }
  const right = { sub: 'ann', aud: 'aud', iss: 'iss', scp: ['a'] }
  test.match(await authenticate(test, checks, bearer(await sign(right))), { subject: 'ann' })

  const rows: readonly (readonly [claims: object, reason: RegExp])[] = [
    [{ ...right, exp: now - 3600 }, /expired/],
    [{ ...right, exp: now }, /expired/],
    [{ ...right, exp: 'soon' }, /expired/],
    [{ ...right, nbf: now + 3600 }, /not valid yet/],
    [{ ...right, iat: now + 3600 }, /future/],
    [{ ...right, aud: ['other'] }, /audience is not intended for target audience aud/],
    [{ ...right, aud: undefined }, /audience/],
    [{ ...right, iss: 'other' }, /issuer does not match/],
    [{ ...right, iss: undefined }, /issuer does not match/],
    [{ ...right, scp: ['b'] }, /Scope a was not granted/],
    [{ ...right, scp: undefined }, /Scope a was not granted/],
  ]
  for (const [claims, reason] of rows) {
    const error = await refusal(authenticate(test, checks, bearer(await sign(claims))))
    test.equal(error.code, 'unauthorized')
    test.match(error.reason, reason)
    test.strictSame(JSON.parse(String(error.details?.['jwt_claims'])), JSON.parse(JSON.stringify(claims)))
  }
})

t.test('X15 clocks may differ by a minute, but a token that is over is over', async test => {
  test.match(await authenticate(test, {}, bearer(await sign({ sub: 'ann', nbf: now + 50, iat: now + 50 }))), { subject: 'ann' })
  await test.rejects(authenticate(test, {}, bearer(await sign({ sub: 'ann', exp: now - 1 }))), { code: 'unauthorized' })
})

t.test('O2 forged tokens are refused', async test => {
  const all = { allowed_algorithms: ['RS256', 'ES256', 'HS256', 'EdDSA'] }
  const rsa = keys.get('RS256')?.[1] as JWK
  const pem = base64url.encode(JSON.stringify(rsa))
  const attacker = (await generateJwks('RS256', 'RS256', 2048)).keys
  const valid = await sign({ sub: 'ann' })
  const [header = '', payload = '', signature = ''] = valid.split('.')
  const part = (value: object): string => base64url.encode(JSON.stringify(value))

  const tokens: Readonly<Record<string, string>> = {
    'no algorithm': `${part({ alg: 'none', kid: 'RS256' })}.${payload}.`,
    'no algorithm, in capitals': `${part({ alg: 'NONE', kid: 'RS256' })}.${payload}.`,
    'signature stripped': `${header}.${payload}.`,
    'signature of another token': `${header}.${part({ sub: 'root' })}.${signature}`,
    'HMAC with the public key': await sign({ sub: 'ann' }, { alg: 'HS256', kid: 'RS256', jwk: { kty: 'oct', k: pem } }),
    'HMAC under a key that is public, by its own id': await sign({ sub: 'ann' }, { alg: 'HS256', kid: 'ES256', jwk: { kty: 'oct', k: base64url.encode(JSON.stringify(keys.get('ES256')?.[1])) } }),
    'another key under a known id': await sign({ sub: 'ann' }, { jwk: attacker[0] as JWK }),
    'a key of its own': await sign({ sub: 'ann' }, { jwk: attacker[0] as JWK, kid: 'attacker', header: { jwk: attacker[1] } }),
    'a key set of its own': await sign({ sub: 'ann' }, { jwk: attacker[0] as JWK, kid: 'attacker', header: { jku: 'http://127.0.0.1:1/jwks' } }),
    'unknown id': await sign({ sub: 'ann' }, { kid: 'unknown' }),
    'no id': await sign({ sub: 'ann' }, { kid: '' }),
    'a critical extension': `${part({ alg: 'RS256', kid: 'RS256', crit: ['x'], x: 1 })}.${payload}.${signature}`,
    'no JSON': 'invalid.token.sign',
    'empty parts': '..',
    'claims that are no object': await sign([] as never),
  }
  for (const [name, token] of Object.entries(tokens)) {
    await test.rejects(authenticate(test, all, bearer(token)), { code: 'unauthorized' }, name)
  }
})

t.test('keys for encryption do not verify, nor do keys for another algorithm', async test => {
  const token = await sign({ sub: 'ann' })
  const [key] = publicKeys({ keys: keys.get('RS256') ?? [] })
  for (const [over, accepted] of [[{}, true], [{ use: undefined }, true], [{ alg: undefined }, true], [{ use: 'enc' }, false], [{ alg: 'RS512' }, false]] as const) {
    const service = await startService(test, { body: { keys: [{ ...key, ...over }] } })
    const outcome = authenticate(test, { jwks_urls: [service.url] }, bearer(token))
    if (accepted) test.match(await outcome, { subject: 'ann' }, JSON.stringify(over))
    else await test.rejects(outcome, { code: 'unauthorized' }, JSON.stringify(over))
  }
})

t.test('O11 a new key is found at once, made-up ids cost one reading', async test => {
  const service = await startService(test, { body: { keys: [] } })
  const handler = makeHandler(jwt, { jwks_urls: [service.url] }, remoteServices(test))
  const ask = (token: string) => Promise.resolve().then(() => handler(nobody(accessRequest('GET', 'http://gateway.test/', bearer(token)))))

  await ask(await sign({ sub: 'ann' }, { kid: 'x0' })).catch(() => undefined)
  const readings = service.asked.length
  for (let n = 1; n < 20; n++) await test.rejects(ask(await sign({ sub: 'ann' }, { kid: `x${n}` })), { code: 'unauthorized' })
  test.equal(service.asked.length, readings)

  const rotated = await startService(test, { body: { keys: publicKeys({ keys: keys.get('ES256') ?? [] }) } })
  const other = makeHandler(jwt, { jwks_urls: [rotated.url], allowed_algorithms: ['ES256', 'EdDSA'] }, remoteServices(test))
  const askOther = async (token: string) => other(nobody(accessRequest('GET', 'http://gateway.test/', bearer(token))))
  test.match(await askOther(await sign({ sub: 'ann' }, { alg: 'ES256' })), { subject: 'ann' })
  rotated.answer({ body: { keys: publicKeys({ keys: keys.get('EdDSA') ?? [] }) } })
  test.match(await askOther(await sign({ sub: 'bob' }, { alg: 'EdDSA' })), { subject: 'bob' })
})

t.test('O10 a key set that can\'t be read refuses, and one that can helps out', async test => {
  const token = await sign({ sub: 'ann' })
  for (const { name, answer } of faults) {
    const service = await startService(test, answer)
    if (name !== 'hangs' && name !== 'answers one byte at a time') {
      await test.rejects(authenticate(test, { jwks_urls: [service.url] }, bearer(token)), { code: 'unauthorized' }, name)
    }
  }
  const garbage = await startService(test, { body: '<html>' })
  await test.rejects(authenticate(test, { jwks_urls: [garbage.url] }, bearer(token)), { code: 'unauthorized' })
  test.match(await authenticate(test, { jwks_urls: [await deadOrigin(test), await jwksFile(test)] }, bearer(token)), { subject: 'ann' })
})

t.test('mistakes are found when rules are loaded', async test => {
  const make = (config: object) => () => makeHandler(jwt, config, remoteServices(test))
  test.throws(make({}), /jwks_urls is required/)
  test.throws(make({ jwks_urls: ['s3://bucket/jwks.json'] }), /s3:\/\/bucket\/jwks.json is not supported/)
  test.throws(make({ jwks_urls: ['http://x/'], required_audience: ['x'] }), /required_audience is not a known key/)
  test.throws(make({ jwks_urls: ['http://x/'], allowed_algorithms: ['none'] }), /allowed_algorithms/)
  test.throws(make({ jwks_urls: ['http://x/'], required_scope: ['x'] }), /needs a scope_strategy/)
  test.throws(make({ jwks_urls: ['http://x/'], prefix: 'x' }), /prefix is not a known key/)
})
