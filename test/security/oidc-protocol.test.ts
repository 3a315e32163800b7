/** Rows O1 to O8 and O11 to O16: what a provider, or somebody who pretends to be one, may send back. */
import { mock } from 'node:test'
import t, { type Test } from 'tap'

import { freePort, ui, type TestGateway } from '../helpers/gateway.js'
import { clientSecret, json, startHostileProvider, type Behaviour, type HostileProvider } from '../helpers/hostile-provider.js'
import { personClaims, startOidcGateway } from '../helpers/oidc-gateway.js'
import { beginFlow, flowDocument, messagesOf, submitForm } from '../helpers/provider.js'
import { newVisitor, type Page, type Visitor } from '../helpers/visitor.js'

interface Setting {
  readonly gateway: TestGateway
  readonly provider: HostileProvider
}

async function setUp(t: Test, entry: Record<string, unknown> = {}): Promise<Setting> {
  const provider = await startHostileProvider(t)
  const gateway = await startOidcGateway(t, [{ ...provider.config, claims: personClaims, ...entry }])
  return { gateway, provider }
}

/** Where the gateway sends a visitor who wants to sign up. */
async function leave({ gateway }: Pick<Setting, 'gateway'>, visitor: Visitor, provider = 'acme'): Promise<string> {
  const away = await submitForm(visitor, await beginFlow(gateway, visitor, 'registration'), { provider })
  t.equal(away.status, 302)
  return away.location ?? ''
}

/** Whether an account was made, or anybody is logged in. */
async function nobodyGotIn(t: Test, { gateway }: Pick<Setting, 'gateway'>, visitor: Visitor): Promise<void> {
  t.strictSame((await visitor.visit(`${gateway.adminUrl}/identities`)).json(), [], 'no identity')
  t.equal((await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).status, 401, 'no session')
}

/** What the error page would say. */
async function storedError(t: Test, { gateway }: Pick<Setting, 'gateway'>, page: Page): Promise<{ code: number, reason: string }> {
  t.match(page.location, `${ui}/error?error=`)
  const [error] = (await newVisitor().visit(`${gateway.publicUrl}/errors?error=${new URL(page.location ?? '').searchParams.get('error')}`)).json() as [{ code: number, reason: string }]
  return error
}

t.test('O1 a callback needs a state, that of this browser, once, in time', async t => {
  const setting = await setUp(t)
  const { gateway, provider } = setting
  const visitor = newVisitor()
  const authorizationUrl = await leave(setting, visitor)
  const back = provider.agree(authorizationUrl)
  t.ok(Buffer.from(new URL(authorizationUrl).searchParams.get('state') ?? '', 'base64url').length >= 32, '256 bits')

  const without = new URL(back)
  without.searchParams.delete('state')
  const other = new URL(back)
  other.searchParams.set('state', 'another')
  t.match(await storedError(t, setting, await visitor.visit(without.href)), { code: 400, reason: /did not return the state/ })
  t.match(await storedError(t, setting, await visitor.visit(other.href)), { code: 400, reason: /does not match the state/ })

  const stranger = newVisitor()
  await beginFlow(gateway, stranger, 'registration')
  t.match(await storedError(t, setting, await stranger.visit(back)), { code: 400, reason: /does not match the state/ })
  t.match(await storedError(t, setting, await newVisitor().visit(back)), { code: 400 })
  await nobodyGotIn(t, setting, stranger)
  t.notOk(provider.asked.includes('/token'), 'the provider was not even asked')

  t.equal((await visitor.visit(back)).location, `${ui}/dashboard`, 'the browser that left is none the worse for it')
  visitor.jar.delete('ory_kratos_session')
  t.match(await storedError(t, setting, await visitor.visit(back)), { code: 400, reason: /does not match the state/ }, 'a second time')
  t.equal((await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).status, 401)
})

t.test('O1 a journey of more than ten minutes is over, and its flow is not', async t => {
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  t.teardown(() => { mock.timers.reset() })
  const setting = await setUp(t)
  const visitor = newVisitor()
  const back = setting.provider.agree(await leave(setting, visitor))
  mock.timers.tick(601_000)
  t.match(await storedError(t, setting, await visitor.visit(back)), { code: 400, reason: /does not match the state/ })
  await nobodyGotIn(t, setting, visitor)
  t.equal((await visitor.visit(setting.provider.agree(await leave(setting, visitor)))).location, `${ui}/dashboard`)
})

