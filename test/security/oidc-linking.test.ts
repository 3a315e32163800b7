/** Rows O9, A12 and A13, and contract O15 and O16: an account and a provider become one only when somebody has proved both. */
import t, { type Test } from 'tap'

import { ui, type TestGateway } from '../helpers/gateway.js'
import { startHostileProvider, type HostileProvider } from '../helpers/hostile-provider.js'
import { personClaims, startOidcGateway } from '../helpers/oidc-gateway.js'
import { beginFlow, flowDocument, formOf, messagesOf, submitForm, type FlowDocument } from '../helpers/provider.js'
import { newVisitor, type Page, type Visitor } from '../helpers/visitor.js'

const password = 'three loud herons over the weir'
const question = 'An account with the same identifier (email, phone, username, ...) exists already. '
  + 'Log in to it the way you did before, and acme will be added to it.'

async function setUp(t: Test, ids: readonly string[] = ['acme']): Promise<{ gateway: TestGateway, providers: HostileProvider[] }> {
  const providers = await Promise.all(ids.map(id => startHostileProvider(t, id)))
  return { gateway: await startOidcGateway(t, providers.map(({ config }) => ({ ...config, claims: personClaims }))), providers }
}

async function register(t: Test, gateway: TestGateway, email: string): Promise<string> {
  const visitor = newVisitor()
  const done = await submitForm(visitor, await beginFlow(gateway, visitor, 'registration'), { 'traits.email': email, password }, 'password')
  t.equal(done.location, `${ui}/dashboard`)
  return identityOf(gateway, visitor)
}

async function comeFrom(
  gateway: TestGateway, visitor: Visitor, provider: HostileProvider, sub: string, kind: 'login' | 'registration' = 'registration', query = '',
): Promise<Page> {
  const away = await submitForm(visitor, await beginFlow(gateway, visitor, kind, query), { provider: String(provider.config['id']) })
  return visitor.visit(provider.agree(away.location ?? '', sub))
}

async function identityOf(gateway: TestGateway, visitor: Visitor): Promise<string> {
  return (await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).json().identity.id as string
}

async function isLoggedIn(gateway: TestGateway, visitor: Visitor): Promise<boolean> {
  return (await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).status === 200
}

function logIn(visitor: Visitor, flow: FlowDocument, identifier: string, secret = password): Promise<Page> {
  return submitForm(visitor, flow, { identifier, password: secret }, 'password')
}

for (const kind of ['registration', 'login'] as const) {
  t.test(`O9 A12 contract O15 O16 ${kind}: an address in use leads to a question, and the answer to both`, async t => {
    const { gateway, providers: [provider] } = await setUp(t) as { gateway: TestGateway, providers: [HostileProvider] }
    const ann = await register(t, gateway, 'ann@example.org')
    const visitor = newVisitor()
    const page = await comeFrom(gateway, visitor, provider, 'ann', kind, '?return_to=/reports')
    t.match(page.location, `${ui}/auth/login?request=`)
    t.notOk(await isLoggedIn(gateway, visitor))
    const flow = await flowDocument(gateway.adminUrl, page)
    t.strictSame(messagesOf(flow, 'password'), [question])
    t.equal(formOf(flow, 'password').fields['identifier']?.value, 'ann@example.org')
    t.notMatch(JSON.stringify(flow), 'acme:', 'the document says nothing of the proof')
    t.notMatch(JSON.stringify(flow), ann)

    const wrong = await logIn(visitor, flow, 'ann@example.org', 'not the password')
    t.notOk(await isLoggedIn(gateway, visitor))
    const done = await logIn(visitor, await flowDocument(gateway.adminUrl, wrong), 'ann@example.org')
    t.equal(done.location, `${ui}/reports`)
    t.equal(await identityOf(gateway, visitor), ann)

    const next = newVisitor()
    t.equal((await comeFrom(gateway, next, provider, 'ann', 'login')).location, `${ui}/dashboard`)
    t.equal(await identityOf(gateway, next), ann, 'from now on the provider is a way in')
    t.equal((await next.visit(`${gateway.adminUrl}/identities`)).json().length, 1)
  })
}

t.test('O9 the password of another account adds nothing to it', async t => {
  const { gateway, providers: [provider] } = await setUp(t) as { gateway: TestGateway, providers: [HostileProvider] }
  await register(t, gateway, 'ann@example.org')
  await register(t, gateway, 'bob@example.org')
  const visitor = newVisitor()
  const flow = await flowDocument(gateway.adminUrl, await comeFrom(gateway, visitor, provider, 'ann'))
  const page = await logIn(visitor, flow, 'bob@example.org')
  t.match(messagesOf(await flowDocument(gateway.adminUrl, page), 'password'), [/This is another account/])
  t.notOk(await isLoggedIn(gateway, visitor))
  const again = await comeFrom(gateway, newVisitor(), provider, 'ann', 'login')
  t.match(again.location, `${ui}/auth/login?request=`, 'still a question')
})

