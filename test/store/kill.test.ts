/** L1, L2, L16: whatever is killed, an identity that was acknowledged is there afterwards, and none is there by halves. */
import { randomInt } from 'node:crypto'

import t, { type Test } from 'tap'

import { openStore } from '../../src/store/open.js'
import type { Identity } from '../../src/store/records.js'
import type { Store } from '../../src/store/store.js'
import { startChild } from '../helpers/child.js'
import { newIdentity } from '../helpers/records.js'
import { redisSkip, startRedis, until } from '../helpers/redis.js'
import { temporaryDirectory } from '../helpers/store.js'

const skip = redisSkip
const program = new URL('fixtures/create-identities.ts', import.meta.url)

t.test('X11 the embedded store keeps every acknowledged identity when its process is killed, and opens again at once', async t => {
  const path = temporaryDirectory(t)
  for (let round = 0; round < 2; round++) await killWriters(t, `embedded://${path}`)
})

t.test('L1 Redis keeps every acknowledged identity when a gateway is killed', { skip }, async t => {
  const { url } = await startRedis(t)
  for (let round = 0; round < 2; round++) await killWriters(t, url)
})

for (const appendfsync of ['everysec', 'always']) {
  t.test(`L2 a killed Redis (appendfsync ${appendfsync}) comes back with every acknowledged identity, and none by halves`, { skip }, async t => {
    const redis = await startRedis(t, { args: ['--appendfsync', appendfsync] })
    const store = await open(redis.url)
    t.teardown(store.close)
    const tried: Identity[] = []
    const acknowledged: Identity[] = []
    for (let round = 0; round < 3; round++) {
      const kept = { writing: true }
      const writers = Array.from({ length: 8 }, async () => {
        while (kept.writing) {
          const identity = newIdentity({ password: [`name ${tried.length}`], oidc: [`google:${tried.length}`] })
          tried.push(identity)
          const created = await store.createIdentity(identity).then(outcome => outcome === undefined, () => false)
          if (created) acknowledged.push(identity)
          else await new Promise(resolve => setTimeout(resolve, 20))
        }
      })
      const goal = acknowledged.length + 50
      await until(() => acknowledged.length > goal)
      await new Promise(resolve => setTimeout(resolve, randomInt(300)))
      await redis.kill('SIGKILL')
      kept.writing = false
      await Promise.all(writers)
      await redis.restart()
      await until(() => store.ping().then(() => true, () => false))

      for (const identity of acknowledged) {
        if (!await isWhole(store, identity)) t.fail(`identity ${identity.id} was acknowledged and is lost`)
      }
      for (const identity of tried) {
        if (await store.findIdentity(identity.id) !== undefined && !await isWhole(store, identity)) t.fail(`identity ${identity.id} is half there`)
      }
      t.pass(`round ${round}: ${acknowledged.length} acknowledged of ${tried.length} tried`)
    }
  })
}

async function killWriters(t: Test, dsn: string): Promise<void> {
  const writers = startChild(t, program, [dsn])
  await writers.firstLine()
  await new Promise(resolve => setTimeout(resolve, 100 + randomInt(500)))
  await writers.end('SIGKILL')

  const store = await open(dsn)
  for (const line of writers.lines) {
    const [id, identifier = ''] = line.split(' ')
    for (const claim of [{ method: 'password', identifier }, { method: 'oidc', identifier: `google:${identifier}` }] as const) {
      if ((await store.findIdentityByIdentifier(claim))?.id !== id) t.fail(`${claim.identifier} was acknowledged and is lost`)
    }
  }
  t.ok(writers.lines.length > 10, `${writers.lines.length} acknowledged`)
  await store.close()
}

function open(dsn: string): Promise<Store> {
  return openStore({ dsn, timeoutMs: 2_000, keyPrefix: 'kill:', durability: 'required', warn: () => undefined })
}

async function isWhole(store: Store, identity: Identity): Promise<boolean> {
  const { password, oidc } = identity.credentials
  const found = await Promise.all([
    store.findIdentity(identity.id),
    store.findIdentityByIdentifier({ method: 'password', identifier: password?.identifiers[0] ?? '' }),
    store.findIdentityByIdentifier({ method: 'oidc', identifier: oidc?.identifiers[0] ?? '' }),
  ])
  return found.every(there => there?.id === identity.id)
}
