/** The Redis driver: the contract on one server and on a cluster, and what its keys look like. */
import { randomUUID } from 'node:crypto'

import t, { type Test } from 'tap'

import { parseDsn, type RedisAddress } from '../../src/store/dsn.js'
import { openRedisStore } from '../../src/store/redis.js'
import { flowRetentionMs } from '../../src/store/retention.js'
import { newFlow, newIdentity, newSession } from '../helpers/records.js'
import { redisSkip, startCluster, startRedis, until } from '../helpers/redis.js'
import { storeContract, type Place } from './contract.js'

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

/** A key prefix of the test's own. */
function placeIn(t: Test, dsn: string, keyPrefix = `${randomUUID()}:`): Place {
  let offset = 0
  return {
    async open() {
      const store = await openRedisStore(parseDsn(dsn) as RedisAddress, {
        timeoutMs: 2_000, keyPrefix, durability: 'required', warn: message => t.fail(message), now: () => Date.now() + offset,
      })
      t.teardown(store.close)
      return store
    },
    advanceClock(ms) {
      offset += ms
    },
  }
}