t.test('A12 whoever registered with somebody else\'s address has no way into what that person makes of it', async t => {
  const { gateway, providers: [provider] } = await setUp(t) as { gateway: TestGateway, providers: [HostileProvider] }
  const attackers = await register(t, gateway, 'victim@example.org')
  const victim = newVisitor()
  const page = await comeFrom(gateway, victim, provider, 'victim')
  t.notOk(await isLoggedIn(gateway, victim))
  t.match(messagesOf(await flowDocument(gateway.adminUrl, page), 'password'), [question])

  const attacker = newVisitor()
  await logIn(attacker, await beginFlow(gateway, attacker, 'login'), 'victim@example.org')
  t.equal(await identityOf(gateway, attacker), attackers)
  const identity = (await attacker.visit(`${gateway.adminUrl}/identities/${attackers}`)).json()
  t.notMatch(JSON.stringify(identity), 'acme:victim', 'the victim\'s sign-in is not in the attacker\'s account')
})

t.test('A12 an account without a password can not be entered with one, nor registered a second time', async t => {
  const { gateway, providers: [provider] } = await setUp(t) as { gateway: TestGateway, providers: [HostileProvider] }
  const owner = newVisitor()
  await comeFrom(gateway, owner, provider, 'ann')
  const visitor = newVisitor()
  for (const secret of ['', 'undefined', 'null', password]) {
    await logIn(visitor, await beginFlow(gateway, visitor, 'login'), 'ann@example.org', secret)
    t.notOk(await isLoggedIn(gateway, visitor))
  }
  const page = await submitForm(visitor, await beginFlow(gateway, visitor, 'registration'), { 'traits.email': 'ann@example.org', password }, 'password')
  t.match(messagesOf(await flowDocument(gateway.adminUrl, page), 'password'), [/exists already/])
  t.notOk(await isLoggedIn(gateway, visitor))
})

t.test('A12 an account without a password is proved with the provider that it has', async t => {
  const { gateway, providers: [acme, other] } = await setUp(t, ['acme', 'other']) as { gateway: TestGateway, providers: [HostileProvider, HostileProvider] }
  const owner = newVisitor()
  await comeFrom(gateway, owner, other, 'ann')
  const ann = await identityOf(gateway, owner)

  const visitor = newVisitor()
  const question = await flowDocument(gateway.adminUrl, await comeFrom(gateway, visitor, acme, 'ann'))
  t.equal(question.kind, 'login')
  const away = await submitForm(visitor, question, { provider: 'other' })
  t.equal((await visitor.visit(other.agree(away.location ?? '', 'ann'))).location, `${ui}/dashboard`)
  t.equal(await identityOf(gateway, visitor), ann)
  const next = newVisitor()
  await comeFrom(gateway, next, acme, 'ann', 'login')
  t.equal(await identityOf(gateway, next), ann)
})

t.test('A13 a typed address that somebody else has is no way to their account', async t => {
  const { gateway, providers: [provider] } = await setUp(t) as { gateway: TestGateway, providers: [HostileProvider] }
  await register(t, gateway, 'victim@example.org')
  provider.behaviour.claims = { email: undefined }
  const visitor = newVisitor()
  const incomplete = await flowDocument(gateway.adminUrl, await comeFrom(gateway, visitor, provider, 'mallory'))
  const page = await submitForm(visitor, incomplete, { 'provider': 'acme', 'traits.email': ' Victim@Example.org ' })
  t.match(page.location, ui)
  t.notOk(await isLoggedIn(gateway, visitor))
  t.equal((await visitor.visit(`${gateway.adminUrl}/identities`)).json().length, 1)
})

t.test('a question that is answered twice at the same time is answered once', async t => {
  const { gateway, providers: [provider] } = await setUp(t) as { gateway: TestGateway, providers: [HostileProvider] }
  const ann = await register(t, gateway, 'ann@example.org')
  const visitor = newVisitor()
  const flow = await flowDocument(gateway.adminUrl, await comeFrom(gateway, visitor, provider, 'ann'))
  const pages = await Promise.all(Array.from({ length: 5 }, () => logIn(visitor, flow, 'ann@example.org')))
  t.equal(pages.filter(({ location }) => location === `${ui}/dashboard`).length, 1)
  const next = newVisitor()
  await comeFrom(gateway, next, provider, 'ann', 'login')
  t.equal(await identityOf(gateway, next), ann)
})

t.test('one subject that registers in many tabs at once is one identity, logged in everywhere', async t => {
  const { gateway, providers: [provider] } = await setUp(t) as { gateway: TestGateway, providers: [HostileProvider] }
  const visitors = Array.from({ length: 8 }, () => newVisitor())
  const backs = await Promise.all(visitors.map(async visitor => {
    const away = await submitForm(visitor, await beginFlow(gateway, visitor, 'registration'), { provider: 'acme' })
    return provider.agree(away.location ?? '', 'ann')
  }))
  await Promise.all(visitors.map((visitor, index) => visitor.visit(backs[index] as string)))
  const ids = await Promise.all(visitors.map(visitor => identityOf(gateway, visitor)))
  t.equal(new Set(ids).size, 1)
})
