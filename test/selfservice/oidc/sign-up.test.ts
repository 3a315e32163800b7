import t from 'tap'

import { ui } from '../../helpers/gateway.js'
import { personClaims, startOidcGateway } from '../../helpers/oidc-gateway.js'
import { beginFlow, flowDocument, formOf, messagesOf, newProvider, signInAt, submitForm } from '../../helpers/provider.js'
import { newVisitor } from '../../helpers/visitor.js'

t.test('somebody signs up through a provider, logs out, and logs in again', async t => {
  const provider = await newProvider()
  const gateway = await startOidcGateway(t, [{ ...provider.config, claims: personClaims }])
  await provider.listen(t, gateway)
  const visitor = newVisitor()

  const flow = await beginFlow(gateway, visitor, 'registration', '?return_to=/reports')
  t.strictSame(formOf(flow).form.providers, [{ name: 'provider', type: 'submit', value: 'acme' }])
  const away = await submitForm(visitor, flow, { provider: 'acme' })
  t.match(away.location, provider.issuer)
  const back = await visitor.visit(await signInAt(away.location ?? '', 'ada'))
  t.equal(back.location, `${ui}/reports`)
  const who = (await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).json()
  t.strictSame(who.identity.traits, { email: 'ada@example.org', name: { first: 'Ada', last: 'Lovelace' } })

  await visitor.visit(`${gateway.publicUrl}/auth/browser/logout`)
  const login = await beginFlow(gateway, visitor, 'login')
  const again = await submitForm(visitor, login, { provider: 'acme' })
  t.equal((await visitor.visit(await signInAt(again.location ?? '', 'ada'))).location, `${ui}/dashboard`)
  const now = (await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).json()
  t.equal(now.identity.id, who.identity.id)
})

t.test('what the provider does not tell is asked for, and the provider is not asked again', async t => {
  const provider = await newProvider()
  const gateway = await startOidcGateway(t, [{ ...provider.config, claims: personClaims }])
  await provider.listen(t, gateway)
  const visitor = newVisitor()

  const away = await submitForm(visitor, await beginFlow(gateway, visitor, 'registration'), { provider: 'acme' })
  const back = await visitor.visit(await signInAt(away.location ?? '', 'alan'))
  t.match(back.location, `${ui}/auth/registration?request=`)
  const incomplete = await flowDocument(gateway.adminUrl, back)
  t.strictSame(messagesOf(incomplete), ['traits.email: email is required'])
  t.strictSame(Object.keys(formOf(incomplete).fields), ['csrf_token', 'traits.email'])

  const done = await submitForm(visitor, incomplete, { provider: 'acme', 'traits.email': 'alan@example.org' })
  t.equal(done.location, `${ui}/dashboard`)
  const who = (await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).json()
  t.strictSame(who.identity.traits, { email: 'alan@example.org', name: { first: 'Alan', last: 'Turing' } })
})
