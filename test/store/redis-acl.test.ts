/**
 * X10: a Redis that lets the gateway do what it needs and nothing else, by the line in docs/redis.md, and one that is reached over TLS.
 */
import { randomUUID } from 'node:crypto'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'

import { parseDsn, type RedisAddress } from '../../src/store/dsn.js'
import { openStore } from '../../src/store/open.js'
import { plainClient } from '../../src/store/redis-connection.js'
import type { Durability, Store } from '../../src/store/store.js'
import { makeCertificate } from '../helpers/certificates.js'
import { logIn, logOut, signUp, usernameOf } from '../helpers/flows.js'
import { freePort, startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { redisSkip, startCluster, startRedis, until, type TestRedis } from '../helpers/redis.js'
import { temporaryDirectory } from '../helpers/store.js'
import { newVisitor } from '../helpers/visitor.js'
import { storeContract } from './contract.js'
import type { Place } from './contract/place.js'

const skip = redisSkip
const secrets = { session: ['0123456789abcdef0123456789abcdef'] }
const password = 'canary-of-the-acl'
const users = (/^```acl\n([\s\S]*?)^```$/m.exec(readFileSync(new URL('../../docs/redis.md', import.meta.url), 'utf8'))?.[1] ?? '').replace('CHANGE-ME', password)
const user = users.split('\n').find(line => line.startsWith('user oathgate ')) ?? ''

interface Guarded {
  readonly dsn: string
  readonly redis: TestRedis
  /** As somebody who may do everything. */
  readonly admin: Redis
  /** As the gateway's user. */
  readonly gateway: Redis
}

/** A Redis with the users of the document, unless others are given, and one for the test. */
async function startGuarded(t: Test, lines = users): Promise<Guarded> {
  const file = join(temporaryDirectory(t), 'users.acl')
  writeFileSync(file, `${lines}user tests on nopass ~* &* +@all\n`)
  const redis = await startRedis(t, { args: ['--aclfile', file] })
  const { port } = redis
  const as = (username: string): Redis => {
    const client = new Redis({ port, username, password, disableClientInfo: true, enableReadyCheck: false }).on('error', () => undefined)
    t.teardown(() => { client.disconnect() })
    return client
  }
  return { dsn: `redis://oathgate:${password}@127.0.0.1:${port}`, redis, admin: as('tests'), gateway: as('oathgate') }
}

function open(t: Test, dsn: string, durability: Durability = 'required'): Promise<Store> {
  return openStore({ dsn, timeoutMs: 2_000, keyPrefix: 'oathgate:', durability, warn: message => t.comment(message) }).then(store => {
    t.teardown(store.close)
    return store
  })
}

function refusalsIn(log: unknown): string[] {
  return (log as unknown[][]).map(entry => `${entry[3]} ${entry[5]} ${entry[7]}`)
}

t.test('X10 the document has a line for the gateway, and one that turns everybody else away', async t => {
  t.match(users, /^user default off( |$)/m)
  t.notMatch(users, /^user default .*(nopass|>)/m)
  t.match(user, / -@all /)
  t.notMatch(user, /allkeys|allchannels|allcommands|\+@|~\*|&\*|nopass/)
})

t.test('X10 all that a store does is allowed', { skip }, async t => {
  const { dsn, admin } = await startGuarded(t)
  await storeContract(t, t => {
    let offset = 0
    const keyPrefix = `oathgate:${randomUUID()}:`
    const place: Place = {
      async open() {
        const store = await openStore({ dsn, timeoutMs: 2_000, keyPrefix, durability: 'required', warn: () => undefined, now: () => Date.now() + offset })
        t.teardown(store.close)
        return store
      },
      advanceClock(ms) { offset += ms },
    }
    return Promise.resolve(place)
  })
  t.strictSame(refusalsIn(await admin.call('ACL', 'LOG')), [])
})

t.test('X10 two gateways do all they do, from start to end, and Redis notes no refusal', { skip }, async t => {
  const { dsn, admin } = await startGuarded(t)
  const config = { dsn: `${dsn}/3`, secrets, security: { rate_limits: { enabled: true } } }
  const [here, there] = [await startTestGateway(t, { config }), await startTestGateway(t, { config })]
  const [ann, again, bob] = [newVisitor(), newVisitor(), newVisitor()]
  await signUp(ann, here, 'ann')
  await signUp(bob, there, 'bob')
  await logIn(again, there, 'ann')
  for (let look = 0; look < 5; look++) for (const gateway of [here, there]) t.equal(await usernameOf(ann, gateway), 'ann')
  t.match((await newVisitor().fetch(`${there.adminUrl}/metrics`)).text, /oathgate_session_cache_lookups_total\{result="hit"\} [1-9]/, 'sessions are kept in memory')

  await logOut(ann, here)
  await until(async () => await usernameOf(ann, there) === undefined)
  const admins = (gateway: TestGateway, path: string, method = 'GET'): ReturnType<ReturnType<typeof newVisitor>['send']> =>
    newVisitor().send(`${gateway.adminUrl}${path}`, { method })
  const [{ id }] = (await admins(here, '/identities?credentials_identifier=ann')).json()
  t.equal((await admins(here, '/identities')).json().length, 2)
  t.equal((await admins(here, `/identities/${id}/sessions`)).json().length, 1)
  t.equal((await admins(here, `/identities/${id}/sessions`, 'DELETE')).status, 204)
  await until(async () => await usernameOf(again, there) === undefined)
  const imported = await newVisitor().submitJson(`${here.adminUrl}/identities`, { schema_id: 'default', traits: { username: 'carl', foobar: 'bar' } })
  t.equal(imported.status, 201, imported.text)
  t.equal((await admins(here, `/identities/${id}`, 'DELETE')).status, 204)
  t.equal((await admins(here, '/status')).status, 200)
  t.equal((await admins(there, '/health/ready')).status, 200)
  for (const gateway of [here, there]) await gateway.stop()
  t.strictSame(refusalsIn(await admin.call('ACL', 'LOG')), [])
})

t.test('X10, L1 a Redis with these users that is killed comes back with the accounts and sessions', { skip }, async t => {
  const { dsn, redis } = await startGuarded(t)
  const gateway = await startTestGateway(t, { config: { dsn, secrets } })
  const ann = newVisitor()
  await signUp(ann, gateway, 'ann')
  await redis.kill('SIGKILL')
  await redis.restart()
  await until(async () => (await newVisitor().fetch(`${gateway.adminUrl}/health/ready`)).status === 200)
  t.equal(await usernameOf(ann, gateway), 'ann')
  t.equal((await newVisitor().fetch(`${gateway.adminUrl}/identities`)).json().length, 1)
})

t.test('X10, L3 a Redis that would not read its append-only file back, for want of rights of its default user, is refused', { skip }, async t => {
  const powerless = users.replace(/^user default off.*$/m, 'user default off')
  const { dsn, admin } = await startGuarded(t, powerless)
  await t.rejects(open(t, dsn), {
    message: /would lose accounts when it stops: .*default user.* `hset`.*ACL SETUSER default ~\* &\* \+@all`.*`store\.durability: none`/,
  })
  await t.resolves(open(t, dsn, 'none'), 'unless told otherwise')
  await admin.call('ACL', 'SETUSER', 'default', '~oathgate:*', '+@write')
  await t.resolves(open(t, dsn), 'it needs no more than what changes our keys')
})

t.test('X10 a gateway that may not ask for the rights of the default user starts, and says that it could not', { skip }, async t => {
  const { dsn, admin } = await startGuarded(t)
  const warnings = async (): Promise<string[]> => {
    const said: string[] = []
    const store = await openStore({ dsn, timeoutMs: 2_000, keyPrefix: 'oathgate:', durability: 'required', warn: message => said.push(message) })
    await store.close()
    return said.filter(message => message.includes('append-only'))
  }
  t.strictSame(await warnings(), [])
  await admin.call('ACL', 'SETUSER', 'oathgate', '-acl|dryrun')
  t.match(await warnings(), [/can not be asked whether it would read its append-only file back.*ACL SETUSER oathgate \+acl\|dryrun`.*docs\/redis\.md/])
})

t.test('X10 what the gateway does not need its user may not do', { skip }, async t => {
  const { dsn, gateway, admin } = await startGuarded(t)
  await open(t, dsn)
  const forbidden = [
    'FLUSHALL', 'FLUSHDB', 'KEYS *', 'SCAN 0', 'CONFIG GET *', 'CONFIG SET dir /tmp', 'CONFIG REWRITE', 'SAVE', 'SHUTDOWN NOSAVE', 'MONITOR',
    'ACL LIST', 'ACL SETUSER oathgate +@all', 'CLIENT LIST', 'CLIENT KILL TYPE normal', 'REPLICAOF 127.0.0.1 1', 'MODULE LIST', 'FUNCTION LIST', 'SCRIPT FLUSH', 'MIGRATE 127.0.0.1 1 oathgate:store 0 1',
    'GET other:key', 'SET other:key value', 'SUBSCRIBE other', 'PUBLISH __redis__:invalidate x',
  ]
  for (const command of forbidden) {
    const [name = '', ...args] = command.split(' ')
    await t.rejects(gateway.call(name, ...args), { message: /^NOPERM/ }, command)
  }
  await t.rejects(gateway.eval('return redis.call("FLUSHALL")', 0), { message: /can't run this command/ })
  await t.rejects(gateway.eval('return redis.call("GET", "other:key")', 0), { message: /can't access at least one of the keys/ })
  const anybody = new Redis({ port: gateway.options.port as number, lazyConnect: true, retryStrategy: null })
  anybody.on('error', () => undefined)
  await anybody.connect().catch(() => undefined)
  await t.rejects(anybody.call('GET', 'oathgate:store'))
  anybody.disconnect()
  t.ok(Number(await admin.dbsize()) > 0)
})

t.test('X10 a gateway whose user lacks a permission does not start, and says which, and what to do', { skip }, async t => {
  const { dsn, admin } = await startGuarded(t)
  const optional = ['wait', 'select', 'acl|dryrun', 'client|setname', 'asking', 'cluster|slots', 'cluster|info']
  const commands = [...user.matchAll(/ \+(\S+)/g)].map(([, command]) => command as string).filter(command => !optional.includes(command))
  t.ok(commands.length > 20)
  for (const command of commands) {
    await admin.call('ACL', 'SETUSER', 'oathgate', `-${command}`)
    await t.rejects(open(t, dsn), {
      message: new RegExp(`does not let its user oathgate run \`${command.replace('|', ' ')}\` .*ACL SETUSER oathgate ~oathgate:\\* &__redis__:invalidate \\+${command.replace('|', '\\|')}\``),
    }, command)
    await admin.call('ACL', 'SETUSER', 'oathgate', `+${command}`)
  }
  await admin.call('ACL', 'SETUSER', 'oathgate', 'resetkeys', '~another:*')
  await t.rejects(open(t, dsn), { message: /run `get`, `set`, .*~oathgate:\*/ })
  await admin.call('ACL', 'SETUSER', 'oathgate', '~oathgate:*', 'resetchannels')
  await t.rejects(open(t, dsn), { message: /run `subscribe` / })
  await admin.call('ACL', 'SETUSER', 'oathgate', '&__redis__:invalidate')
  await t.resolves(open(t, dsn))
  await admin.call('ACL', 'SETUSER', 'oathgate', '-wait')
  await t.rejects(open(t, dsn, 'replicated'), { message: /run `wait` .*\+wait`/ })
  await t.resolves(open(t, dsn))
})

t.test('X10 the same line is enough on a Cluster', { skip }, async t => {
  const { nodes, url } = await startCluster(t)
  for (const node of nodes) await node.command('ACL', 'SETUSER', ...user.split(' ').slice(1))
  const dsn = url.replace('redis+cluster://', `redis+cluster://oathgate:${password}@`)
  const store = await open(t, dsn)
  await store.ping()
  const visitors = Array.from({ length: 12 }, (_, at) => `person-${at}`)
  const gateway = await startTestGateway(t, { config: { dsn, secrets } })
  for (const name of visitors) {
    const visitor = newVisitor()
    await signUp(visitor, gateway, name)
    t.equal(await usernameOf(visitor, gateway), name)
  }
  for (const node of nodes) t.strictSame(refusalsIn(await node.command('ACL', 'LOG')), [])
})

t.test('X10 a Redis of another machine without TLS is warned of, one of this machine is not', { skip }, async t => {
  const { port } = await startRedis(t)
  const warnings = async (host: string): Promise<string[]> => {
    const said: string[] = []
    const store = await openStore({ dsn: `redis://${host}:${port}`, timeoutMs: 2_000, keyPrefix: 'oathgate:', durability: 'required', warn: message => said.push(message) })
    await store.close()
    return said.filter(message => message.includes('TLS'))
  }
  t.strictSame(await warnings('127.0.0.1'), [])
  t.match(await warnings('0.0.0.0'), [/is reached without TLS: sessions and password hashes cross the network in the clear/]) // which is this one, too
})

t.test('X10 a Redis that speaks TLS is believed by its authority and for its name alone', { skip }, async t => {
  const folder = temporaryDirectory(t)
  const { cert, key } = makeCertificate(folder, 'redis', ['127.0.0.1'])
  const other = makeCertificate(folder, 'elsewhere', ['redis.example.org'])
  const start = async (pair: { readonly cert: string, readonly key: string }): Promise<string> => {
    const port = await freePort()
    await startRedis(t, { args: ['--tls-port', String(port), '--tls-cert-file', pair.cert, '--tls-key-file', pair.key, '--tls-auth-clients', 'no'] })
    return `rediss://127.0.0.1:${port}`
  }
  const [right, wrong] = [await start({ cert, key }), await start(other)]
  const authorities = join(folder, 'authorities.pem')
  copyFileSync(cert, authorities)
  writeFileSync(authorities, readFileSync(other.cert), { flag: 'a' })
  const believing = { NODE_EXTRA_CA_CERTS: authorities }

  const gateway = await startGatewayProcess(t, { config: { dsn: right, secrets }, env: believing })
  const visitor = newVisitor()
  await signUp(visitor, gateway as unknown as TestGateway, 'ann')
  t.equal(await usernameOf(visitor, gateway as unknown as TestGateway), 'ann')
  t.notMatch(gateway.output.join(''), 'without TLS')

  await t.rejects(open(t, right), { message: /can not be reached: self-signed certificate/ }, 'an authority that nobody named')
  await t.rejects(startGatewayProcess(t, { config: { dsn: wrong, secrets }, env: believing }), { message: /can not be reached: Hostname\/IP does not match/ })
})

t.test('X10 giving up a Redis that is not believed, at any moment of the handshake, is all that happens', { skip }, async t => {
  const folder = temporaryDirectory(t)
  const { cert, key } = makeCertificate(folder, 'redis', ['127.0.0.1'])
  const port = await freePort()
  await startRedis(t, { args: ['--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key, '--tls-auth-clients', 'no'] })
  const address = parseDsn(`rediss://127.0.0.1:${port}`) as RedisAddress
  const refused: string[] = []
  for (let attempt = 0; attempt < 300; attempt++) {
    const client = plainClient(address, 1000)
    client.on('error', error => refused.push(error.message))
    client.connect().catch(() => undefined)
    await pause(attempt % 30 / 5)
    client.disconnect()
  }
  await pause(200) // an error that nobody listens for would end this process, or fail this test
  t.match(refused.join(), 'self-signed certificate')
})
