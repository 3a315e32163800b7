import { join } from 'node:path'
import t, { type Test } from 'tap'

import { openStore } from '../../src/store/open.js'
import {
  flowIdOf, goodPassword, messagesOf, open, openForm, readFlow, readForm, signUp, whoAmI,
  type FlowDocument, type Kind, type OpenForm,
} from '../helpers/flows.js'
import { startTestGateway, ui, type TestGateway } from '../helpers/gateway.js'
import { newVisitor, type Page, type Visitor } from '../helpers/visitor.js'

const minute = 60_000
const submitted: Record<Kind, Record<string, string>> = {
  registration: { password: goodPassword, 'traits.username': 'bob', 'traits.foobar': 'bar' },
  login: { identifier: 'ada', password: goodPassword },
}

interface Shifted {
  readonly gateway: TestGateway
  readonly visitor: Visitor
  readonly form: OpenForm
  submit(): Promise<Page>
}

/** Somebody with an open form, at a gateway whose clock differs by so much from that of the one that began the flow. */
async function shifted(t: Test, kind: Kind, shiftMs: number): Promise<Shifted> {
  const before = await startTestGateway(t)
  await signUp(newVisitor(), before, 'ada')
  const visitor = newVisitor()
  const { id } = await open(visitor, before, kind)
  await before.stop()

  const dsn = `embedded://${join(before.folder, 'data')}`
  const store = await openStore({ dsn, timeoutMs: 1000, keyPrefix: '', durability: 'none', warn: message => t.comment(message) })
  const found = await store.findFlow(id)
  if (found === undefined) throw new Error('the flow is not there')
  const { flow } = found
  await store.saveFlow({ ...flow, issuedAt: flow.issuedAt + shiftMs, expiresAt: flow.expiresAt + shiftMs })
  await store.close()

  const gateway = await startTestGateway(t, { config: { dsn } })
  const form = await readForm(gateway, kind, id)
  return { gateway, visitor, form, submit: () => visitor.submit(form.action, { ...submitted[kind], csrf_token: form.csrf }) }
}

for (const [kind, rows] of [['registration', 'RF13 RF14'], ['login', 'L20']] as const) {
  t.test(`${rows} ${kind}: a flow that began a minute ago is good`, async t => {
    const { submit } = await shifted(t, kind, -minute)
    t.equal((await submit()).location, `${ui}/dashboard`)
  })

  t.test(`${rows} X15 ${kind}: clocks of several gateways may differ by a minute`, async t => {
    const { submit } = await shifted(t, kind, minute / 2)
    t.equal((await submit()).location, `${ui}/dashboard`)
  })

  t.test(`${rows} ${kind}: a flow from the future is not taken up, and says so`, async t => {
    const { gateway, visitor, form, submit } = await shifted(t, kind, 3 * minute)
    const says = [`The ${kind} request was issued in the future.`]
    t.equal(flowIdOf(await submit()), form.id)
    t.same(messagesOf(await readForm(gateway, kind, form.id)), says)
    t.equal((await whoAmI(visitor, gateway)).status, 401)

    const scripted = await visitor.submitJson(form.action, { ...submitted[kind], csrf_token: form.csrf })
    t.equal(scripted.status, 400)
    t.same(messagesOf(openForm(scripted.json() as FlowDocument)), says)
  })

  t.test(`${rows} ${kind}: a flow that ended half an hour ago leads to a new one`, async t => {
    const { gateway, visitor, form, submit } = await shifted(t, kind, -90 * minute)
    t.ok(Date.parse((await readFlow(gateway, kind, form.id)).expires_at) < Date.now())
    const id = flowIdOf(await submit())
    t.not(id, form.id)
    t.same(messagesOf(await readForm(gateway, kind, id)), ['Your session expired, please try again.'])
    t.equal((await whoAmI(visitor, gateway)).status, 401)
  })
}
