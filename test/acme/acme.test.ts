/** Certificates by ACME: a real authority, real HTTP-01, gateways that listen. */
import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'

import { acmeRecords } from '../../src/acme/records.js'
import { createSealing } from '../../src/acme/sealing.js'
import { openStore } from '../../src/store/open.js'
import { makeCertificate, makeExpiredCertificate } from '../helpers/certificates.js'
import { freePort, startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { pebbleSkip, startPebble, type Pebble } from '../helpers/pebble.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'
import { redisSkip, startRedis, until } from '../helpers/redis.js'

const secret = 'a secret of at least thirty-two characters'

interface Replica extends TestGateway {
  readonly port: number
}

interface ReplicaOptions {
  readonly dsn: string
  readonly directoryUrl: string
  readonly caFile: string
  readonly redirectPort?: number
  readonly domains?: readonly string[]
}

async function startReplica(t: Test, { dsn, directoryUrl, caFile, redirectPort = 0, domains = ['a.test'] }: ReplicaOptions): Promise<Replica> {
  const port = await freePort()
  const gateway = await startTestGateway(t, { config: {
    dsn, secrets: { session: [secret] },
    serve: { public: { port, tls: {
      acme: { domains, directory_url: directoryUrl, ca_file: caFile, terms_of_service_agreed: true, email: 'operator@a.test' },
      redirect: { enabled: true, port: redirectPort },
    } } },
    urls: { self: { public: `https://a.test:${port}/.ory/kratos/public` } },
  } })
  return { ...gateway, port }
}

/** Fingerprint of what is shown for a name; `undefined` when the handshake is refused. */
async function shown(port: number, servername = 'a.test'): Promise<string | undefined> {
  const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false })
  try {
    await once(socket, 'secureConnect')
    const { fingerprint256, subjectaltname } = socket.getPeerCertificate()
    return subjectaltname === `DNS:${servername}` ? fingerprint256 : undefined
  } catch {
    return undefined
  } finally {
    socket.destroy()
  }
}

const isShown = (port: number, servername?: string) => async () => await shown(port, servername) !== undefined
const logged = ({ logged: lines }: TestGateway, message: RegExp): unknown[] => lines.filter(({ msg }) => message.test(String(msg)))

/** In a place of its own: the gateway's Redis, and an authority that asks its redirect port. */
async function place(t: Test): Promise<{ pebble: Pebble, redirectPort: number, dsn: string }> {
  const redirectPort = await freePort()
  const [pebble, redis] = await Promise.all([startPebble(t, redirectPort), startRedis(t)])
  return { pebble, redirectPort, dsn: redis.url }
}

const skip = pebbleSkip === false ? redisSkip : pebbleSkip

t.test('a certificate is got by HTTP-01, and all replicas have it, now and after a restart', { skip }, async t => {
  const { pebble, redirectPort, dsn } = await place(t)
  const first = await startReplica(t, { ...pebble, dsn, redirectPort, domains: ['a.test', 'b.test'] })
  await until(isShown(first.port))
  await until(isShown(first.port, 'b.test'))
  t.match(logged(first, /^a certificate was issued$/), [{ domain: 'a.test' }, { domain: 'b.test' }])
  t.equal(pebble.issued(), 2)

  const second = await startReplica(t, { ...pebble, dsn, domains: ['a.test', 'b.test'] })
  t.equal(await shown(second.port), await shown(first.port))
  t.equal(await shown(second.port, 'b.test'), await shown(first.port, 'b.test'))
  const before = await shown(first.port)
  await first.stop()
  const again = await startReplica(t, { ...pebble, dsn, redirectPort, domains: ['a.test', 'b.test'] })
  t.equal(await shown(again.port), before)
  t.equal(pebble.issued(), 2)
  t.same([...logged(second, /issued/), ...logged(again, /issued/)], [])
})

t.test('of replicas that start at the same time one asks, any answers the authority, and the others pick it up', { skip }, async t => {
  const { pebble, redirectPort, dsn } = await place(t)
  const replicas = await Promise.all([redirectPort, 0, 0, 0].map(port => startReplica(t, { ...pebble, dsn, redirectPort: port })))
  await Promise.all(replicas.map(({ port }) => until(isShown(port))))
  t.equal(new Set(await Promise.all(replicas.map(({ port }) => shown(port)))).size, 1)
  t.equal(pebble.issued(), 1)
  t.equal(replicas.flatMap(replica => logged(replica, /issued/)).length, 1)
})

