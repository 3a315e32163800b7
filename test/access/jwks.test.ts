import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { importJWK, SignJWT, compactVerify } from 'jose'
import t, { type Test } from 'tap'

import { createJwksSource } from '../../src/access/jwks-source.js'
import { findSigningKey, generateJwks, publicKeys, readJwks, signingAlgorithms } from '../../src/access/jwks.js'
import { createKeySets } from '../../src/access/key-sets.js'
import { createOutgoing, type FetchBounded } from '../../src/access/outgoing.js'
import { faults, startService } from '../helpers/service.js'

const fresh = { ttlMs: 30_000, maxWaitMs: 200 }

function fetcher(test: Test): FetchBounded {
  const { fetchBounded, close } = createOutgoing()
  test.teardown(close)
  return fetchBounded
}

t.test('CL-1 a generated key set signs, and its public half verifies', async test => {
  for (const alg of signingAlgorithms) {
    const jwks = await generateJwks(alg, 'k1', alg.startsWith('RS') || alg.startsWith('PS') ? 2048 : undefined)
    const signing = findSigningKey(jwks)
    test.match(signing, { alg, kid: 'k1' })
    const token = await new SignJWT({ a: 1 }).setProtectedHeader({ alg, kid: 'k1' }).sign(await importJWK(signing?.jwk ?? { kty: '' }, alg))

    const published = publicKeys(jwks)
    if (alg.startsWith('HS')) {
      test.strictSame(published, [], `${alg}: nothing to publish`)
      continue
    }
    test.equal(published.length, 1, alg)
    test.match(published[0], { kid: 'k1', use: 'sig', alg })
    test.strictSame(Object.keys(published[0] ?? {}).filter(name => ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'].includes(name)), [])
    await test.resolves(compactVerify(token, await importJWK(published[0] ?? { kty: '' }, alg)))
  }
})

t.test('keys that are too small are refused', async test => {
  await test.rejects(generateJwks('RS256', 'k', 1024), /at least 2048 bits/)
  await test.rejects(generateJwks('HS512', 'k', 256), /at least 512 bits/)
  await test.rejects(generateJwks('HS256', 'k', 257), /whole bytes/)
  await test.rejects(generateJwks('ES256', 'k', 256), /is fixed/)
})

t.test('2.3 tokens name the public key of the set that belongs to the private one', async test => {
  const [privateKey, publicKey] = (await generateJwks('ES256', 'x')).keys as [object, object]
  const [other] = (await generateJwks('ES256', 'other')).keys.slice(1)
  const set = readJwks({ keys: [{ ...other }, { ...publicKey, kid: 'public:1' }, { ...privateKey, kid: 'private:1' }] } as never)
  test.equal(set && findSigningKey(set)?.kid, 'public:1')
  test.strictSame(set && publicKeys(set).map(({ kid }) => kid), ['other', 'public:1'], 'retired keys stay published')

  const alone = readJwks({ keys: [{ ...privateKey, kid: 'private:1' }] } as never)
  test.equal(alone && findSigningKey(alone)?.kid, 'private:1')
  test.strictSame(alone && publicKeys(alone).map(({ kid }) => kid), ['private:1'])
  test.equal(readJwks({ keys: 'none' }), undefined)
  test.equal(readJwks([]), undefined)
  test.end()
})

t.test('O11 a key set is read again after its time, and once in 30 s for an unknown key', async test => {
  const service = await startService(test, { body: { keys: [] } })
  let now = 1_000_000
  const source = createJwksSource(service.url, '.', fetcher(test), () => now)

  await Promise.all([source.keys(fresh), source.keys(fresh), source.keys(fresh)])
  test.equal(service.asked.length, 1, 'one reading for all who wait')
  now += 29_999
  await source.keys(fresh)
  test.equal(service.asked.length, 1)
  now += 1
  await source.keys(fresh)
  test.equal(service.asked.length, 2)

  await source.newestKeys(fresh)
  test.equal(service.asked.length, 3)
  now += 20_000
  for (let n = 0; n < 50; n++) await source.newestKeys(fresh)
  test.equal(service.asked.length, 3, 'no more for made-up ids')
  now += 10_000
  await source.newestKeys({ ttlMs: 60_000, maxWaitMs: 200 })
  test.equal(service.asked.length, 4)
})

t.test('O10 keys that can\'t be read again are used for an hour, and the service is left alone meanwhile', async test => {
  for (const { name, answer } of faults) {
    const service = await startService(test, { body: { keys: [{ kty: 'oct', k: 'AAAA', kid: 'old' }] } })
    let now = 1_000_000
    const source = createJwksSource(service.url, '.', fetcher(test), () => now)
    await source.keys(fresh)

    service.answer(answer)
    now += 40_000
    const began = performance.now()
    test.equal((await source.keys(fresh)).keys[0]?.kid, 'old', name)
    await source.keys(fresh)
    await source.keys(fresh)
    test.ok(performance.now() - began < 4_500, `${name}: waits no longer than it may`)
    test.equal(service.asked.length, 2, `${name}: asked once more`)
  }
})

t.test('keys older than an hour are not believed any more', async test => {
  const service = await startService(test, { body: { keys: [] } })
  let now = 1_000_000
  const source = createJwksSource(service.url, '.', fetcher(test), () => now)
  await source.keys(fresh)
  service.answer({ status: 500 })
  now += 3_599_999
  await test.resolves(source.keys(fresh))
  now += 5_001
  await test.rejects(source.keys(fresh), /answered 500/)
  service.answer({ body: { keys: [] } })
  now += 5_001
  await test.resolves(source.keys(fresh), 'and it recovers')
})

t.test('key sets come from files too, relative to the configuration', async test => {
  const folder = test.testdir({ 'jwks.json': '{"keys":[]}', 'broken.json': '{"keys":', 'no.json': '[]' })
  const fetchBounded = fetcher(test)
  test.strictSame(await createJwksSource('file://jwks.json', folder, fetchBounded).keys(fresh), { keys: [] })
  test.strictSame(await createJwksSource(`file://${join(folder, 'jwks.json')}`, '/', fetchBounded).keys(fresh), { keys: [] })
  await test.rejects(createJwksSource('file://broken.json', folder, fetchBounded).keys(fresh), /is no JSON Web Key Set/)
  await test.rejects(createJwksSource('file://no.json', folder, fetchBounded).keys(fresh), /is no JSON Web Key Set/)
  await test.rejects(createJwksSource('file://absent.json', folder, fetchBounded).keys(fresh), /ENOENT/)
})

t.test('A-3 the public halves of every key set that signs are published, and no other', async test => {
  const folder = test.testdir({})
  const sets = createKeySets(folder, fetcher(test))
  for (const [file, alg] of [['one', 'ES256'], ['two', 'EdDSA'], ['three', 'HS256'], ['four', 'ES256']] as const) {
    await writeFile(join(folder, `${file}.json`), JSON.stringify(await generateJwks(alg, file)))
    if (file !== 'four') sets.publish(`file://${file}.json`)
  }
  sets.publish('file://absent.json')

  const { keys } = await sets.publicJwks()
  test.strictSame(keys.map(({ kid }) => kid), ['one', 'two'])
  test.notMatch(JSON.stringify(keys), /"d"|"k"/)
})
