import { randomBytes } from 'node:crypto'

import * as argon2 from 'argon2'
import t, { type Test } from 'tap'

import type * as passwordHash from '../../src/identity/password-hash.js'
import { createHasher, type HasherOptions } from '../../src/identity/password-hash.js'

const options: HasherOptions = {
  memory: 1024, iterations: 1, parallelism: 1, salt_length: 16, key_length: 32, concurrency: 2, queue: 64, maxPasswordBytes: 1024,
}
const hasher = createHasher(options)

t.test('P7 a hash is not the password, verifies it, and nothing else', async t => {
  for (const bytes of [8, 16, 32, 64, 128]) {
    const password = randomBytes(bytes).toString('hex')
    const phc = await hasher.hash(password)
    t.notOk(phc.includes(password))
    t.equal(await hasher.verify(phc, password), true)
    t.equal(await hasher.verify(phc, `${password.slice(0, -1)}${password.endsWith('0') ? '1' : '0'}`), false, 'the last character counts')
  }
})

t.test('4.4 a hash is argon2id in PHC format, with a new salt each time', async t => {
  const phc = await createHasher({ ...options, memory: 2048, iterations: 2, salt_length: 24, key_length: 48 }).hash('password')
  t.match(phc, /^\$argon2id\$v=19\$m=2048,t=2,p=1\$[A-Za-z0-9+/]{32}\$[A-Za-z0-9+/]{64}$/)
  t.not(await hasher.hash('password'), await hasher.hash('password'))
})

t.test('4.4 a hash made elsewhere verifies by its own parameters', async t => {
  // From the tests of the reference implementation (argon2id, version 0x13).
  const elsewhere = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'
  t.equal(await hasher.verify(elsewhere, 'password'), true)
  t.equal(await hasher.verify(elsewhere, 'Password'), false)
})

t.test('A7 a password is its exact bytes: nothing is cut, normalised or forgotten', async t => {
  const different: [string, string][] = [
    ['p\0a', 'p\0b'], ['p', 'p\0'], ['é', 'e\u0301'], ['ﬁ', 'fi'], ['a ', 'a'], [`${'x'.repeat(1023)}a`, `${'x'.repeat(1023)}b`],
  ]
  for (const [password, other] of different) {
    const phc = await hasher.hash(password)
    t.equal(await hasher.verify(phc, password), true)
    t.equal(await hasher.verify(phc, other), false, JSON.stringify([password.slice(-5), other.slice(-5)]))
  }
})

t.test('D8 a password beyond the limit, or of half characters, is refused before anything is hashed', async t => {
  const { counted, calls } = await countingHasher(t)
  for (const password of ['é'.repeat(513), 'a\ud800']) {
    await t.rejects(counted.hash(password), { code: 'bad_request', status: 400 })
    await t.rejects(counted.verify(undefined, password), { code: 'bad_request' })
    await t.rejects(counted.verify(await hasher.hash('x'), password), { code: 'bad_request' })
  }
  t.strictSame(calls, [])
})

t.test('A2 nobody costs as much as somebody: one hash with the current parameters, through the same queue', async t => {
  const { counted, calls } = await countingHasher(t)
  const phc = await counted.hash('password')
  calls.length = 0
  t.equal(await counted.verify(phc, 'wrong'), false)
  t.equal(await counted.verify(undefined, 'wrong'), false)
  t.strictSame(calls, ['m=1024,t=1,p=1', 'm=1024,t=1,p=1'])

  const busy = createHasher({ ...options, concurrency: 1, queue: 0 })
  const first = busy.verify(undefined, 'password')
  await t.rejects(busy.verify(undefined, 'password'), { code: 'overloaded', headers: { 'Retry-After': '1' } })
  t.equal(await first, false)
})

t.test('a stored text that is no hash, or would cost out of all proportion, is a fault of ours', async t => {
  const salt = 'c29tZXNhbHRzb21lc2FsdA'
  const hash = 'GZJ2SpEu7nnuSRC7T5kmJSHUiNWRmLZMJTA8qRKgKwE'
  const texts = [
    '', 'password', '$2b$10$abcdefghijklmnopqrstuv',
    `$argon2id$v=19$m=4194304,t=1,p=1$${salt}$${hash}`, `$argon2id$v=19$m=1048576,t=9,p=1$${salt}$${hash}`, `$argon2id$v=19$m=1024,t=99999,p=1$${salt}$${hash}`,
    `$argon2id$v=19$m=1024,t=1,p=129$${salt}$${hash}`, `$argon2id$v=19$m=1024,t=1,p=1$${salt}`, `$argon2id$v=19$m=1024,t=1,p=1$x$${hash}`,
  ]
  const { counted, calls } = await countingHasher(t)
  for (const text of texts) await t.rejects(counted.verify(text, 'password'), { code: 'internal_error' }, text)
  t.strictSame(calls, [])
})

t.test('A8 a hash made with less than the current parameters is to be made anew', async t => {
  const phc = await hasher.hash('password')
  t.equal(hasher.needsRehash(phc), false)
  for (const grown of [{ memory: 2048 }, { iterations: 2 }, { key_length: 64 }, { salt_length: 32 }]) {
    t.equal(createHasher({ ...options, ...grown }).needsRehash(phc), true, JSON.stringify(grown))
  }
  const strong = await createHasher({ ...options, memory: 2048, iterations: 2 }).hash('password')
  t.equal(hasher.needsRehash(strong), false, 'a stronger one is kept')
  t.equal(hasher.needsRehash('$2b$10$abcdefghijklmnopqrstuv'), true)
})

/** A hasher on the real argon2, and the parameters of every computation that it makes. */
async function countingHasher(t: Test) {
  const calls: string[] = []
  const parameters = ({ memoryCost, timeCost, parallelism }: argon2.Options) => `m=${memoryCost},t=${timeCost},p=${parallelism}`
  const { createHasher: createCounted } = await t.mockImport<typeof passwordHash>('../../src/identity/password-hash.js', {
    argon2: {
      ...argon2,
      hash: (password: string, given: argon2.Options) => { calls.push(parameters(given)); return argon2.hash(password, given) },
      verify: (phc: string, password: string) => { calls.push(/m=.*?(?=\$)/.exec(phc)?.[0] ?? ''); return argon2.verify(phc, password) },
    },
  })
  return { counted: createCounted(options), calls }
}
