/** The Redis driver when Redis is gone, frozen, read-only, full or emptied, and when it is back. */
import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'

import t, { type Test } from 'tap'

import { openStore } from '../../src/store/open.js'
import type { IdentifierClaim } from '../../src/store/records.js'
import type { FoundSession, Store } from '../../src/store/store.js'
import { claimsIn, newAttempt, newFlow, newHash, newIdentity, newSession } from '../helpers/records.js'
import { redisSkip, startCluster, startRedis, startSentinel, until } from '../helpers/redis.js'

const skip = redisSkip
const timeoutMs = 500
const unavailable = { name: 'GatewayError', code: 'store_unavailable', status: 503 }

t.test('X1 a killed Redis: every method says `store_unavailable` within a second, and all works within two of its return', { skip }, async t => {
  const redis = await startRedis(t, { args: ['--appendfsync', 'always'] })
  const store = await open(t, redis.url)
  const identity = newIdentity({ password: ['ann'] })
  const session = newSession(identity)
  await store.createIdentity(identity)
  await store.createSession(session)

  await redis.kill('SIGKILL')
  await everyMethodIsUnavailable(t, store, 1_000)
  await everyMethodIsUnavailable(t, store, 1_000)

  await redis.restart()
  const returned = performance.now()
  await until(() => works(store))
  t.ok(performance.now() - returned < 2_000, 'back in time')
  t.strictSame(await store.findSession(session.tokenHash), { session, identity }, 'with everything it had')
})

t.test('a Redis that is gone is told of once, whether or not anybody asks, and its return once', { skip }, async t => {
  const redis = await startRedis(t)
  const warnings: string[] = []
  const store = await open(t, redis.url, { warn: message => warnings.push(message) })
  warnings.length = 0
  await redis.kill('SIGKILL')
  await until(() => warnings.length > 0)
  await everyMethodIsUnavailable(t, store, 1_000)
  await redis.restart()
  await until(() => warnings.length > 1)
  t.match(warnings, [/^Redis at 127\.0\.0\.1:[0-9]+ does not answer/, /^This is over: Redis at .* does not answer/])
  t.equal(warnings.length, 2)
  await redis.kill('SIGKILL')
  await until(() => warnings.length > 2)
  await store.close()
  t.equal(warnings.length, 3)
})

t.test('X4 commands that are under way when the connection breaks are reported, and not run twice', { skip }, async t => {
  const redis = await startRedis(t, { args: ['--appendfsync', 'always'] })
  const store = await open(t, redis.url)
  const flow = newFlow()
  await store.saveFlow(flow)
  await redis.kill('SIGSTOP')
  const consuming = t.rejects(store.consumeFlow(flow.id), unavailable)
  await redis.kill('SIGKILL')
  const broken = performance.now()
  await consuming
  t.ok(performance.now() - broken < timeoutMs, 'at once, not after the timeout')
  await redis.restart()
  await until(() => works(store))
  t.strictSame(await store.findFlow(flow.id), { flow, consumed: false, expired: false }, 'nobody spent the flow')
})

t.test('X2 a frozen Redis: every method says `store_unavailable` in time, and all works once it thaws', { skip }, async t => {
  const redis = await startRedis(t)
  const store = await open(t, redis.url)
  await redis.kill('SIGSTOP')
  await everyMethodIsUnavailable(t, store, timeoutMs + 250)
  // By now the connection is given up, and nobody waits any more.
  await new Promise(resolve => setTimeout(resolve, 2 * timeoutMs))
  await everyMethodIsUnavailable(t, store, timeoutMs + 250)
  await redis.kill('SIGCONT')
  const returned = performance.now()
  await until(() => works(store))
  t.ok(performance.now() - returned < 2_000, 'back in time')
})

t.test('X5 a server that became a replica is left for the one that takes writes', { skip }, async t => {
  const redis = await startRedis(t)
  const store = await open(t, redis.url)
  await redis.command('REPLICAOF', '127.0.0.1', 1)
  await t.rejects(store.saveFlow(newFlow()), unavailable)
  await redis.command('REPLICAOF', 'NO', 'ONE')
  await until(() => works(store))
  await store.saveFlow(newFlow())
})