const now = (): number => Math.floor(Date.now() / 1000)
const notVerified = 'What acme answered could not be verified. Please try again or choose another way.'
const notWorking = 'Signing in with acme does not work at the moment. Please try again later or choose another way.'

type Forgery = readonly [what: string, behaviour: () => Behaviour, message?: string]

const forgeries: readonly Forgery[] = [
  ['without a nonce', () => ({ claims: { nonce: undefined } })],
  ['with another nonce', () => ({ claims: { nonce: 'replayed' } })],
  ['for another client', () => ({ claims: { aud: 'another' } })],
  ['for several clients without azp', () => ({ claims: { aud: ['gateway', 'another'] } })],
  ['with the azp of another client', () => ({ claims: { aud: ['gateway', 'another'], azp: 'another' } })],
  ['of another issuer', () => ({ claims: { iss: 'https://accounts.google.com' } })],
  ['that has expired', () => ({ claims: { exp: now() - 600 } })],
  ['without an expiry', () => ({ claims: { exp: undefined } })],
  ['from the future', () => ({ claims: { iat: now() + 600, exp: now() + 900 } })],
  ['not valid yet', () => ({ claims: { nbf: now() + 600 } })],
  ['without a subject', () => ({ claims: { sub: undefined } })],
  ['with an empty subject', () => ({ claims: { sub: '' } })],
  ['with a subject that is a number', () => ({ claims: { sub: 1 } })],
  ['with an endless subject', () => ({ claims: { sub: 'x'.repeat(256) } })],
  ['with alg none', () => ({ signature: 'none' })],
  ['signed by somebody else', () => ({ signature: 'other' })],
  ['with an unknown kid', () => ({ signature: 'other', header: { kid: 'unknown' } })],
  ['with its signature stripped', () => ({ signature: 'stripped' })],
  ['that is no token', () => ({ tokens: { id_token: 'a.b.c' } }), notWorking],
  ['that is encrypted', () => ({ tokens: { id_token: 'a.b.c.d.e' } })],
]

/** What the provider says of itself makes these look right. */
const endorsed: readonly Forgery[] = [
  ['with alg none that the provider lists', () => ({ signature: 'none', metadata: { id_token_signing_alg_values_supported: ['none', 'RS256'] } })],
  ['signed with the public key', () => ({ signature: 'hs256-public-key', metadata: { id_token_signing_alg_values_supported: ['HS256', 'RS256'] } })],
  ['signed with the client secret', () => ({ signature: 'hs256-client-secret', metadata: { id_token_signing_alg_values_supported: ['HS256', 'RS256'] } })],
  ['with an alg that the provider does not list', () => ({ metadata: { id_token_signing_alg_values_supported: ['ES256'] } })],
]

t.test('O2 an ID token proves nothing', async t => {
  const setting = await setUp(t)
  for (const forgery of forgeries) t.test(forgery[0], t => provesNothing(t, setting, forgery))
  for (const forgery of endorsed) t.test(forgery[0], async t => provesNothing(t, await setUp(t), forgery))
})

async function provesNothing(t: Test, setting: Setting, [, behaviour, message = notVerified]: Forgery): Promise<void> {
  const { behaviour: current } = setting.provider
  for (const key of Object.keys(current) as (keyof Behaviour)[]) delete current[key]
  Object.assign(current, behaviour())
  const visitor = newVisitor()
  const page = await visitor.visit(setting.provider.agree(await leave(setting, visitor)))
  t.match(page.location, `${ui}/auth/registration?request=`)
  t.strictSame(messagesOf(await flowDocument(setting.gateway.adminUrl, page)), [message])
  await nobodyGotIn(t, setting, visitor)
}

