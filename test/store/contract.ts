/** What every store driver must do, races, ends and reopening included. Each driver's test file runs all of it. */
import { randomUUID } from 'node:crypto'

import type { Test } from 'tap'

import { newFlow, newHash, newIdentity, newSession } from '../helpers/records.js'
import { flowContract } from './contract/flows.js'
import { identityContract } from './contract/identities.js'
import type { Contract, Place } from './contract/place.js'
import { sessionContract } from './contract/sessions.js'
import { sharedContract } from './contract/shared.js'

/** Runs the suite on a driver, in as many places as it asks for. */
export async function storeContract(t: Test, fresh: (t: Test) => Promise<Place>): Promise<void> {
  const contract: Contract = (name, holds) => {
    t.test(name, async t => {
      const place = await fresh(t)
      await holds(t, await place.open(), place)
    })
  }
  generalContract(contract)
  identityContract(contract)
  flowContract(contract)
  sessionContract(contract)
  sharedContract(contract)
}

function generalContract(contract: Contract): void {
  contract('what nobody has written is not found', async (t, store) => {
    t.equal(await store.findIdentity(randomUUID()), undefined)
    t.equal(await store.findIdentityByIdentifier(login('nobody')), undefined)
    t.equal(await store.findFlow(randomUUID()), undefined)
    t.equal(await store.findSession(newHash()), undefined)
    t.equal(await store.findSessionById(randomUUID()), undefined)
    t.equal(await store.findError(randomUUID()), undefined)
    t.equal(await store.deleteIdentity(randomUUID()), false)
    t.equal(await store.deleteSession(newHash()), false)
    t.equal(await store.deleteSessionsOf(randomUUID()), 0)
    t.strictSame(await store.listSessionsOf(randomUUID()), [])
    t.strictSame(await store.listIdentities({ limit: 10, offset: 0 }), [])
    t.equal(await store.consumeFlow(randomUUID()), false)
  })

  contract('what was written is there for the next one who opens the place', async (t, store, place) => {
    const identity = newIdentity({ password: ['ann'] })
    const [session, flow] = [newSession(identity), newFlow()]
    await store.createIdentity(identity)
    await store.createSession(session)
    await store.saveFlow(flow)
    await store.consumeFlow(flow.id)
    await store.close()

    const reopened = await place.open()
    t.strictSame(await reopened.findIdentityByIdentifier(login('ann')), identity)
    t.strictSame(await reopened.findSession(session.tokenHash), { session, identity })
    t.strictSame(await reopened.findFlow(flow.id), { flow, consumed: true, expired: false })
    t.strictSame(await reopened.createIdentity(newIdentity({ password: ['ann'] })), login('ann'))
  })

  contract('a store that is closed answers `store_unavailable`, and closing it again is nothing', async (t, store) => {
    await store.ping()
    await store.close()
    await store.close()
    await t.rejects(store.ping(), { code: 'store_unavailable' })
    await t.rejects(store.findIdentity(randomUUID()), { code: 'store_unavailable' })
    await t.rejects(store.createIdentity(newIdentity({ password: ['ann'] })), { code: 'store_unavailable' })
  })
}

function login(identifier: string): { method: 'password', identifier: string } {
  return { method: 'password', identifier }
}