t.test('one that is at its end is renewed, under connections that go on', { skip }, async t => {
  const { pebble, redirectPort, dsn } = await place(t)
  const folder = t.testdir({})
  const expired = makeExpiredCertificate(folder, 'expired', ['a.test'])
  const store = await openStore({ dsn, timeoutMs: 1000, keyPrefix: 'oathgate:', durability: 'none', warn: () => undefined })
  const records = acmeRecords(store, [secret], pebble.directoryUrl)
  await records.saveCertificate('a.test', { cert: readFileSync(expired.cert, 'utf8'), key: readFileSync(expired.key, 'utf8') })
  await store.close()

  const replica = await startReplica(t, { ...pebble, dsn, redirectPort })
  t.ok(await shown(replica.port), 'what there is stays in force until there is another one')
  const old = await shown(replica.port)
  await until(() => pebble.issued() === 1)
  await until(async () => await shown(replica.port) !== old)
  t.equal(pebble.issued(), 1)
})

t.test('an authority that is not there, and one that says no, cost a line in the log', { skip: redisSkip }, async t => {
  const { url: dsn } = await startRedis(t)
  const folder = t.testdir({})
  const { cert: caFile } = makeCertificate(folder, 'ca', ['localhost'])
  const dead = `https://127.0.0.1:${await freePort()}/dir`
  const replica = await startReplica(t, { dsn, directoryUrl: dead, caFile })
  const failures = (gateway: TestGateway): unknown[] => logged(gateway, /no certificate could be got/)
  await until(() => failures(replica).length === 1)
  t.match(failures(replica), [{ domain: 'a.test', reason: /ECONNREFUSED/, retry_in_s: Number }])
  t.equal(await shown(replica.port), undefined, 'no certificate, no handshake')
  t.equal((await fetch(`${replica.adminUrl}/health/ready`)).status, 200)

  const other = await startReplica(t, { dsn, directoryUrl: dead, caFile })
  await new Promise(resolve => setTimeout(resolve, 3000))
  t.same([failures(replica).length, failures(other).length], [1, 0], 'nobody asks again before it is time')
})

t.test('an authority that can not reach the gateway says why', { skip }, async t => {
  const { pebble, dsn } = await place(t)
  const replica = await startReplica(t, { ...pebble, dsn, redirectPort: 0 })
  await until(() => logged(replica, /no certificate could be got/).length === 1)
  t.match(logged(replica, /no certificate could be got/), [{ reason: /connection refused|Connection refused|connectionRefused|acme:error/ }])
})

t.test('tokens: what was saved is answered by every replica, everything else is 404', { skip: redisSkip }, async t => {
  const { url: dsn } = await startRedis(t)
  const folder = t.testdir({})
  const { cert: caFile } = makeCertificate(folder, 'ca', ['localhost'])
  const directoryUrl = `https://127.0.0.1:${await freePort()}/dir`
  const redirectPort = await freePort()
  await startReplica(t, { dsn, directoryUrl, caFile, redirectPort })
  const store = await openStore({ dsn, timeoutMs: 1000, keyPrefix: 'oathgate:', durability: 'none', warn: () => undefined })
  t.teardown(() => store.close())
  await acmeRecords(store, [secret], directoryUrl).saveChallenge('a-token-of-somebody', 'a-token-of-somebody.thumbprint')

  const ask = (path: string) => sendRaw(redirectPort, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`, { until: oneAnswer })
  const found = await ask('/.well-known/acme-challenge/a-token-of-somebody')
  t.equal(found.status, 200)
  t.match(found.text, /\r\n\r\na-token-of-somebody\.thumbprint$/)
  for (const token of ['another-token-of-nobody', '', 'short', 'x'.repeat(300), 'a-token-of-somebody/x']) {
    t.equal((await ask(`/.well-known/acme-challenge/${token}`)).status, 404, token)
  }
})

t.test('K a dump of the store holds no key, and only these secrets open it, under its own name', async t => {
  const sealing = createSealing([secret])
  const sealed = sealing.seal('name', 'a private key')
  t.notMatch(Buffer.from(sealed, 'base64url').toString('latin1'), /private/)
  t.equal(sealing.open('name', sealed), 'a private key')
  t.not(sealing.seal('name', 'a private key'), sealed)
  t.equal(sealing.open('another', sealed), undefined)
  t.equal(createSealing(['x'.repeat(32)]).open('name', sealed), undefined)
  t.equal(createSealing(['x'.repeat(32), secret]).open('name', sealed), 'a private key', 'secrets can be rotated')
  const bytes = Buffer.from(sealed, 'base64url')
  for (const at of [0, 12, bytes.length - 1]) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] as number) ^ 1
    t.equal(sealing.open('name', changed.toString('base64url')), undefined, `byte ${at}`)
  }
  t.equal(sealing.open('name', 'AA'), undefined)
})