t.test('O2 a key or a URL in the header of the token is not looked at', async t => {
  const elsewhere = await startHostileProvider(t, 'elsewhere')
  const setting = await setUp(t)
  setting.provider.behaviour.signature = 'other'
  setting.provider.behaviour.header = { jku: `${elsewhere.issuer}/jwks`, x5u: `${elsewhere.issuer}/jwks`, jwk: { kty: 'RSA', n: 'AQAB', e: 'AQAB' } }
  const visitor = newVisitor()
  await visitor.visit(setting.provider.agree(await leave(setting, visitor)))
  t.strictSame(elsewhere.asked, [])
  await nobodyGotIn(t, setting, visitor)
})

t.test('O2 scripts are told 400', async t => {
  const setting = await setUp(t)
  setting.provider.behaviour.signature = 'other'
  const visitor = newVisitor()
  const answer = await visitor.send(setting.provider.agree(await leave(setting, visitor)), { headers: { accept: 'application/json' } })
  t.equal(answer.status, 400)
  t.match(answer.json().methods.oidc.config.errors, [{ message: /could not be verified/ }])
})

t.test('O3 S256 is sent always, whatever the provider claims to know', async t => {
  for (const methods of [undefined, [], ['plain']]) {
    const setting = await setUp(t)
    setting.provider.behaviour.metadata = { code_challenge_methods_supported: methods }
    const visitor = newVisitor()
    const authorizationUrl = await leave(setting, visitor)
    const query = new URL(authorizationUrl).searchParams
    t.equal(query.get('code_challenge_method'), 'S256')
    await visitor.visit(setting.provider.agree(authorizationUrl))
    const verifier = setting.provider.tokenForms[0]?.['code_verifier'] ?? ''
    t.match(verifier, /^[\w-]{43,128}$/)
    t.not(verifier, query.get('code_challenge'))
    t.notMatch(JSON.stringify([...visitor.jar]), verifier, 'the browser never sees it')
  }
})

t.test('O4 a journey to one provider does not end at another', async t => {
  const [honest, hostile] = [await startHostileProvider(t, 'honest'), await startHostileProvider(t, 'hostile')]
  const gateway = await startOidcGateway(t, [honest.config, hostile.config].map(config => ({ ...config, claims: personClaims })))
  const setting = { gateway }
  const visitor = newVisitor()
  const authorizationUrl = await leave(setting, visitor, 'honest')
  t.match(new URL(authorizationUrl).searchParams.get('redirect_uri'), /callback\/honest$/)

  const mixedUp = honest.agree(authorizationUrl).replace('/callback/honest', '/callback/hostile')
  t.match(await storedError(t, setting, await visitor.visit(mixedUp)), { code: 400 })
  t.notOk(hostile.asked.includes('/token'), 'the other provider does not get the code')

  for (const iss of [hostile.issuer, '']) {
    const page = await visitor.visit(honest.agree(await leave(setting, visitor, 'honest'), 'mallory', { iss }))
    t.match(messagesOf(await flowDocument(gateway.adminUrl, page))[0], /could not be verified/)
  }
  const twice = honest.agree(await leave(setting, visitor, 'honest'))
  const page = await visitor.visit(`${twice}&iss=${encodeURIComponent(hostile.issuer)}`)
  t.match(messagesOf(await flowDocument(gateway.adminUrl, page))[0], /could not be verified/)
  t.notOk(honest.asked.includes('/token'))
  await nobodyGotIn(t, setting, visitor)
})

const unusable: readonly (readonly [what: string, metadata: Record<string, unknown>])[] = [
  ['another issuer', { issuer: 'https://accounts.google.com' }],
  ['no issuer', { issuer: undefined }],
  ['a token endpoint over http', { token_endpoint: 'http://accounts.example.org/token' }],
  ['keys over http', { jwks_uri: 'http://accounts.example.org/jwks' }],
  ['an authorization endpoint over http', { authorization_endpoint: 'http://accounts.example.org/authorize' }],
  ['an authorization endpoint that is a script', { authorization_endpoint: 'javascript:alert(1)' }],
  ['no keys', { jwks_uri: undefined }],
  ['a token endpoint on a private address', { token_endpoint: 'https://10.0.0.1/token' }],
  ['keys at the metadata service of a cloud', { jwks_uri: 'https://169.254.169.254/latest/meta-data' }],
  ['keys on loopback', { jwks_uri: 'http://127.0.0.2/jwks' }],
  ['keys on loopback in another spelling', { jwks_uri: 'https://0x7f.2/jwks' }],
  ['keys on loopback as a number', { jwks_uri: 'https://2130706434/jwks' }],
  ['keys on loopback in IPv6', { jwks_uri: 'https://[::1]/jwks' }],
  ['keys on loopback as IPv4 in IPv6', { jwks_uri: 'https://[::ffff:127.0.0.2]/jwks' }],
  ['keys on localhost', { jwks_uri: 'https://localhost/jwks' }],
  ['userinfo on a private address', { userinfo_endpoint: 'https://192.168.1.1/userinfo' }],
  ['credentials in a URL', { token_endpoint: 'https://user:pass@accounts.example.org/token' }],
]

