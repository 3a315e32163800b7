/** X5, L18: the Redis driver behind Sentinels, and what it calls done with durability `replicated`. */
import { randomUUID } from 'node:crypto'

import t, { type Test } from 'tap'

import { parseDsn, type RedisAddress } from '../../src/store/dsn.js'
import { openStore } from '../../src/store/open.js'
import type { Identity } from '../../src/store/records.js'
import { connectRedis, type RedisConnection } from '../../src/store/redis-connection.js'
import { replicationOf } from '../../src/store/redis-replication.js'
import { guard, type GuardedCommands } from '../../src/store/redis-safety.js'
import type { Durability, Store } from '../../src/store/store.js'
import { watchMachineDelay } from '../helpers/machine-delay.js'
import { newIdentity, newSession } from '../helpers/records.js'
import { followed, redisSkip, startRedis, until, type TestRedis } from '../helpers/redis.js'
import { startWatched } from '../helpers/sentinels.js'

const skip = redisSkip
const timeoutMs = 500
const unavailable = { name: 'GatewayError', code: 'store_unavailable', status: 503 }

t.test('X5 L4 a former master that is alive and takes commands is left as soon as Sentinels name another', { skip }, async t => {
  const redis = await startWatched(t)
  const idle = await open(t, redis.url)
  const identity = newIdentity({ password: ['ann'] })
  const session = newSession(identity)
  await idle.createIdentity(identity)
  await idle.createSession(session)
  t.ok(await idle.findSession(session.tokenHash))

  const { master: former, replica } = await redis.roles()
  await until(async () => await replica.command('EXISTS', `gw:session:${session.tokenHash}`) === 1)
  await former.kill('SIGSTOP')
  await redis.failedOver(former)
  const other = await open(t, redis.url)
  t.equal(await other.deleteSession(session.tokenHash), true)
  const endedAt = performance.now()
  const lateMs = watchMachineDelay()
  await former.kill('SIGCONT')
  t.match(await former.command('ROLE'), ['master'], 'it does not know of its end')
  t.equal(await former.command('EXISTS', `gw:session:${session.tokenHash}`), 1, 'and has the session')

  await until(() => idle.findSession(session.tokenHash).then(found => found === undefined, () => false))
  const tookMs = Math.round(performance.now() - endedAt)
  t.ok(tookMs < 1_000 + lateMs(), `its end held here after ${tookMs} ms`)
  t.match(await former.command('ROLE'), ['master'], 'nor has it been told meanwhile')
})

t.test('X5 replicas that do not answer: nothing is called done, and all is again when one does', { skip }, async t => {
  const { master, replica } = await startPair(t)
  const store = await open(t, master.url, 'replicated')
  const identity = await created(store)
  const [session, another] = [newSession(identity), newSession(identity)]
  await store.createSession(session)
  await store.createSession(another)

  await replica.kill('SIGSTOP')
  const changes: readonly (() => Promise<unknown>)[] = [
    () => store.createIdentity(newIdentity({ password: ['bob'] })),
    () => store.updateIdentity({ ...identity, traits: { name: 'Ann' }, version: 2 }),
    () => store.deleteSession(session.tokenHash),
    () => store.deleteSessionsOf(identity.id),
    () => store.deleteIdentity(identity.id),
  ]
  for (const change of changes) {
    const began = performance.now()
    await t.rejects(change(), unavailable)
    t.ok(performance.now() - began < 1_000, 'and nobody waits')
  }
  await replica.kill('SIGCONT')
  await until(() => store.deleteSession(session.tokenHash).then(() => true, () => false))
  await created(store)
  t.equal(await replica.command('EXISTS', `gw:session:${session.tokenHash}`), 0)
})

t.test('X5 what a replica of another server has says nothing: the two connections have to be to one server', { skip }, async t => {
  const former = await startRedis(t)
  const { master, replica } = await startPair(t)
  const [toFormer, toMaster, waiting] = await Promise.all([connect(t, former), connect(t, master), connect(t, master)])
  await toFormer.call('SET', 'done', 'here alone')
  await t.rejects(replicationOf(toFormer, waiting, 'barrier')(), unavailable)

  await toMaster.call('SET', 'done', 'yes')
  await until(() => replicationOf(toMaster, waiting, 'barrier')().then(() => true, () => false))
  t.equal(await replica.command('GET', 'done'), 'yes')
})

for (const durability of ['required', 'replicated'] as const) {
  t.test(`X5 with durability \`${durability}\` a change during which the connection was lost is not called done: who acknowledged its beginning may be the master no more`, { skip }, async t => {
    const { master } = await startPair(t)
    const connection = await connect(t, master)
    const waiting = durability === 'replicated' ? await connect(t, master) : undefined
    const commands = await guard(connection, { where: 'here', keyPrefix: 'gw:', durability, waiting, warn: message => t.comment(message) })
    t.teardown(commands.stop)

    const broken = commands.beginChange()
    await commands.call('SET', 'half', 'done')
    await master.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await until(() => isLost(commands))
    await until(async () => !await isLost(commands))
    await t.rejects(broken.written(), unavailable)

    await until(async () => {
      const whole = commands.beginChange()
      await commands.call('SET', 'half', 'again')
      return whole.written().then(() => true, () => false)
    })
  })
}

t.test('with durability `replicated` a master without replicas is warned of; neither a folder nor a Cluster takes it', { skip }, async t => {
  const redis = await startRedis(t, { args: ['--repl-diskless-sync-delay', '0'] })
  const warnings: string[] = []
  const store = await openStore({ dsn: redis.url, timeoutMs, keyPrefix: 'gw:', durability: 'replicated', warn: message => warnings.push(message) })
  t.teardown(store.close)
  t.match(warnings.join('\n'), /has no replica: until it has one, sign-ups and logouts are answered 503/)
  t.match(await store.ping(), /has no replica/)
  await t.rejects(store.createIdentity(newIdentity({ password: ['ann'] })), unavailable)
  await followed(await startRedis(t), redis)
  await until(async () => await store.ping() === undefined)
  await created(store)
  await t.rejects(open(t, 'embedded://./nowhere', 'replicated'), { message: /no replicas.*store\.durability: required/ })
  await t.rejects(open(t, 'redis+cluster://127.0.0.1:1', 'replicated'), { message: /is a Cluster.*Say `required`/ })
})

/** A master and its replica, without anybody who watches them. */
async function startPair(t: Test): Promise<{ master: TestRedis, replica: TestRedis }> {
  const [master, replica] = await Promise.all([startRedis(t, { args: ['--repl-diskless-sync-delay', '0'] }), startRedis(t)])
  await followed(replica, master)
  return { master, replica }
}

/** An identity that the store calls created, at the first attempt unless the machine keeps the replica from answering. */
async function created(store: Store): Promise<Identity> {
  let identity = newIdentity({})
  await until(() => {
    identity = newIdentity({ password: [randomUUID()] })
    return store.createIdentity(identity).then(outcome => outcome === undefined, () => false)
  })
  return identity
}

async function connect(t: Test, { url }: TestRedis): Promise<RedisConnection> {
  const connection = await connectRedis(parseDsn(url) as RedisAddress, timeoutMs)
  t.teardown(connection.close)
  return connection
}

async function open(t: Test, dsn: string, durability: Durability = 'required'): Promise<Store> {
  const store = await openStore({ dsn, timeoutMs, keyPrefix: 'gw:', durability, warn: message => t.comment(message) })
  t.teardown(store.close)
  return store
}

function isLost(commands: GuardedCommands): Promise<boolean> {
  return commands.call('PING').then(() => false, () => true)
}