t.test('X6 a Redis that is full refuses writes and goes on answering', { skip }, async t => {
  const redis = await startRedis(t)
  const store = await open(t, redis.url)
  const { identity, session } = await logAnnIn(store)
  await redis.command('CONFIG', 'SET', 'maxmemory', '1')
  await t.rejects(store.createIdentity(newIdentity({ password: ['bob'] })), unavailable)
  await t.rejects(store.saveFlow(newFlow()), unavailable)
  await t.rejects(store.ping(), unavailable, 'it may not be written to')
  t.strictSame(await store.findSession(session.tokenHash), { session, identity })
  await redis.command('CONFIG', 'SET', 'maxmemory', '0')
  t.equal(await store.createIdentity(newIdentity({ password: ['bob'] })), undefined)
})

t.test('X6 a full Redis that is connected to anew goes on answering, and one that was emptied meanwhile does not', { skip }, async t => {
  const redis = await startRedis(t)
  const store = await open(t, redis.url)
  const { identity, session } = await logAnnIn(store)
  await redis.command('CONFIG', 'SET', 'maxmemory', '1')

  await redis.command('CLIENT', 'KILL', 'TYPE', 'normal')
  await until(() => works(store))
  t.strictSame(await store.findSession(session.tokenHash), { session, identity })
  await t.rejects(store.saveFlow(newFlow()), { ...unavailable, detail: /^redis: OOM/ })
  await t.rejects(store.ping(), unavailable, 'it may not be written to')

  await redis.command('FLUSHALL')
  await redis.command('CLIENT', 'KILL', 'TYPE', 'normal')
  await until(() => store.findIdentity(identity.id).then(() => false, (error: { detail: string }) => error.detail.includes('data is gone')))
})

t.test('X7 a Redis whose data is gone is refused until the data is back', { skip }, async t => {
  const redis = await startRedis(t)
  const warnings: string[] = []
  const store = await open(t, redis.url, { warn: message => warnings.push(message) })
  await store.createIdentity(newIdentity({ password: ['ann'] }))
  const dump = await redis.command('GET', 'gw:store') as string

  await redis.command('FLUSHALL')
  await t.rejects(store.ping(), unavailable)
  await everyMethodIsUnavailable(t, store, 1_000)
  t.match(warnings, [/a new one begins/, /data is gone/])
  await redis.kill('SIGKILL')
  await redis.restart()
  await until(() => store.ping().then(() => false, (error: { detail: string }) => error.detail.includes('data is gone')))
  t.notOk(await works(store), 'nor after a reconnect')

  await redis.command('SET', 'gw:store', dump)
  await until(() => works(store))
})

t.test('X7 with durability `none` an emptied Redis is taken as it is', { skip }, async t => {
  const redis = await startRedis(t, { appendonly: false })
  const store = await open(t, redis.url, { durability: 'none' })
  const identity = newIdentity({ password: ['ann'] })
  await store.createIdentity(identity)
  await redis.restart()
  await until(() => works(store))
  t.equal(await store.createIdentity(newIdentity({ password: ['ann'] })), undefined)
})

t.test('X9 scripts are found again after Redis forgot them', { skip }, async t => {
  const redis = await startRedis(t)
  const store = await open(t, redis.url)
  const flow = newFlow()
  for (let round = 0; round < 5; round++) {
    await redis.command('SCRIPT', 'FLUSH')
    await Promise.all([store.saveFlow(flow), store.createIdentity(newIdentity({ password: [`ann ${round}`] }))])
  }
  await redis.command('SCRIPT', 'FLUSH')
  t.equal(await store.consumeFlow(flow.id), true)
})

t.test('K4 an error of Redis does not carry the command\'s arguments to the log', { skip }, async t => {
  const redis = await startRedis(t)
  const store = await open(t, redis.url)
  await redis.command('CONFIG', 'SET', 'maxmemory', '1')
  const error = await failure(store.createIdentity(newIdentity({ password: ['canary-5'], traits: { canary: 'canary-6' } })))
  t.match(error, { ...unavailable, detail: /^redis: OOM/ })
  t.notMatch(inspect(error, { depth: 9 }), /canary|argon2/)
})

t.test('Sentinel is asked for the master by its name', { skip }, async t => {
  const redis = await startRedis(t)
  const { url } = await startSentinel(t, redis, 'mymaster')
  const store = await open(t, url)
  t.ok(await works(store))
  await redis.kill('SIGKILL')
  await everyMethodIsUnavailable(t, store, 1_000)
  await redis.restart()
  await until(() => works(store))
  await t.rejects(open(t, url.replace('mymaster', 'othermaster')), { message: /Redis at 127\.0\.0\.1:[0-9]+ \(othermaster\) can not be reached/ })
})

