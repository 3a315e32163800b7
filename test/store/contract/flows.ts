/** What every store must do with flows, journeys to providers, and errors of flows. */
import { randomUUID } from 'node:crypto'

import type { Flow, StoredError } from '../../../src/store/records.js'
import { errorRetentionMs, flowRetentionMs } from '../../../src/store/retention.js'
import { newAttempt, newFlow, newHash } from '../../helpers/records.js'
import { hour, type Contract } from './place.js'

/** Flows: one submit each, and an end. */
export function flowContract(contract: Contract): void {
  contract('a flow is found until it has been over for a while', async (t, store, place) => {
    const flow = newFlow()
    await store.saveFlow(flow)
    t.strictSame(await store.findFlow(flow.id), { flow, consumed: false, expired: false })
    place.advanceClock(hour + 1)
    t.strictSame(await store.findFlow(flow.id), { flow, consumed: false, expired: true }, 'expired, and still known')
    place.advanceClock(flowRetentionMs)
    t.equal(await store.findFlow(flow.id), undefined)
  })

  contract('X15 an expired flow stays so when the clock is set back, and another save puts nothing off', async (t, store, place) => {
    const flow = newFlow({ expiresAt: Date.now() + 1_000 })
    await store.saveFlow(flow)
    place.advanceClock(-hour)
    await store.saveFlow(flow)
    await new Promise(resolve => setTimeout(resolve, 1_100)) // Redis has a clock of its own
    place.advanceClock(hour)
    t.equal((await store.findFlow(flow.id))?.expired, true)
    place.advanceClock(-hour)
    t.equal((await store.findFlow(flow.id))?.expired, true)
    await store.saveFlow(flow)
    t.equal((await store.findFlow(flow.id))?.expired, true)
  })

  contract('saving a flow again replaces it and leaves its one submit as it was', async (t, store) => {
    const flow = newFlow()
    const problems = [{ code: 'required', field: 'password', params: { n: 1 } }]
    const filled: Flow = { ...flow, forms: { password: { values: { 'traits.email': 'a@b.c' }, problems } } }
    await store.saveFlow(flow)
    await store.saveFlow(filled)
    t.strictSame(await store.findFlow(flow.id), { flow: filled, consumed: false, expired: false })
    await store.consumeFlow(flow.id)
    await store.saveFlow(flow)
    t.strictSame(await store.findFlow(flow.id), { flow, consumed: true, expired: false })
  })

  contract('A10 of fifty submits of one flow at the same time one spends it', async (t, store) => {
    for (let round = 0; round < 10; round++) {
      const flow = newFlow()
      await store.saveFlow(flow)
      const outcomes = await Promise.all(Array.from({ length: 50 }, () => store.consumeFlow(flow.id)))
      t.equal(outcomes.filter(Boolean).length, 1)
      t.equal((await store.findFlow(flow.id))?.consumed, true)
      t.equal(await store.consumeFlow(flow.id), false)
    }
  })

  contract('A10 a flow that is given back can be spent once more, and giving one back makes none', async (t, store) => {
    const flow = newFlow()
    await store.saveFlow(flow)
    await store.consumeFlow(flow.id)
    await store.releaseFlow(flow.id)
    t.strictSame(await store.findFlow(flow.id), { flow, consumed: false, expired: false })
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => store.consumeFlow(flow.id)))
    t.equal(outcomes.filter(Boolean).length, 1)
    const unknown = randomUUID()
    await store.releaseFlow(unknown)
    t.equal(await store.findFlow(unknown), undefined)
  })

  contract('O1 of fifty who ask for an attempt at the same time one gets it, and afterwards nobody', async (t, store) => {
    for (let round = 0; round < 5; round++) {
      const attempt = newAttempt({ traits: { name: { first: 'Ann' } } })
      await store.saveAttempt(attempt)
      const taken = await Promise.all(Array.from({ length: 50 }, () => store.takeAttempt(attempt.key)))
      t.strictSame(taken.filter(Boolean), [attempt])
      t.equal(await store.takeAttempt(attempt.key), undefined)
    }
  })

  contract('O1 an attempt is forgotten at its end', async (t, store, place) => {
    const [early, late] = [newAttempt(), newAttempt()]
    await store.saveAttempt(early)
    await store.saveAttempt({ ...late, expiresAt: late.expiresAt + hour })
    place.advanceClock(early.expiresAt - Date.now() + 1)
    t.equal(await store.takeAttempt(early.key), undefined)
    t.equal((await store.takeAttempt(late.key))?.nonce, late.nonce)
    t.equal(await store.takeAttempt(newHash()), undefined)
  })

  contract('D11 an error is found for an hour', async (t, store, place) => {
    const errors = [{ code: 404, status: 'Not Found', message: 'm' }]
    const error: StoredError = { id: randomUUID(), errors, csrfBinding: newHash(), createdAt: Date.now() }
    await store.saveError(error)
    t.strictSame(await store.findError(error.id), error)
    place.advanceClock(errorRetentionMs / 2)
    t.ok(await store.findError(error.id))
    place.advanceClock(errorRetentionMs / 2)
    t.equal(await store.findError(error.id), undefined)
  })
}
