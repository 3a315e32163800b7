/** L19, X15: what the use of sessions costs the store, also where clocks are wrong. */
import t, { type Test } from 'tap'

import { createSessions, type Sessions } from '../../src/session/sessions.js'
import { openStore } from '../../src/store/open.js'
import type { Store } from '../../src/store/store.js'
import { newIdentity } from '../helpers/records.js'
import { redisSkip, startRedis } from '../helpers/redis.js'

const minute = 60_000
const options = { secrets: ['a secret of sixteen'], lifespanMs: 60 * minute, maxPerIdentity: 0 }

interface Noted {
  /** Issued by a gateway whose clock is right. */
  readonly token: string
  /** A gateway whose clock is so far ahead. */
  readonly gateway: (aheadMs: number, idleLifespanMs: number) => Sessions
  /** How often the store was told of use. */
  readonly notes: () => number
  failing: boolean
}

async function start(t: Test): Promise<Noted> {
  const redis = await startRedis(t)
  const store = await openStore({ dsn: redis.url, timeoutMs: 500, keyPrefix: 'gw:', durability: 'required', warn: message => t.comment(message) })
  t.teardown(store.close)
  const identity = newIdentity({ password: ['ann'] })
  await store.createIdentity(identity)
  const { token } = await createSessions(store, { ...options, idleLifespanMs: 0 }).issue(identity)

  let notes = 0
  const counting: Store = {
    ...store,
    touchSession: async (...use) => {
      notes++
      if (noted.failing) throw new Error('full')
      await store.touchSession(...use)
    },
  }
  const noted: Noted = {
    token,
    gateway: (aheadMs, idleLifespanMs) => createSessions(counting, { ...options, idleLifespanMs, now: () => Date.now() + aheadMs }),
    notes: () => notes,
    failing: false,
  }
  return noted
}

/** One after the other, each after what the one before has noted. */
async function use({ verify }: Sessions, token: string, times: number): Promise<number> {
  let valid = 0
  for (let time = 0; time < times; time++) {
    if (await verify(token) !== undefined) valid++
    await new Promise(next => setTimeout(next, 10))
  }
  return valid
}

t.test('L19 a gateway whose clock is far ahead notes the use of a session once a minute, not with every request', { skip: redisSkip }, async t => {
  const { token, gateway, notes } = await start(t)
  t.equal(await use(gateway(10 * minute, 0), token, 20), 20)
  t.equal(notes(), 1)
})

t.test('L19 nor does one whose clock is behind that of another gateway', { skip: redisSkip }, async t => {
  const { token, gateway, notes } = await start(t)
  await use(gateway(1.5 * minute, 4 * minute), token, 1)
  t.equal(notes(), 1)
  t.equal(await use(gateway(0, 4 * minute), token, 20), 20)
  t.equal(notes(), 2)
})

t.test('X6 what the store did not take note of is noted with the next use', { skip: redisSkip }, async t => {
  const noted = await start(t)
  const ahead = noted.gateway(10 * minute, 0)
  noted.failing = true
  await use(ahead, noted.token, 3)
  t.equal(noted.notes(), 3)
  noted.failing = false
  await use(ahead, noted.token, 3)
  t.equal(noted.notes(), 4)
})
