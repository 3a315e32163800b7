import { randomUUID } from 'node:crypto'

import t, { type Test } from 'tap'

import { goodPassword, identitiesOf, logIn, signUp, usernameOf } from '../helpers/flows.js'
import { startTestGateway, ui, type TestGateway } from '../helpers/gateway.js'
import { newVisitor, type Page } from '../helpers/visitor.js'

/** A thousand syncs of the disk take a while on a machine that tests in parallel. */
const patient = { store: { timeout: '20s' } }

const json = { accept: 'application/json', 'content-type': 'application/json' }

/** Made by other programs from the password `test`. */
const hashes: Readonly<Record<string, string>> = {
  bcrypt: '$2a$12$o6hx.Wog/wvFSkT/Bp/6DOxCtLRTDj7lm9on9suF/WaCGNVHbkfL6',
  scrypt: '$scrypt$ln=16384,r=8,p=1$2npRo7P03Mt8keSoMbyD/tKFWyUzjiQf2svUaNDSrhA=$MiCzNcIplSMqSBrm4HckjYqYhaVPPjTARTzwB1cVNYE=',
  pbkdf2: '$pbkdf2-sha256$i=100000,l=32$1jP+5Zxpxgtee/iPxGgOz0RfE9/KJuDElP1ley4VxXc$QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI',
  argon2i: '$argon2i$v=19$m=65536,t=3,p=4$kk51rW/vxIVCYn+EG4kTSg$NyT88uraJ6im6dyha/M5jhXvpqlEdlS/9fEm7ScMb8c',
  argon2id: '$argon2id$v=19$m=32,t=2,p=4$cm94YnRVOW5jZzFzcVE4bQ$MNzk5BtR2vUhrp6qQEjRNw',
}

function person(username: string, config?: object): Record<string, unknown> {
  return { traits: { username, foobar: 'bar' }, ...(config === undefined ? {} : { credentials: { password: { config } } }) }
}

interface Outcome {
  readonly action: string
  readonly index: number
  readonly patch_id?: string
  readonly identity?: string
  readonly error?: { readonly code: number, readonly reason: string, readonly details?: { readonly identity: string, readonly same: boolean } }
}

function patch(gateway: TestGateway, body: unknown, query = ''): Promise<Page> {
  return newVisitor().send(`${gateway.adminUrl}/identities${query}`, { method: 'PATCH', headers: json, body: JSON.stringify(body) })
}

async function create(t: Test, gateway: TestGateway, documents: readonly unknown[], query = ''): Promise<Outcome[]> {
  const page = await patch(gateway, { identities: documents.map(document => ({ create: document })) }, query)
  t.equal(page.status, 200, page.text.slice(0, 300))
  return page.json().identities as Outcome[]
}

/** Throws when the answer is neither yes nor no. */
async function logsIn(gateway: TestGateway, username: string, password: string): Promise<boolean> {
  const { status, location, text } = await logIn(newVisitor(), gateway, username, password)
  if (location === `${ui}/dashboard`) return true
  if (location?.startsWith(`${ui}/auth/login`) === true) return false
  throw new Error(`the login of ${username} answered ${status} ${location} ${text}: ${JSON.stringify(gateway.logged.slice(-2))}`)
}

t.test('people log in with the password that their imported hash was made from, and no other; the first login makes it anew', async t => {
  const gateway = await startTestGateway(t, { config: patient })
  for (const [name, hash] of Object.entries(hashes)) {
    const page = await newVisitor().submitJson(`${gateway.adminUrl}/identities`, person(name, { hashed_password: hash }))
    t.equal(page.status, 201, page.text)
    t.notMatch(page.text, /hash|credential|\$/)
  }
  for (const name of Object.keys(hashes)) {
    t.equal(await logsIn(gateway, name, 'Test'), false, name)
    t.equal(await logsIn(gateway, name, 'test'), true, name)
    t.equal(await logsIn(gateway, name, 'test'), true, `${name}, with the new hash`)
    t.equal(await logsIn(gateway, name, 'Test'), false, name)
  }
  const again = await create(t, gateway, Object.entries(hashes).map(([name, hash]) => person(name, { hashed_password: hash })))
  t.ok(again.every(({ error }) => error?.details?.same === true), 'who has logged in since is still the same account')
  t.notMatch(JSON.stringify(gateway.logged), /\$2a\$12|\$scrypt|\$pbkdf2|\$argon2/)
})