t.test('a cluster that loses a master says so in time, and has every acknowledged identity when it is back', { skip }, async t => {
  const { url, nodes } = await startCluster(t)
  const store = await open(t, url)
  const identities = Array.from({ length: 30 }, (_, index) => newIdentity({ password: [`user ${index}`] }))
  await Promise.all(identities.map(store.createIdentity))
  await nodes[1]?.kill('SIGKILL')
  const outcomes = await Promise.all(identities.map(async ({ id }) => {
    const began = performance.now()
    const outcome = await store.findIdentity(id).then(found => found === undefined ? 'missing' : 'found', (error: { code: string }) => error.code)
    return { outcome, inTime: performance.now() - began < 1_000 }
  }))
  t.ok(outcomes.every(({ inTime }) => inTime), 'nobody waits')
  t.ok(outcomes.some(({ outcome }) => outcome === 'store_unavailable'))
  t.notOk(outcomes.some(({ outcome }) => outcome === 'missing'), 'nobody counts as gone')
  await nodes[1]?.restart()
  await until(async () => (await Promise.all(identities.map(({ id }) => works(store, id)))).every(Boolean))
  for (const identity of identities) {
    t.strictSame(await store.findIdentityByIdentifier(claimsIn(identity)[0] as IdentifierClaim), identity)
  }
})

function open(t: Test, dsn: string, options: Partial<Parameters<typeof openStore>[0]> = {}): Promise<Store> {
  return openStore({ dsn, timeoutMs, keyPrefix: 'gw:', durability: 'required', warn: message => t.comment(message), ...options })
    .then(store => {
      t.teardown(store.close)
      return store
    })
}

async function everyMethodIsUnavailable(t: Test, store: Store, withinMs: number): Promise<void> {
  const identity = newIdentity({ password: ['nobody'] })
  const [session, flow] = [newSession(identity), newFlow()]
  const calls: { [method in Exclude<keyof Store, 'close' | 'invalidations'>]: () => Promise<unknown> } = {
    createIdentity: () => store.createIdentity(identity),
    findIdentity: () => store.findIdentity(identity.id),
    findIdentityByIdentifier: () => store.findIdentityByIdentifier({ method: 'password', identifier: 'nobody' }),
    updateIdentity: () => store.updateIdentity(identity),
    deleteIdentity: () => store.deleteIdentity(identity.id),
    listIdentities: () => store.listIdentities({ limit: 1, offset: 0 }),
    countIdentities: () => store.countIdentities([0, 1]),
    saveFlow: () => store.saveFlow(flow),
    findFlow: () => store.findFlow(flow.id),
    consumeFlow: () => store.consumeFlow(flow.id),
    releaseFlow: () => store.releaseFlow(flow.id),
    takeToken: () => store.takeToken('bucket', { burst: 1, intervalMs: 1_000 }),
    saveAttempt: () => store.saveAttempt(newAttempt()),
    takeAttempt: () => store.takeAttempt(newHash()),
    createSession: () => store.createSession(session),
    findSession: () => store.findSession(session.tokenHash),
    findSessionById: () => store.findSessionById(session.id),
    touchSession: () => store.touchSession(session.tokenHash, 1),
    endIdleSession: () => store.endIdleSession(session.tokenHash, 1),
    deleteSession: () => store.deleteSession(session.tokenHash),
    deleteSessionsOf: () => store.deleteSessionsOf(identity.id),
    listSessionsOf: () => store.listSessionsOf(identity.id),
    countSessions: () => store.countSessions(),
    saveError: () => store.saveError({ id: randomUUID(), errors: [], createdAt: Date.now() }),
    findError: () => store.findError(randomUUID()),
    saveShared: () => store.saveShared('name', 'text'),
    findShared: () => store.findShared('name'),
    takeLease: () => store.takeLease('name', 'holder', 1_000),
    releaseLease: () => store.releaseLease('name', 'holder'),
    ping: () => store.ping(),
  }
  await Promise.all(Object.entries(calls).map(async ([method, call]) => {
    const began = performance.now()
    await t.rejects(call(), unavailable, method)
    const tookMs = performance.now() - began
    t.ok(tookMs < withinMs, `${method} took ${Math.round(tookMs)} ms`)
  }))
}

function works(store: Store, id = randomUUID() as string): Promise<boolean> {
  return store.findIdentity(id).then(() => true, () => false)
}

function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => undefined, (error: unknown) => error)
}

async function logAnnIn(store: Store): Promise<Pick<FoundSession, 'identity' | 'session'>> {
  const identity = newIdentity({ password: ['ann'] })
  const session = newSession(identity)
  await store.createIdentity(identity)
  await store.createSession(session)
  return { identity, session }
}
