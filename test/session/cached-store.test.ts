/** A session that was ended anywhere is dead everywhere within a second, also when the network or a process misbehaves. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'

import { withSessionCache } from '../../src/session/cached-store.js'
import { openStore } from '../../src/store/open.js'
import type { Identity, Session } from '../../src/store/records.js'
import type { Change, Invalidations, Store } from '../../src/store/store.js'
import { startDoor } from '../helpers/door.js'
import { followed, redisSkip, startRedis, until, type TestRedis } from '../helpers/redis.js'

interface Counted {
  readonly store: Store
  /** Look-ups that went to Redis. */
  asked(): number
}

async function openCached(t: Test, redis: Pick<TestRedis, 'url'>): Promise<Counted> {
  const kept = await openStore({ dsn: redis.url, timeoutMs: 500, keyPrefix: 'test:', durability: 'required', warn: () => undefined })
  t.teardown(() => kept.close())
  let asked = 0
  const counting: Store = {
    ...kept,
    findSession: tokenHash => {
      asked++
      return kept.findSession(tokenHash)
    },
  }
  const invalidations = kept.invalidations as Invalidations
  await until(() => invalidations.isCurrent())
  return { store: withSessionCache(counting, invalidations, 100), asked: () => asked }
}

async function newSession(store: Store): Promise<{ identity: Identity, session: Session }> {
  const at = Date.now()
  const identity: Identity = { id: randomUUID(), schemaId: 'default', traits: {}, credentials: {}, createdAt: at, updatedAt: at, version: 1 }
  await store.createIdentity(identity)
  const session: Session = {
    id: randomUUID(), tokenHash: randomUUID().replaceAll('-', ''), identityId: identity.id,
    authenticatedAt: at, issuedAt: at, expiresAt: at + 60_000, lastSeenAt: at,
  }
  await store.createSession(session)
  return { identity, session }
}

