/** What strangers type takes little room in the store, however much it is (security D11). */
import t from 'tap'

import { open, readFlow } from '../helpers/flows.js'
import { startTestGateway } from '../helpers/gateway.js'
import { startHostileProvider } from '../helpers/hostile-provider.js'
import { startOidcGateway } from '../helpers/oidc-gateway.js'
import { newVisitor } from '../helpers/visitor.js'

const room = 32_768

t.test('D11 a flow keeps no more of a submit than a form has', async t => {
  const gateway = await startTestGateway(t)
  const many = Object.fromEntries(Array.from({ length: 900 }, (_, at) => [`name${at}`, 'x'.repeat(50)]))
  const wide = { ['n'.repeat(30_000)]: 'x', foobar: 'y'.repeat(30_000) }
  for (const traits of [many, wide, { foobar: 'x', username: '\u0001'.repeat(10_000) }]) {
    const visitor = newVisitor()
    const form = await open(visitor, gateway, 'registration')
    const answer = await visitor.submitJson(form.action, { traits, csrf_token: form.csrf })
    t.equal(answer.status, 400)
    t.ok(answer.text.length < room, `${answer.text.length} bytes are told`)
    const kept = JSON.stringify(await readFlow(gateway, 'registration', form.id))
    t.ok(kept.length < room, `${kept.length} bytes are kept`)
    t.match(kept, /"errors":\[\{"message"/)
  }
})

t.test('D11 what somebody typed before leaving to a provider is kept while they are away, unless it is too much or unwelcome', async t => {
  const provider = await startHostileProvider(t, 'valid')
  const gateway = await startOidcGateway(t, [provider.config])

  async function leaveWith(traits: object) {
    const visitor = newVisitor()
    const { methods } = await readFlow(gateway, 'registration', (await open(visitor, gateway, 'registration')).id)
    const form = methods['oidc']?.config
    const csrf = form?.fields.find(({ name }) => name === 'csrf_token')?.value
    return visitor.submitJson(form?.action ?? '', { traits, provider: 'valid', csrf_token: csrf })
  }

  const leaving = await leaveWith({ name: { first: 'Ada', last: 'x'.repeat(3000) } })
  t.match(leaving.location, /^http:\/\/127\.0\.0\.1:\d+\/authorize\?/)

  const tooMuch = await leaveWith({ name: { first: 'Ada', last: 'x'.repeat(5000) } })
  t.equal(tooMuch.status, 400)
  t.match(tooMuch.text, /What you entered must not be longer than 4096 bytes altogether/)

  const unwelcome = await leaveWith({ name: { first: 'Ada' }, role: 'admin' })
  t.equal(unwelcome.status, 400)
  t.match(unwelcome.text, /Additional property role is not allowed/)
})