t.test('a password in clear is hashed; a change of an identity may bring a password, and keeps the one there is', async t => {
  const gateway = await startTestGateway(t, { config: patient })
  const { id } = (await newVisitor().submitJson(`${gateway.adminUrl}/identities`, person('ada', { password: 'short' }))).json() as { id: string }
  t.equal(await logsIn(gateway, 'ada', 'short'), true, 'the policy is for people who choose')

  const put = (document: unknown): Promise<Page> =>
    newVisitor().send(`${gateway.adminUrl}/identities/${id}`, { method: 'PUT', headers: json, body: JSON.stringify(document) })
  t.equal((await put(person('ada2'))).status, 200)
  t.equal(await logsIn(gateway, 'ada2', 'short'), true)
  t.equal((await put(person('ada2', { hashed_password: hashes['argon2id'] }))).status, 200)
  t.equal(await logsIn(gateway, 'ada2', 'short'), false)
  t.equal(await logsIn(gateway, 'ada2', 'test'), true)
})

t.test('a sign-in with a provider that is imported belongs to one identity alone', async t => {
  const gateway = await startTestGateway(t, { config: patient })
  const credentials = { oidc: { config: { providers: [{ provider: 'acme', subject: 'u-1' }] } } }
  const outcomes = await create(t, gateway, [{ ...person('ada'), credentials }, { ...person('bob'), credentials }])
  t.equal(outcomes[0]?.action, 'create')
  t.match(outcomes[1]?.error, { code: 409, reason: `"acme:u-1" belongs to the identity ${outcomes[0]?.identity}.`, details: { same: false } })
})

t.test('each of a batch stands or falls by itself, in order, with what is wrong and where', async t => {
  const gateway = await startTestGateway(t, { config: patient })
  await signUp(newVisitor(), gateway, 'bob', goodPassword)
  const patchId = randomUUID()
  const documents = [
    person('ada', { hashed_password: hashes['bcrypt'] }), person('BOB', { hashed_password: hashes['bcrypt'] }), { traits: { username: 'eve' } },
    person('mallory', { hashed_password: '$2b$31$x' }), 'nobody', person('ada'), person('carl', { password: 'x'.repeat(2000) }),
    person('dora', { password: 'in clear' }), person('\u202eemil'),
  ]
  const page = await patch(gateway, { identities: documents.map((document, index) => ({ create: document, ...(index === 3 ? { patch_id: patchId } : {}) })) })
  const outcomes = page.json().identities as Outcome[]
  t.same(outcomes.map(({ index }) => index), documents.map((_, index) => index))
  t.same(outcomes.map(({ action, error }) => error?.code ?? action), ['create', 409, 400, 400, 400, 409, 400, 'create', 400])
  const reasons = [
    undefined, /^"bob" belongs to the identity/, /^traits\.foobar: foobar is required$/, /^credentials\.password\.config\.hashed_password is not a complete bcrypt/,
    /must be a JSON object/, /^"ada" belongs to/, /at most 1024 bytes/, undefined, /characters that can not be seen/,
  ]
  for (const [index, reason] of reasons.entries()) {
    if (reason !== undefined) t.match(outcomes[index]?.error?.reason, reason)
  }
  t.equal(outcomes[3]?.patch_id, patchId)
  t.equal((await identitiesOf(gateway)).length, 3)
  t.equal((await newVisitor().fetch(`${gateway.adminUrl}/identities/${outcomes[0]?.identity}`)).json().traits.username, 'ada')
  t.equal(await logsIn(gateway, 'ada', 'test'), true)
  t.equal(await logsIn(gateway, 'dora', 'in clear'), true)
})

t.test('a batch that is repeated says which accounts are the same; others with the identifier are not', async t => {
  const gateway = await startTestGateway(t, { config: patient })
  const documents = [person('ada', { hashed_password: hashes['bcrypt'] }), person('bob')]
  const first = await create(t, gateway, documents)
  const same = async (document: unknown): Promise<unknown> => (await create(t, gateway, [document]))[0]?.error?.details
  t.strictSame(await same(documents[0]), { identity: first[0]?.identity, same: true })
  t.strictSame(await same(documents[1]), { identity: first[1]?.identity, same: true })
  t.strictSame(await same(person('ada', { hashed_password: hashes['scrypt'] })), { identity: first[0]?.identity, same: false }, 'another password')
  t.strictSame(await same(person('bob', { hashed_password: hashes['scrypt'] })), { identity: first[1]?.identity, same: false }, 'that it did not have')
  t.strictSame(await same({ traits: { username: 'ada', foobar: 'other' } }), { identity: first[0]?.identity, same: false }, 'other traits')
})