t.test('O5 R10 a provider is not used whose document has', async t => {
  const providers = await Promise.all(unusable.map((_row, index) => startHostileProvider(t, `provider-${index}`)))
  const gateway = await startOidcGateway(t, providers.map(({ config }) => config))
  for (const [index, [what, metadata]] of unusable.entries()) {
    t.test(what, async t => {
      const provider = providers[index] as HostileProvider
      provider.behaviour.metadata = metadata
      const visitor = newVisitor()
      const page = await submitForm(visitor, await beginFlow(gateway, visitor, 'registration'), { provider: `provider-${index}` })
      if (what === 'no issuer') t.match(messagesOf(await flowDocument(gateway.adminUrl, page)), [/does not work at the moment/])
      else t.match(await storedError(t, { gateway }, page), { code: 500, reason: /Unable to initialize OpenID Connect Provider/ })
      t.strictSame(provider.asked, ['/.well-known/openid-configuration'])
    })
  }
})

t.test('O6 the redirect URI comes from the configuration, whatever the request says', async t => {
  const setting = await setUp(t)
  const visitor = newVisitor()
  const hostile = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', 'forwarded': 'host=evil.example', 'x-original-url': '/evil' }
  const flow = await beginFlow(setting.gateway, visitor, 'registration')
  const config = flow.methods['oidc']?.config
  const csrf = config?.fields.find(({ name }) => name === 'csrf_token')?.value
  const away = await visitor.submit(config?.action ?? '', { csrf_token: String(csrf), provider: 'acme' }, hostile)
  const expected = `${setting.gateway.publicUrl}/auth/browser/methods/oidc/callback/acme`
  t.equal(new URL(away.location ?? '').searchParams.get('redirect_uri'), expected)
  await visitor.visit(setting.provider.agree(away.location ?? ''), hostile)
  t.equal(setting.provider.tokenForms[0]?.['redirect_uri'], expected)

  const foreign = await visitor.submit(config?.action ?? '', { csrf_token: String(csrf), provider: 'acme' }, { host: 'evil.example' })
  t.not(foreign.status, 302, 'another host is not ours to answer for')
})

t.test('O7 an address is nobody\'s because email_verified is', async t => {
  const setting = await setUp(t)
  for (const verified of [false, undefined, 'true', 1, null]) {
    t.test(String(JSON.stringify(verified)), async t => {
      setting.provider.behaviour.claims = { email: 'victim@example.org', email_verified: verified }
      const visitor = newVisitor()
      const flow = await beginFlow(setting.gateway, visitor, 'registration')
      const own = `mine-${String(verified)}@example.org`
      const away = await submitForm(visitor, flow, { provider: 'acme', 'traits.email': own })
      await visitor.visit(setting.provider.agree(away.location ?? '', `subject-${String(verified)}`))
      const who = (await visitor.visit(`${setting.gateway.publicUrl}/sessions/whoami`)).json()
      t.equal(who.identity.traits.email, own, 'what was typed goes before what nobody vouches for')
    })
  }
})

