/** The embedded driver: the contract, a full disk, and how what has expired leaves. */
import t from 'tap'

import { openDatabase } from '../../src/store/embedded-database.js'
import { sweep } from '../../src/store/embedded-expiry.js'
import { embeddedFlows } from '../../src/store/embedded-flows.js'
import { embeddedIdentities } from '../../src/store/embedded-identities.js'
import { embeddedSessions } from '../../src/store/embedded-sessions.js'
import { openEmbeddedStore } from '../../src/store/embedded.js'
import { errorRetentionMs, flowRetentionMs } from '../../src/store/retention.js'
import { startChild } from '../helpers/child.js'
import { newFlow, newIdentity, newSession } from '../helpers/records.js'
import { temporaryDirectory } from '../helpers/store.js'
import { storeContract } from './contract.js'

t.test('the store contract', async t => storeContract(t, async t => {
  const path = temporaryDirectory(t)
  let offset = 0
  return {
    async open() {
      const store = await openEmbeddedStore({ path, timeoutMs: 10_000, durability: 'required', now: () => Date.now() + offset })
      t.teardown(store.close)
      return store
    },
    advanceClock(ms) {
      offset += ms
    },
  }
}))

t.test('D12 a full disk refuses writes, whole, and reads go on', async t => {
  const path = temporaryDirectory(t)
  // Node ignores the signal of this limit; what tap puts into its children would end them for it.
  const limited = ['sh', '-c', 'unset NODE_OPTIONS; ulimit -f 4096; exec "$@"', 'sh']
  const child = startChild(t, new URL('fixtures/fill-store.ts', import.meta.url), [path], limited)
  const { created, codes, found, listed, afterwards } = JSON.parse(await child.firstLine()) as Record<string, unknown>
  t.ok(created as number > 5)
  t.strictSame(codes, ['store_unavailable', 'store_unavailable', 'store_unavailable'])
  t.equal(found, created)
  t.equal(listed, created, 'nothing of what failed is there')
  t.equal(afterwards, 'created', 'where room was made there is room')
})

t.test('what has expired is removed, and what was given a later end is not', async t => {
  const path = temporaryDirectory(t)
  const clock = { ms: Date.now() }
  const database = openDatabase({ path, timeoutMs: 10_000, durability: 'none', now: () => clock.ms })
  t.teardown(database.close)
  const store = { ...embeddedIdentities(database), ...embeddedSessions(database, () => clock.ms), ...embeddedFlows(database, () => clock.ms) }
  const identity = newIdentity({ password: ['ann'] })
  await store.createIdentity(identity)
  const [short, long] = [newSession(identity, { expiresAt: clock.ms + 1_000 }), newSession(identity)]
  const [lapsed, renewed] = [newFlow(), newFlow()]
  for (const session of [short, long]) await store.createSession(session)
  for (const flow of [lapsed, renewed]) await store.saveFlow(flow)
  await store.saveFlow({ ...renewed, expiresAt: renewed.expiresAt + 1_000_000 })
  await store.saveError({ id: 'error', errors: [], createdAt: renewed.expiresAt + flowRetentionMs - 1 }) // outlives the flows

  const kept = () => ({
    sessions: [...database.tables.sessions.getKeys()],
    sessionsOf: [...database.tables.sessionsOf.getKeys()].map(([, tokenHash]) => tokenHash),
    flows: [...database.tables.flows.getKeys()],
    errors: [...database.tables.errors.getKeys()],
    hints: [...database.tables.expiry.getKeys()].length,
  })
  t.equal(await sweep(database, () => clock.ms), 0, 'nothing is due yet')
  clock.ms += 1_000
  await sweep(database, () => clock.ms)
  t.match(kept(), { sessions: [long.tokenHash], sessionsOf: [long.tokenHash], flows: [lapsed.id, renewed.id].sort(), errors: ['error'], hints: 8 })
  // `renewed` was made after `lapsed`, maybe a millisecond later: both first ends are past at its own.
  clock.ms = renewed.expiresAt + flowRetentionMs
  await sweep(database, () => clock.ms)
  t.strictSame(kept(), { sessions: [], sessionsOf: [], flows: [renewed.id], errors: ['error'], hints: 2 })
  clock.ms += errorRetentionMs
  await sweep(database, () => clock.ms)
  t.strictSame(kept(), { sessions: [], sessionsOf: [], flows: [], errors: [], hints: 0 })
  t.ok(await store.findIdentity(identity.id))
})

t.test('a backlog of more than one batch is removed in one sweep', async t => {
  const clock = { ms: Date.now() }
  const database = openDatabase({ path: temporaryDirectory(t), timeoutMs: 10_000, durability: 'none', now: () => clock.ms })
  t.teardown(database.close)
  const { saveFlow } = embeddedFlows(database, () => clock.ms)
  await Promise.all(Array.from({ length: 1_234 }, () => saveFlow(newFlow())))
  clock.ms += 3 * flowRetentionMs
  t.equal(await sweep(database, () => clock.ms), 2 * 1_234, 'each has two ends: of its time, and of being known')
  t.equal([...database.tables.flows.getKeys()].length, 0)
})

t.test('an open store sweeps by itself', async t => {
  const path = temporaryDirectory(t)
  const store = await openEmbeddedStore({ path, timeoutMs: 10_000, durability: 'none', now: () => Date.now(), sweepMs: 20 })
  const identity = newIdentity({ password: ['ann'] })
  await store.createIdentity(identity)
  const session = newSession(identity, { expiresAt: Date.now() + 200 })
  await store.createSession(session)
  t.ok(await store.findSession(session.tokenHash))
  await new Promise(resolve => setTimeout(resolve, 500))
  await store.close()
  const database = openDatabase({ path, timeoutMs: 10_000, durability: 'none', now: Date.now })
  t.teardown(database.close)
  t.strictSame([...database.tables.sessions.getKeys()], [])
})

t.test('a write that fails half way leaves nothing', async t => {
  const database = openDatabase({ path: temporaryDirectory(t), timeoutMs: 10_000, durability: 'required', now: Date.now })
  t.teardown(database.close)
  await t.rejects(database.writeThrough(({ claims, meta }) => {
    claims.putSync('claim', 'id')
    meta.putSync('x', 1)
    throw new Error('half way')
  }), { code: 'store_unavailable', detail: 'embedded store: half way' })
  t.equal(database.tables.claims.get('claim'), undefined)
  t.equal(database.tables.meta.get('x'), undefined)
})
