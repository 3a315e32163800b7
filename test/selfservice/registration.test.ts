import t from 'tap'

import { startTestGateway, ui } from '../helpers/gateway.js'
import { newVisitor } from '../helpers/visitor.js'

t.test('somebody signs up, is known by whoami, logs out and logs in again', async t => {
  const gateway = await startTestGateway(t)
  const visitor = newVisitor()

  const begun = await visitor.visit(`${gateway.publicUrl}/auth/browser/registration?return_to=/reports`)
  t.equal(begun.status, 302)
  const id = new URL(begun.location ?? '').searchParams.get('request') ?? ''
  t.equal(begun.location, `${ui}/auth/registration?request=${id}`)

  const document = (await visitor.visit(`${gateway.adminUrl}/auth/browser/requests/registration?request=${id}`)).json()
  const { action, fields } = document.methods.password.config
  const csrf = fields.find((field: { name: string }) => field.name === 'csrf_token').value

  const done = await visitor.submit(action, { csrf_token: csrf, password: 'l3f9toh1uaf81n21', 'traits.username': 'ada', 'traits.foobar': 'bar' })
  t.equal(done.status, 302)
  t.equal(done.location, `${ui}/reports`)
  const who = await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)
  t.equal(who.status, 200)
  t.equal(who.json().identity.traits.username, 'ada')
})