t.test('over a real Redis', { skip: redisSkip }, async t => {
  t.test('a session is looked up once and then known, until it is ended on another process', async t => {
    const redis = await startRedis(t)
    const here = await openCached(t, redis)
    const there = await openCached(t, redis)
    const { session } = await newSession(there.store)

    t.ok(await here.store.findSession(session.tokenHash))
    // Its creation is a change too, and may be heard of after the first look-up.
    await until(async () => {
      const before = here.asked()
      t.ok(await here.store.findSession(session.tokenHash))
      return here.asked() === before
    })

    await there.store.deleteSession(session.tokenHash)
    const endedAt = performance.now()
    await until(async () => await here.store.findSession(session.tokenHash) === undefined)
    t.ok(performance.now() - endedAt < 1000, 'within a second')
  })

  t.test('a change of the identity and the end of all its sessions are seen too', async t => {
    const redis = await startRedis(t)
    const here = await openCached(t, redis)
    const there = await openCached(t, redis)
    const { identity, session } = await newSession(there.store)
    await here.store.findSession(session.tokenHash)

    await there.store.updateIdentity({ ...identity, traits: { name: 'new' }, version: 2 })
    await until(async () => (await here.store.findSession(session.tokenHash))?.identity.traits['name'] === 'new')
    await there.store.deleteSessionsOf(identity.id)
    await until(async () => await here.store.findSession(session.tokenHash) === undefined)
    t.equal(await here.store.findSession(session.tokenHash), undefined)
  })

  t.test('what is ended through the same process is gone at once', async t => {
    const { store } = await openCached(t, await startRedis(t))
    const { session } = await newSession(store)
    await store.findSession(session.tokenHash)
    await store.deleteSession(session.tokenHash)
    t.equal(await store.findSession(session.tokenHash), undefined)
  })

  t.test('with the channel cut, nothing is believed until it is back and everything was forgotten', async t => {
    const redis = await startRedis(t)
    const here = await openCached(t, redis)
    const { session } = await newSession(here.store)
    await here.store.findSession(session.tokenHash)

    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await until(() => here.store.invalidations?.isCurrent() === false)
    const before = here.asked()
    await here.store.findSession(session.tokenHash)
    t.equal(here.asked(), before + 1, 'asked while the channel is cut')
    await until(() => here.store.invalidations?.isCurrent() === true)
    await here.store.findSession(session.tokenHash)
    t.equal(here.asked(), before + 2, 'what was kept before the cut is not believed after it')
  })

  t.test('a frozen Redis is not believed for longer than a second', async t => {
    const redis = await startRedis(t)
    const here = await openCached(t, redis)
    const { session } = await newSession(here.store)
    await here.store.findSession(session.tokenHash)

    await redis.kill('SIGSTOP')
    const frozenAt = performance.now()
    let refusedAt = 0
    while (refusedAt === 0) {
      await here.store.findSession(session.tokenHash).then(() => delay(10), () => { refusedAt = performance.now() })
    }
    await redis.kill('SIGCONT')
    t.ok(refusedAt - frozenAt < 1000, `refused after ${Math.round(refusedAt - frozenAt)} ms`)
    await until(() => here.store.findSession(session.tokenHash).then(Boolean, () => false))
  })

  t.test('what was read from another server than the one that tells of changes is forgotten with the connection to it', async t => {
    const [former, next] = await Promise.all([startRedis(t, { args: ['--repl-diskless-sync-delay', '0'] }), startRedis(t)])
    const door = await startDoor(t, former.port)
    const here = await openCached(t, { url: `redis://127.0.0.1:${door.port}` })
    const { session } = await newSession(here.store)
    await followed(next, former)
    await next.command('REPLICAOF', 'NO', 'ONE')

    const there = await openCached(t, next)
    await there.store.deleteSession(session.tokenHash)
    door.lead(next.port)
    await former.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await until(() => here.store.invalidations?.isCurrent() === false)
    await until(() => here.store.invalidations?.isCurrent() === true)
    const asked = here.asked()
    t.ok(await here.store.findSession(session.tokenHash), 'the former one still has it')
    t.equal(here.asked(), asked + 1)

    await former.command('CLIENT', 'KILL', 'TYPE', 'normal')
    await until(() => here.store.ping().then(() => true, () => false))
    t.equal(await here.store.findSession(session.tokenHash), undefined)
  })

  t.test('a flush of the database is heard', async t => {
    const redis = await startRedis(t)
    const here = await openCached(t, redis)
    const { session } = await newSession(here.store)
    await here.store.findSession(session.tokenHash)
    await redis.command('FLUSHALL')
    await until(() => here.store.findSession(session.tokenHash).then(found => found === undefined, () => true))
    t.not(await here.store.findSession(session.tokenHash).catch(() => undefined), session)
  })
})

t.test('a look-up that a change overtakes is not kept', async t => {
  let tell: (change: Change) => void = () => undefined
  const invalidations: Invalidations = { isCurrent: () => true, listen: listener => { tell = listener } }
  const at = Date.now()
  const identity: Identity = { id: 'someone', schemaId: 'default', traits: {}, credentials: {}, createdAt: at, updatedAt: at, version: 1 }
  const session: Session = {
    id: 'a', tokenHash: 'hash', identityId: 'someone', authenticatedAt: at, issuedAt: at, expiresAt: at + 1000, lastSeenAt: at,
  }
  for (const change of [{ session: 'hash' }, { identity: 'someone' }, 'everything'] satisfies Change[]) {
    let asked = 0
    const slow = { findSession: async () => {
      asked++
      await delay(1)
      if (asked === 1) tell(change)
      return { session, identity }
    } } as unknown as Store
    const store = withSessionCache(slow, invalidations, 10)
    await store.findSession('hash')
    await store.findSession('hash')
    await store.findSession('hash')
    t.equal(asked, 2, `${JSON.stringify(change)}: asked again once, then known`)
  }
})
