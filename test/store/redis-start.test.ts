/** What the Redis driver does before it trusts a server with accounts: reach it, prove itself, examine it. */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { inspect } from 'node:util'

import t, { type Test } from 'tap'

import { openStore } from '../../src/store/open.js'
import type { Store } from '../../src/store/store.js'
import { tellFigure } from '../helpers/figure.js'
import { redisSkip, startRedis } from '../helpers/redis.js'

const skip = redisSkip

t.test('X8 a store that a newer version wrote is refused', { skip }, async t => {
  const redis = await startRedis(t)
  await redis.command('SET', 'gw:store', '{"format":2,"id":"x"}')
  await t.rejects(open(t, redis.url), { message: /written by a newer version of Oathgate \(format 2/ })
  await redis.command('SET', 'gw:store', 'something of somebody else\'s')
  await t.rejects(open(t, redis.url), { message: /holds something else under `gw:store`/ })
})

t.test('L3 a Redis that would lose accounts is refused with the reason and the fix', { skip }, async t => {
  const forgetful = await startRedis(t, { appendonly: false })
  await t.rejects(open(t, forgetful.url), { message: /append-only file is off\. Start it with `--appendonly yes`.*`store\.durability: none`/ })
  const evicting = await startRedis(t, { args: ['--maxmemory-policy', 'allkeys-lru'] })
  await t.rejects(open(t, evicting.url), { message: /`maxmemory-policy` is allkeys-lru\. Set it to `noeviction`/ })
  for (const { url } of [forgetful, evicting]) t.ok(await works(await open(t, url, 'none')), 'unless told otherwise')
  const bounded = await startRedis(t, { args: ['--maxmemory-policy', 'volatile-lru'] })
  t.ok(await works(await open(t, bounded.url)), 'what may be evicted is what expires anyway')
  tellFigure(t, 'L3', 'Redis without append-only file, and with allkeys-lru', '2 of 2 refused at start, with the reason and the fix')
})

t.test('a Redis that is too old is refused', { skip }, async t => {
  const { url } = await fakeRedis(t, 'redis_version:6.2.14\r\naof_enabled:1\r\n')
  await t.rejects(open(t, url), { message: /is version 6; version 7 or newer is needed/ })
})

t.test('a Redis that comes up while the gateway starts is waited for, and one that does not is named', { skip }, async t => {
  const redis = await startRedis(t)
  await redis.kill('SIGKILL')
  const [store] = await Promise.all([open(t, redis.url), new Promise(resolve => setTimeout(resolve, 300)).then(redis.restart)])
  t.ok(await works(store))
  await redis.kill('SIGKILL')
  const error = await failure(open(t, `redis://:secret-canary@127.0.0.1:${redis.port}`))
  t.match(error, { message: `Redis at 127.0.0.1:${redis.port} can not be reached: connect ECONNREFUSED` })
  t.notMatch(inspect(error, { depth: 9 }), 'secret-canary')
})

t.test('K4 credentials are used, and refused ones are reported at once without being repeated', { skip }, async t => {
  const redis = await startRedis(t, { args: ['--requirepass', 'pass/w@rd', '--user', 'gateway', 'on', '>canary-2', '~gw:*', '&__redis__:invalidate', '+@all'] })
  const at = `127.0.0.1:${redis.port}`
  t.ok(await works(await open(t, `redis://:pass%2Fw%40rd@${at}/3`)), 'a password and a database')
  t.ok(await works(await open(t, `redis://gateway:canary-2@${at}`)), 'a user who may touch our keys alone')
  const wrong = /can not be reached: it turns down the user or the password of the dsn \(WRONGPASS\)\.$/
  const absent = /can not be reached: it wants a password, which the dsn has to say: redis:\/\/USER:PASSWORD@HOST:PORT \(NOAUTH\)\.$/
  for (const [dsn, secret, message] of [
    [`redis://:canary-3@${at}`, 'canary-3', wrong], [`redis://${at}`, 'no secret', absent], [`redis://gateway:canary-4@${at}`, 'canary-4', wrong],
  ] as const) {
    const began = performance.now()
    const error = await failure(open(t, dsn))
    t.match(error, { message })
    t.notMatch(inspect(error, { depth: 9 }), secret)
    t.ok(performance.now() - began < 3_000)
  }
})

function open(t: Test, dsn: string, durability: 'required' | 'none' = 'required'): Promise<Store> {
  return openStore({ dsn, timeoutMs: 500, keyPrefix: 'gw:', durability, warn: message => t.comment(message) }).then(store => {
    t.teardown(store.close)
    return store
  })
}

function works(store: Store): Promise<boolean> {
  return store.ping().then(() => true, () => false)
}

function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => undefined, (error: unknown) => error)
}

/** A server that says nothing but what it is. */
async function fakeRedis(t: Test, info: string): Promise<{ url: string }> {
  const server = createServer(socket => socket.on('error', () => undefined).on('data', data => {
    for (const [, command] of data.toString().matchAll(/\*[0-9]+\r\n\$[0-9]+\r\n([A-Za-z]+)\r\n/g)) {
      socket.write(command?.toLowerCase() === 'info' ? `$${info.length}\r\n${info}\r\n` : command?.toLowerCase() === 'hello' ? '%0\r\n' : '+OK\r\n')
    }
  })).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => void server.close())
  return { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}` }
}