t.test('O7 an address that the provider has verified can not be typed over', async t => {
  const setting = await setUp(t)
  const visitor = newVisitor()
  const flow = await beginFlow(setting.gateway, visitor, 'registration')
  const away = await submitForm(visitor, flow, { provider: 'acme', 'traits.email': 'victim@example.org' })
  await visitor.visit(setting.provider.agree(away.location ?? ''))
  const who = (await visitor.visit(`${setting.gateway.publicUrl}/sessions/whoami`)).json()
  t.equal(who.identity.traits.email, 'mallory@example.org')
})

t.test('O7 the same address from another subject is another person', async t => {
  const setting = await setUp(t)
  const [ann, mallory] = [newVisitor(), newVisitor()]
  setting.provider.behaviour.claims = { email: 'ann@example.org' }
  await ann.visit(setting.provider.agree(await leave(setting, ann), 'ann'))
  const page = await mallory.visit(setting.provider.agree(await leave(setting, mallory), 'mallory'))
  t.match(page.location, `${ui}/auth/login?request=`)
  t.equal((await mallory.visit(`${setting.gateway.publicUrl}/sessions/whoami`)).status, 401)
  t.equal((await ann.visit(`${setting.gateway.adminUrl}/identities`)).json().length, 1)
})

t.test('O8 the same subject of two providers is two people', async t => {
  const providers = [await startHostileProvider(t, 'one'), await startHostileProvider(t, 'two')] as const
  const gateway = await startOidcGateway(t, providers.map(({ config }) => ({ ...config, claims: personClaims })))
  providers[1].behaviour.claims = { email: 'other@example.org' }
  const ids = new Set<string>()
  for (const provider of providers) {
    const visitor = newVisitor()
    await visitor.visit(provider.agree(await leave({ gateway }, visitor, String(provider.config['id'])), 'same'))
    ids.add((await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).json().identity.id as string)
  }
  t.equal(ids.size, 2)
})

t.test('O11 a new key is asked for once, and an unknown one not again and again', async t => {
  const setting = await setUp(t)
  const { provider } = setting
  const visitor = newVisitor()
  await visitor.visit(provider.agree(await leave(setting, visitor), 'first'))
  t.equal(provider.asked.filter(path => path === '/jwks').length, 1)
  await provider.rotate()

  const soon = newVisitor()
  const refused = await soon.visit(provider.agree(await leave(setting, soon), 'second'))
  t.match(messagesOf(await flowDocument(setting.gateway.adminUrl, refused)), [/could not be verified/])
  t.equal(provider.asked.filter(path => path === '/jwks').length, 1, 'within the cool-down nobody is asked')

  mock.timers.enable({ apis: ['Date'], now: Date.now() + 31_000 })
  t.teardown(() => { mock.timers.reset() })
  const later = newVisitor()
  t.equal((await later.visit(provider.agree(await leave(setting, later), 'third'))).location, `${ui}/dashboard`, 'the new key is found')
  t.equal(provider.asked.filter(path => path === '/jwks').length, 2)
})

t.test('O12 what the provider says of a refusal is shown as text', async t => {
  const setting = await setUp(t)
  const visitor = newVisitor()
  const refusal = { error: 'access_denied', error_description: '<script>alert(1)</script>\r\n\u202ehidden' }
  const back = new URL(setting.provider.agree(await leave(setting, visitor), 'mallory', refusal))
  back.searchParams.delete('code')
  const page = await visitor.visit(back.href)
  t.strictSame(messagesOf(await flowDocument(setting.gateway.adminUrl, page)), [
    'Unable to complete OpenID Connect flow because the OpenID Provider returned error "access_denied": <script>alert(1)</script> hidden',
  ])
  const document = await visitor.visit(`${setting.gateway.publicUrl}/auth/browser/requests/registration?request=${new URL(page.location ?? '').searchParams.get('request')}`)
  t.match(document.headers['content-type'], 'application/json', 'never as HTML')
  t.equal(document.headers['x-content-type-options'], 'nosniff')
  await nobodyGotIn(t, setting, visitor)
})

t.test('O13 clocks may differ by a minute', async t => {
  for (const seconds of [-55, 55]) {
    const setting = await setUp(t)
    const at = now() + seconds
    setting.provider.behaviour.claims = { iat: at, nbf: at, exp: seconds < 0 ? at : at + 300 }
    const visitor = newVisitor()
    t.equal((await visitor.visit(setting.provider.agree(await leave(setting, visitor)))).location, `${ui}/dashboard`, `${seconds} s`)
  }
})

