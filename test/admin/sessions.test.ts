import t from 'tap'

import { identitiesOf, logIn, logOut, signUp, usernameOf } from '../helpers/flows.js'
import { startTestGateway, type GatewayOptions, type TestGateway } from '../helpers/gateway.js'
import { redisSkip, startRedis, until } from '../helpers/redis.js'
import { newVisitor, type Page, type Visitor } from '../helpers/visitor.js'

const unknownId = '5b0c1e0e-3f0a-4a52-9d3c-0b1d7f2a9c11'

interface SessionEntry {
  readonly id: string
  readonly identity_id: string
  readonly active: boolean
}

function get(gateway: TestGateway, path: string): Promise<Page> {
  return newVisitor().fetch(`${gateway.adminUrl}${path}`)
}

async function remove(gateway: TestGateway, path: string): Promise<number> {
  return (await newVisitor().send(`${gateway.adminUrl}${path}`, { method: 'DELETE' })).status
}

async function member(gateway: TestGateway, name: string): Promise<Visitor> {
  const visitor = newVisitor()
  await signUp(visitor, gateway, name)
  return visitor
}

async function idOf(gateway: TestGateway, name: string): Promise<string> {
  return (await identitiesOf(gateway)).find(({ traits }) => traits['username'] === name)?.id ?? ''
}

t.test('the sessions of an identity are listed by public ids, with nothing that could log in', async t => {
  const gateway = await startTestGateway(t)
  const ann = await member(gateway, 'ann')
  const annElsewhere = newVisitor()
  await logIn(annElsewhere, gateway, 'ann')
  await member(gateway, 'bob')
  const id = await idOf(gateway, 'ann')

  const page = await get(gateway, `/identities/${id}/sessions`)
  const listed = page.json() as SessionEntry[]
  t.equal(listed.length, 2)
  for (const session of listed) {
    t.strictSame(Object.keys(session), ['id', 'identity_id', 'active', 'authenticated_at', 'issued_at', 'expires_at', 'last_seen_at'])
    t.match(session, { identity_id: id, active: true })
    t.strictSame((await get(gateway, `/sessions/${session.id.toUpperCase()}`)).json(), session)
  }
  const own = (await ann.fetch(`${gateway.publicUrl}/sessions/whoami`)).json() as { sid: string }
  t.equal(listed[0]?.id, own.sid, 'oldest first, by the name that the app knows')
  for (const visitor of [ann, annElsewhere]) {
    const [token = ''] = (visitor.jar.get('ory_kratos_session')?.value ?? '').split('.')
    t.notOk(page.text.includes(token))
  }
  t.notMatch(page.text, /token|hash/i)
  t.strictSame((await get(gateway, `/sessions?identity=${id}`)).json(), listed)
})

t.test('a session that is revoked is over, and no other', async t => {
  const gateway = await startTestGateway(t)
  const [ann, annElsewhere, bob] = [await member(gateway, 'ann'), newVisitor(), await member(gateway, 'bob')]
  await logIn(annElsewhere, gateway, 'ann')
  const id = await idOf(gateway, 'ann')
  const [first] = (await get(gateway, `/identities/${id}/sessions`)).json() as SessionEntry[]

  t.equal(await remove(gateway, `/sessions/${first?.id}`), 204)
  t.equal(await usernameOf(ann, gateway), undefined)
  t.equal(await usernameOf(annElsewhere, gateway), 'ann')
  t.equal(await remove(gateway, `/sessions/${first?.id}`), 404, 'once')
  t.equal((await get(gateway, `/sessions/${first?.id}`)).status, 404)

  t.equal(await remove(gateway, `/identities/${id}/sessions`), 204)
  t.equal(await usernameOf(annElsewhere, gateway), undefined)
  t.equal(await usernameOf(bob, gateway), 'bob')
  t.strictSame((await get(gateway, `/identities/${id}/sessions`)).json(), [])
  t.equal(await remove(gateway, `/identities/${id}/sessions`), 204, 'none is no failure')

  await logIn(ann, gateway, 'ann')
  await logOut(ann, gateway)
  t.strictSame((await get(gateway, `/identities/${id}/sessions`)).json(), [], 'logging out ends it in the list, too')
})

t.test('what is unknown is 404, and nobody lists everybody', async t => {
  const gateway = await startTestGateway(t)
  for (const id of [unknownId, 'nonsense', '__proto__', '%00', 'x'.repeat(4000)]) {
    t.equal((await get(gateway, `/identities/${id}/sessions`)).status, 404)
    t.equal((await get(gateway, `/sessions/${id}`)).status, 404)
    t.equal((await get(gateway, `/sessions?identity=${id}`)).status, 404)
    t.equal(await remove(gateway, `/sessions/${id}`), 404)
    t.equal(await remove(gateway, `/identities/${id}/sessions`), 404)
  }
  t.match(await get(gateway, '/sessions'), { status: 400, text: /identity=ID/ })
})

t.test('a session that was idle for too long is listed as not active, until its next use ends it', async t => {
  const gateway = await startTestGateway(t, { config: { session: { idle_lifespan: '1s' } } })
  const ann = await member(gateway, 'ann')
  const path = `/identities/${await idOf(gateway, 'ann')}/sessions`
  t.match((await get(gateway, path)).json(), [{ active: true }])
  await until(async () => (await get(gateway, path)).json()[0]?.active === false)
  t.equal(await usernameOf(ann, gateway), undefined)
  t.strictSame((await get(gateway, path)).json(), [])
})

t.test('an identity is found by what it logs in with, in any spelling', async t => {
  const gateway = await startTestGateway(t)
  await member(gateway, 'ann')
  await member(gateway, 'bob')
  const names = async (typed: string): Promise<unknown[]> => (await get(gateway, `/identities?${new URLSearchParams({ credentials_identifier: typed })}`)).json()
    .map(({ traits }: { traits: { username: string } }) => traits.username)
  t.strictSame(await names('ann'), ['ann'])
  t.strictSame(await names(' ＡNN '), ['ann'])
  for (const nobody of ['carl', '', 'a\u0000b', 'x'.repeat(4000)]) t.strictSame(await names(nobody), [])
})

t.test('a session that is revoked on one gateway is over on another one over that Redis within a second', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const config: NonNullable<GatewayOptions['config']> = { dsn: redis.url, secrets: { session: ['0123456789abcdef0123456789abcdef'] } }
  const [here, there] = [await startTestGateway(t, { config }), await startTestGateway(t, { config })]
  for (const how of ['one', 'all'] as const) {
    const visitor = newVisitor()
    await (how === 'one' ? signUp(visitor, here, 'ann') : logIn(visitor, here, 'ann'))
    // Until the other one keeps it in memory.
    for (let look = 0; look < 20; look++) t.equal(await usernameOf(visitor, there), 'ann')
    const id = await idOf(here, 'ann')
    const [session] = (await get(here, `/identities/${id}/sessions`)).json() as SessionEntry[]

    t.equal(await remove(here, how === 'one' ? `/sessions/${session?.id}` : `/identities/${id}/sessions`), 204)
    const revokedAt = performance.now()
    await until(async () => await usernameOf(visitor, there) === undefined)
    t.ok(performance.now() - revokedAt < 1000, how)
  }
})