t.test('a dry run finds what an import would find, and stores nothing', async t => {
  const gateway = await startTestGateway(t, { config: patient })
  await create(t, gateway, [person('bob')])
  const outcomes = await create(t, gateway, [person('ada', { password: 'in clear' }), person('bob'), { traits: {} }], '?dry_run=true')
  t.same(outcomes.map(({ action, error }) => error?.code ?? action), ['create', 409, 400])
  t.notOk('identity' in (outcomes[0] as Outcome))
  for (const misspelt of ['?dry_run=1', '?dry_run=TRUE', '?dry_run', '?dry_run=false&dry_run=true']) {
    t.equal((await patch(gateway, { identities: [{ create: person('eve') }] }, misspelt)).status, 400, misspelt)
  }
  t.equal((await identitiesOf(gateway)).length, 1)
})

t.test('D3 a batch has limits, and what is none is refused as a whole', async t => {
  const gateway = await startTestGateway(t, { config: patient })
  const many = (count: number, config?: object): unknown => ({ identities: Array.from({ length: count }, (_, at) => ({ create: person(`p${at}`, config) })) })
  const refused: [status: number, body: unknown, reason: RegExp][] = [
    [400, {}, /member "identities"/], [400, [], /member "identities"/], [400, { identities: {} }, /member "identities"/],
    [400, { identities: [person('ada')] }, /identities\[0\] must be/], [400, { identities: [{ create: person('ada'), delete: true }] }, /identities\[0\]/],
    [400, { identities: [{ create: person('ada'), patch_id: 7 }] }, /patch_id/], [400, many(1001), /at most 1000 identities/],
    [400, many(201, { password: 'in clear' }), /at most 200/], [413, { identities: [{ create: 'x'.repeat(4_194_400) }] }, /at most 4194304 bytes/],
  ]
  for (const [status, body, reason] of refused) {
    const page = await patch(gateway, body)
    t.equal(page.status, status)
    t.match(page.json().error.reason, reason)
  }
  t.same(await identitiesOf(gateway), [])
  t.equal((await patch(gateway, many(1000))).json().identities.filter(({ action }: Outcome) => action === 'create').length, 1000)
})

t.test('A15 a batch is JSON alone, so that no form on a web page can write', async t => {
  const gateway = await startTestGateway(t, { config: patient })
  const page = await newVisitor().send(`${gateway.adminUrl}/identities`, {
    method: 'PATCH', headers: { accept: 'application/json', 'content-type': 'text/plain' }, body: JSON.stringify({ identities: [{ create: person('eve') }] }),
  })
  t.equal(page.status, 415)
  t.same(await identitiesOf(gateway), [])
})

t.test('of two batches with the same people at the same time each person is created once', async t => {
  const gateway = await startTestGateway(t, { config: patient })
  const documents = Array.from({ length: 100 }, (_, at) => person(`p${at}`, { hashed_password: hashes['bcrypt'] }))
  const outcomes = (await Promise.all(Array.from({ length: 4 }, () => create(t, gateway, documents)))).flat()
  t.equal(outcomes.filter(({ action }) => action === 'create').length, 100)
  t.equal(outcomes.filter(({ error }) => error?.code === 409 && error.details?.same === true).length, 300)
  t.equal((await identitiesOf(gateway)).length, 100)
})

t.test('L12 who logs in during an import of passwords in clear is not turned away', async t => {
  const gateway = await startTestGateway(t, { config: { ...patient, hashers: { argon2: { memory: 1024, iterations: 1, concurrency: 1, queue: 2 } } } })
  await signUp(newVisitor(), gateway, 'ada')
  const importing = create(t, gateway, Array.from({ length: 150 }, (_, at) => person(`p${at}`, { password: 'in clear' })))
  const visitor = newVisitor()
  await logIn(visitor, gateway, 'ada')
  t.equal(await usernameOf(visitor, gateway), 'ada')
  t.ok((await importing).every(({ action }) => action === 'create'))
})