t.test('O14 the code of somebody else\'s journey is worth nothing', async t => {
  const setting = await setUp(t)
  const [victim, attacker] = [newVisitor(), newVisitor()]
  const stolen = new URL(setting.provider.agree(await leave(setting, victim), 'victim')).searchParams.get('code') ?? ''
  const own = new URL(setting.provider.agree(await leave(setting, attacker), 'attacker'))
  own.searchParams.set('code', stolen)
  t.match(messagesOf(await flowDocument(setting.gateway.adminUrl, await attacker.visit(own.href))), [/does not work at the moment/])
  await nobodyGotIn(t, setting, attacker)

  t.test('even at a provider that knows no PKCE', async t => {
    const lax = await setUp(t)
    const [victim, attacker] = [newVisitor(), newVisitor()]
    const authorizationUrl = await leave(lax, attacker)
    // The victim's code, given to a verifier that it was not made for.
    const victimUrl = new URL(await leave(lax, victim))
    victimUrl.searchParams.set('code_challenge', new URL(authorizationUrl).searchParams.get('code_challenge') ?? '')
    const injected = new URL(lax.provider.agree(authorizationUrl))
    injected.searchParams.set('code', new URL(lax.provider.agree(victimUrl.href, 'victim')).searchParams.get('code') ?? '')
    t.match(messagesOf(await flowDocument(lax.gateway.adminUrl, await attacker.visit(injected.href))), [/could not be verified/], 'the nonce')
    await nobodyGotIn(t, lax, attacker)
  })
})

t.test('O15 no token, code, verifier or secret gets into a log, a cookie, a document or an upstream', async t => {
  const provider = await startHostileProvider(t)
  const gateway = await startOidcGateway(t, [{ ...provider.config, claims: personClaims }], { logLevel: 'trace' })
  const visitor = newVisitor()
  const seen: string[] = []
  for (const signature of ['other', 'own'] as const) {
    provider.behaviour.signature = signature
    const authorizationUrl = await leave({ gateway }, visitor)
    const back = provider.agree(authorizationUrl)
    const page = await visitor.visit(back)
    seen.push(page.text, JSON.stringify(page.headers), JSON.stringify([...visitor.jar]))
    const [code, state] = ['code', 'state'].map(name => new URL(back).searchParams.get(name) ?? '')
    const verifier = provider.tokenForms.at(-1)?.['code_verifier'] ?? ''
    for (const secret of [code, state, verifier, 'the-access-token', clientSecret, 'eyJ'] as string[]) {
      t.ok(secret.length > 2)
      t.notMatch(seen.join('\n'), secret)
      t.notMatch(JSON.stringify(gateway.logged), secret)
    }
  }
  t.ok(gateway.logged.some(line => line['provider'] === 'acme'), 'a failure is logged')
})

t.test('O16 an answer that a form brings from another site is bound to the browser all the same', async t => {
  const setting = await setUp(t, { response_mode: 'form_post' })
  const { gateway, provider } = setting
  const visitor = newVisitor()
  const authorizationUrl = await leave(setting, visitor)
  t.equal(new URL(authorizationUrl).searchParams.get('response_mode'), 'form_post')
  const back = new URL(provider.agree(authorizationUrl))
  const fields = Object.fromEntries(back.searchParams)
  const callback = `${back.origin}${back.pathname}`

  // A cross-site POST: no Lax cookie comes along.
  const crossSite = { 'origin': 'https://appleid.apple.com', 'sec-fetch-site': 'cross-site' }
  const bounced = await newVisitor().submit(callback, { ...fields, evil: 'https://evil.example' }, crossSite)
  t.equal(bounced.status, 303)
  t.equal(bounced.headers['set-cookie'], undefined)
  t.ok(bounced.location?.startsWith(`${callback}?`), 'nowhere but to the callback itself')
  t.notMatch(bounced.location, 'evil')

  const stranger = newVisitor()
  await beginFlow(gateway, stranger, 'registration')
  t.match(await storedError(t, setting, await stranger.visit(bounced.location ?? '')), { code: 400 }, 'another browser gets nowhere')
  t.equal((await visitor.visit(bounced.location ?? '', { 'sec-fetch-site': 'cross-site' })).location, `${ui}/dashboard`)
  t.equal((await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).status, 200)
})

