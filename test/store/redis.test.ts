/** The Redis driver: the contract on one server and on a cluster, and what its keys look like. */
import { randomUUID } from 'node:crypto'

import t, { type Test } from 'tap'

import { parseDsn, type RedisAddress } from '../../src/store/dsn.js'
import { openStore } from '../../src/store/open.js'
import { appended } from '../../src/store/redis-append-only.js'
import { openRedisStore } from '../../src/store/redis.js'
import { flowRetentionMs } from '../../src/store/retention.js'
import { newFlow, newIdentity, newSession } from '../helpers/records.js'
import { redisSkip, startCluster, startRedis, until } from '../helpers/redis.js'
import type { Place } from './contract/place.js'
import { storeContract } from './contract.js'

const skip = redisSkip

t.test('the store contract on one Redis', { skip }, async t => {
  const { url } = await startRedis(t)
  await storeContract(t, async t => placeIn(t, url))
})

t.test('the store contract on a Redis Cluster of three masters', { skip }, async t => {
  const { url } = await startCluster(t)
  await storeContract(t, async t => placeIn(t, url))
})

t.test('what expires has an end in Redis itself, and what must stay has none', { skip }, async t => {
  const redis = await startRedis(t)
  const store = await placeIn(t, redis.url, 'gw:').open()
  const identity = newIdentity({ password: ['ann'] })
  const session = newSession(identity, { expiresAt: Date.now() + 400 })
  const flow = newFlow()
  await store.createIdentity(identity)
  await store.createSession(session)
  await store.saveFlow(flow)
  await store.consumeFlow(flow.id)
  await store.saveError({ id: randomUUID(), errors: [], createdAt: Date.now() })

  const lasting = new Set<string>()
  for (const key of await redis.command('KEYS', '*') as string[]) {
    const kind = key.replace(/^gw:([a-z-]+).*$/, '$1')
    if (await redis.command('PTTL', key) === -1) lasting.add(kind)
  }
  t.strictSame([...lasting].sort(), ['claim', 'identities', 'identity', 'sessions-of', 'store'])
  await until(async () => await redis.command('EXISTS', `gw:session:${session.tokenHash}`) === 0)
  t.equal(await store.findSession(session.tokenHash), undefined)
  const flowTtlMs = Number(await redis.command('PTTL', `gw:flow:${flow.id}`))
  t.ok(flowTtlMs > flowRetentionMs && flowTtlMs <= flow.expiresAt - flow.issuedAt + flowRetentionMs)
})

t.test('J7 no key holds what a person typed', { skip }, async t => {
  const redis = await startRedis(t)
  const store = await placeIn(t, redis.url, 'gw:').open()
  for (const text of ['x}:{y', '*', 'canary', '\r\nDEL gw:store\r\n', 'é']) {
    await store.createIdentity(newIdentity({ password: [text], oidc: [text] }))
    await store.saveFlow(newFlow({ id: text }))
    await store.findSession(text)
  }
  for (const key of await redis.command('KEYS', '*') as string[]) {
    t.match(key, /^gw:(store|identities|(claim|flow):~?[A-Za-z0-9_-]+|identity:\{[0-9a-f-]{36}\})$/)
    t.notMatch(key, 'canary-')
  }
})

t.test('what is given up, refused or gone leaves no key behind', { skip }, async t => {
  const redis = await startRedis(t)
  const store = await placeIn(t, redis.url, 'gw:').open()
  const keys = async () => (await redis.command('KEYS', '*') as string[]).map(key => key.replace(/^gw:([a-z-]+).*$/, '$1')).sort()
  const identity = newIdentity({ password: ['old', 'kept'] })
  const session = newSession(identity)
  await store.createIdentity(identity)
  await store.createIdentity(newIdentity({ password: ['new', 'kept', 'other'] }))
  await store.updateIdentity({ ...identity, credentials: { password: { identifiers: ['kept'] } }, version: 2 })
  t.strictSame(await keys(), ['claim', 'identities', 'identity', 'store'])

  await store.touchSession(session.tokenHash, Date.now())
  await store.consumeFlow(newFlow().id)
  await store.releaseFlow(newFlow().id)
  t.strictSame(await keys(), ['claim', 'identities', 'identity', 'store'])

  await store.createSession(session)
  await store.deleteIdentity(identity.id)
  await store.createSession(newSession(identity))
  t.strictSame(await keys(), ['store'])
})

t.test('L2 an identity is acknowledged once Redis has written it, unless durability is `none`', { skip }, async t => {
  const redis = await startRedis(t)
  for (const durability of ['required', 'none'] as const) {
    const store = await openStore({ dsn: redis.url, timeoutMs: 2_000, keyPrefix: `${durability}:`, durability, warn: t.comment })
    t.teardown(store.close)
    // The connection that listens for changes asks INFO once, too.
    await until(() => store.invalidations?.isCurrent() === true)
    await redis.command('CONFIG', 'RESETSTAT')
    await store.createIdentity(newIdentity({ password: ['ann'] }))
    const questions = Number(/^cmdstat_info:calls=([0-9]+)/m.exec(String(await redis.command('INFO', 'commandstats')))?.[1] ?? 0)
    t.equal(questions, durability === 'required' ? 2 : 0, 'asked after the claims and after the identity')
  }
})

t.test('L2 what Redis has put off is waited for, on every server', async t => {
  const state = (size: number, buffered: number): string => `aof_enabled:1\r\naof_current_size:${size}\r\naof_buffer_length:${buffered}\r\n`
  const answers = [
    [state(100, 0), state(500, 30)],
    [state(100, 9), state(500, 60)],
    [state(100, 9), state(529, 1)],
    [state(120, 5), state(530, 1)],
    ['never asked'],
  ]
  await appended({ callEach: () => Promise.resolve(answers.shift() ?? []) })
  t.strictSame(answers, [['never asked']], 'until what was acknowledged at first is written')

  const rewritten = [[state(100, 9)], [state(40, 3)], ['never asked']]
  await appended({ callEach: () => Promise.resolve(rewritten.shift() ?? []) })
  t.strictSame(rewritten, [['never asked']], 'or written anew')
})

/** A key prefix of the test's own. */
function placeIn(t: Test, dsn: string, keyPrefix = `${randomUUID()}:`): Place {
  let offset = 0
  return {
    async open() {
      const store = await openRedisStore(parseDsn(dsn) as RedisAddress, {
        timeoutMs: 2_000, keyPrefix, durability: 'required', warn: message => { t.match(message, /a new one begins/) }, now: () => Date.now() + offset,
      })
      t.teardown(store.close)
      return store
    },
    advanceClock(ms) {
      offset += ms
    },
  }
}