t.test('C4 nobody can be made to begin or end a journey by another site', async t => {
  const setting = await setUp(t)
  const { gateway, provider } = setting
  const [victim, attacker] = [newVisitor(), newVisitor()]
  const flow = await beginFlow(gateway, victim, 'login')
  const action = flow.methods['oidc']?.config.action ?? ''
  t.equal((await victim.submit(action, { provider: 'acme' })).status, 400, 'no token')
  const token = { csrf_token: String(flow.methods['oidc']?.config.fields[0]?.value), provider: 'acme' }
  t.equal((await victim.submit(action, token, { origin: 'https://evil.example' })).status, 400, 'another site')
  t.equal((await attacker.submit(action, token)).status, 400, 'another browser')
  t.equal((await victim.visit(`${action}?provider=acme`, { 'sec-fetch-site': 'cross-site' })).status, 400, 'a link of another site')
  t.equal((await attacker.visit(`${action}?provider=acme`)).status, 400, 'a link in another browser')
  t.equal((await victim.visit(`${action}?provider=acme`, { 'sec-fetch-site': 'same-origin' })).status, 302, 'a link of our own')

  // The attacker's own journey, ended in the victim's browser.
  const back = provider.agree(await leave(setting, attacker), 'attacker')
  t.match(await storedError(t, setting, await victim.visit(back)), { code: 400 })
  t.equal((await victim.visit(`${gateway.publicUrl}/sessions/whoami`)).status, 401)
})

t.test('C5 the session is a new one, whatever the browser brought along', async t => {
  const setting = await setUp(t)
  const visitor = newVisitor()
  const authorizationUrl = await leave(setting, visitor)
  visitor.jar.set('ory_kratos_session', { value: 'AAAA', path: '/' })
  await visitor.visit(setting.provider.agree(authorizationUrl))
  t.not(visitor.jar.get('ory_kratos_session')?.value, 'AAAA')
  t.equal((await visitor.visit(`${setting.gateway.publicUrl}/sessions/whoami`)).status, 200)
})

t.test('R9 return_to is judged alike when a flow ends at a provider', async t => {
  const setting = await setUp(t)
  for (const wish of ['https://evil.example/', '//evil.example', '/\\evil.example', 'javascript:alert(1)', 'http:evil.example']) {
    const visitor = newVisitor()
    const page = await visitor.visit(`${setting.gateway.publicUrl}/auth/browser/login?return_to=${encodeURIComponent(wish)}`)
    t.match(await storedError(t, setting, page), { code: 400 }, wish)
  }
  // What the callback itself is given is nobody's wish.
  const visitor = newVisitor()
  const back = `${setting.provider.agree(await leave(setting, visitor))}&return_to=https://evil.example/`
  t.equal((await visitor.visit(back)).location, `${ui}/dashboard`)
})

t.test('userinfo of another subject is not believed', async t => {
  const setting = await setUp(t)
  setting.provider.behaviour.userinfo = (_request, response) => { json(response, 200, { sub: 'victim', given_name: 'Victim' }) }
  const visitor = newVisitor()
  t.equal((await visitor.visit(setting.provider.agree(await leave(setting, visitor)))).location, `${ui}/dashboard`)
  t.strictSame((await visitor.visit(`${setting.gateway.publicUrl}/sessions/whoami`)).json().identity.traits, { email: 'mallory@example.org' })
})

t.test('a port where nobody listens is a provider that is down', async t => {
  const gateway = await startOidcGateway(t, [{ id: 'acme', provider: 'generic', client_id: 'gateway', issuer_url: `http://127.0.0.1:${await freePort()}` }])
  const visitor = newVisitor()
  const page = await submitForm(visitor, await beginFlow(gateway, visitor, 'registration'), { provider: 'acme' })
  t.match(messagesOf(await flowDocument(gateway.adminUrl, page)), [/does not work at the moment/])
})
