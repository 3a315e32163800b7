/** The contract's cases O1 to O20 and the steps around them, with its schema and its mapping of `sub`. */
import t, { type Test } from 'tap'

import { loadConfig } from '../../../src/config/load.js'
import { csrfToken, maskCsrfToken } from '../../../src/http/csrf.js'
import { readProviders } from '../../../src/selfservice/strategies/oidc/settings.js'
import { ui, type TestGateway } from '../../helpers/gateway.js'
import { startHostileProvider, type HostileProvider } from '../../helpers/hostile-provider.js'
import { schemaUrl } from '../../helpers/identity-schema.js'
import { startOidcGateway } from '../../helpers/oidc-gateway.js'
import { beginFlow, flowDocument, formOf, messagesOf, newProvider, submitForm } from '../../helpers/provider.js'
import { newVisitor, type Page, type Visitor } from '../../helpers/visitor.js'

const traits = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  type: 'object',
  properties: {
    subject: { type: 'string', format: 'email', 'ory.sh/kratos': { credentials: { password: { identifier: true } } } },
    name: { type: 'string', minLength: 2 },
  },
  required: ['subject'],
}
const claims = {
  type: 'object',
  properties: { sub: { type: 'string', 'ory.sh/kratos': { mappings: { identity: { traits: [{ path: 'subject' }] } } } } },
  required: ['sub'],
}
const unknownId = '00000000-0000-4000-8000-000000000000'

interface Setting {
  readonly gateway: TestGateway
  readonly provider: HostileProvider
}

async function setUp(t: Test, selfservice: object = {}): Promise<Setting> {
  const provider = await startHostileProvider(t, 'valid')
  const gateway = await startOidcGateway(t, [{ ...provider.config, schema_url: schemaUrl(claims) }], { schema: traits, selfservice })
  return { gateway, provider }
}

async function start(
  { gateway }: Setting, visitor: Visitor, kind: 'login' | 'registration', values: Record<string, string> = {}, query = '',
): Promise<Page> {
  return submitForm(visitor, await beginFlow(gateway, visitor, kind, query), { provider: 'valid', ...values })
}

async function signIn(setting: Setting, visitor: Visitor, kind: 'login' | 'registration', sub: string, values: Record<string, string> = {}): Promise<Page> {
  return visitor.visit(setting.provider.agree((await start(setting, visitor, kind, values)).location ?? '', sub))
}

async function traitsOf({ gateway }: Setting, visitor: Visitor): Promise<unknown> {
  return (await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).json().identity.traits
}

async function storedError({ gateway }: Setting, page: Page): Promise<unknown> {
  const id = new URL(page.location ?? '').searchParams.get('error')
  return ((await newVisitor().visit(`${gateway.publicUrl}/errors?error=${id}`)).json() as unknown[])[0]
}

/** The form of a flow that is not there, with a token that is right for it. */
async function submitUnknown({ gateway }: Setting, visitor: Visitor, provider: string): Promise<Page> {
  await beginFlow(gateway, visitor, 'registration')
  const cookie = visitor.jar.get('oathgate_csrf')?.value ?? ''
  const csrf = maskCsrfToken(csrfToken(cookie, unknownId))
  return visitor.submit(`${gateway.publicUrl}/auth/browser/methods/oidc/auth/${unknownId}`, { csrf_token: csrf, provider })
}

t.test('the cases', async t => {
  const setting = await setUp(t)
  const { gateway, provider } = setting

  t.test('contract O1 an unknown provider, and an unknown flow', async t => {
    const visitor = newVisitor()
    t.match(await storedError(setting, await submitUnknown(setting, visitor, 'invalid')), { code: 404, reason: /is unknown or has not been configured/ })
    const page = await visitor.visit(`${gateway.publicUrl}/auth/browser/methods/oidc/auth/${unknownId}?provider=invalid`)
    t.match(await storedError(setting, page), { code: 404, reason: 'OpenID Connect Provider "invalid" is unknown or has not been configured' })
  })

  t.test('contract O3 an unknown flow', async t => {
    const visitor = newVisitor()
    t.match(await storedError(setting, await submitUnknown(setting, visitor, 'valid')), { code: 404, message: 'Unable to locate the resource' })
    const page = await visitor.visit(`${gateway.publicUrl}/auth/browser/methods/oidc/auth/${unknownId}?provider=valid`)
    t.match(await storedError(setting, page), { code: 404, message: 'Unable to locate the resource' })
    const odd = await visitor.visit(`${gateway.publicUrl}/auth/browser/methods/oidc/auth/not-a-uuid?provider=valid`)
    t.match(await storedError(setting, odd), { code: 400, reason: /The session cookie contains invalid values/ })
  })

  t.test('no provider is named', async t => {
    const visitor = newVisitor()
    const page = await submitForm(visitor, await beginFlow(gateway, visitor, 'login'), {})
    t.strictSame(messagesOf(await flowDocument(gateway.adminUrl, page)), ['The HTTP request did not contain the required "provider" form field'])
  })

  for (const [id, kind] of [['O6', 'registration'], ['O7', 'login']] as const) {
    t.test(`contract ${id} the openid scope is not granted, ${kind}`, async t => {
      provider.behaviour.tokens = { id_token: undefined }
      t.teardown(() => { delete provider.behaviour.tokens })
      const page = await signIn(setting, newVisitor(), kind, `${kind}@ory.sh`)
      t.match(page.location, `${ui}/auth/${kind}?request=`)
      t.match(messagesOf(await flowDocument(gateway.adminUrl, page)), [/no id_token was returned/])
    })
  }

  t.test('contract O8 a subject that is no e-mail address, which the person can mend', async t => {
    const visitor = newVisitor()
    const page = await signIn(setting, visitor, 'registration', 'not-an-email')
    const flow = await flowDocument(gateway.adminUrl, page)
    t.strictSame(messagesOf(flow), ['traits.subject: Does not match format \'email\''])
    t.equal(formOf(flow).fields['traits.subject']?.value, 'not-an-email')
    const done = await submitForm(visitor, flow, { 'provider': 'valid', 'traits.subject': 'mended@ory.sh' })
    t.equal(done.location, `${ui}/dashboard`)
    t.strictSame(await traitsOf(setting, visitor), { subject: 'mended@ory.sh' })
  })

  t.test('contract O9 O10 somebody registers, and logs in with the same subject', async t => {
    for (const kind of ['registration', 'login'] as const) {
      const visitor = newVisitor()
      t.equal((await signIn(setting, visitor, kind, 'register-then-login@ory.sh')).location, `${ui}/dashboard`)
      t.strictSame(await traitsOf(setting, visitor), { subject: 'register-then-login@ory.sh' })
    }
  })

  t.test('contract O11 a login of somebody who never registered makes an account', async t => {
    const visitor = newVisitor()
    t.equal((await signIn(setting, visitor, 'login', 'login-without-register@ory.sh')).location, `${ui}/dashboard`)
    t.strictSame(await traitsOf(setting, visitor), { subject: 'login-without-register@ory.sh' })
  })

  t.test('contract O12 a registration of somebody who has registered logs them in', async t => {
    const ids = new Set<string>()
    for (let round = 0; round < 2; round++) {
      const visitor = newVisitor()
      t.equal((await signIn(setting, visitor, 'registration', 'register-twice@ory.sh')).location, `${ui}/dashboard`)
      ids.add((await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).json().identity.id as string)
    }
    t.equal(ids.size, 1)
  })

  t.test('contract O13 a trait that is typed wrong before leaving comes back', async t => {
    const page = await signIn(setting, newVisitor(), 'registration', 'incomplete@ory.sh', { 'traits.name': 'i' })
    t.match(page.location, `${ui}/auth/registration?request=`)
    const flow = await flowDocument(gateway.adminUrl, page)
    t.match(formOf(flow).fields['traits.name'], { value: 'i', errors: [{ message: 'traits.name: String length must be greater than or equal to 2' }] })
    t.equal(formOf(flow).fields['traits.subject'], undefined, 'what the provider vouches for is not asked for')
  })

  t.test('contract O14 a trait that is typed right before leaving is kept', async t => {
    const visitor = newVisitor()
    const page = await signIn(setting, visitor, 'registration', 'incomplete-data@ory.sh', { 'traits.name': 'valid-name' })
    t.equal(page.location, `${ui}/dashboard`)
    t.strictSame(await traitsOf(setting, visitor), { subject: 'incomplete-data@ory.sh', name: 'valid-name' })
  })

  for (const [id, kind] of [['O15', 'registration'], ['O16', 'login']] as const) {
    t.test(`contract ${id} an address that an account with a password has, ${kind}`, async t => {
      const email = `email-exist-with-password-${kind}@ory.sh`
      const owner = newVisitor()
      await submitForm(owner, await beginFlow(gateway, owner, 'registration'), { 'traits.subject': email, 'password': 'three loud herons' }, 'password')
      const page = await signIn(setting, newVisitor(), kind, email)
      t.match(page.location, `${ui}/auth/login?request=`)
      const messages = messagesOf(await flowDocument(gateway.adminUrl, page), 'password')
      t.match(messages[0], 'An account with the same identifier (email, phone, username, ...) exists already.')
    })
  }

  t.test('a fresh flow lists the providers and asks for nothing', async t => {
    const { form } = formOf(await beginFlow(gateway, newVisitor(), 'registration'))
    t.match(form, { action: /\/auth\/browser\/methods\/oidc\/auth\/[0-9a-f-]{36}$/, method: 'POST', providers: [{ name: 'provider', type: 'submit', value: 'valid' }] })
    t.strictSame(form.fields.map(({ name, type }) => [name, type]), [['csrf_token', 'hidden']])
  })

  t.test('the callback is told nothing', async t => {
    const visitor = newVisitor()
    await start(setting, visitor, 'login')
    const callback = `${gateway.publicUrl}/auth/browser/methods/oidc/callback/valid`
    t.match(await storedError(setting, await visitor.visit(callback)), { code: 400, reason: /did not return the state query parameter/ })
    const back = new URL(provider.agree((await start(setting, visitor, 'login')).location ?? ''))
    back.searchParams.delete('code')
    t.match(messagesOf(await flowDocument(gateway.adminUrl, await visitor.visit(back.href))), [/did not return the code query parameter/])
    t.match(await storedError(setting, await visitor.visit(`${gateway.publicUrl}/auth/browser/methods/oidc/callback/unknown?state=a&code=b`)), { code: 404 })
  })

  t.test('RF4 RF5 L13 to L15 whoever is logged in is sent on', async t => {
    const visitor = newVisitor()
    const [flow, authorizationUrl] = [await beginFlow(gateway, visitor, 'registration'), (await start(setting, visitor, 'login')).location ?? '']
    await signIn(setting, visitor, 'login', 'logged-in@ory.sh')
    const { action } = formOf(flow).form
    for (const page of [
      await submitForm(visitor, flow, { provider: 'valid' }), await visitor.visit(`${action}?provider=valid`),
      await visitor.visit(provider.agree(authorizationUrl)), await visitor.visit(`${gateway.publicUrl}/auth/browser/methods/oidc/callback/valid`),
    ]) t.equal(page.location, `${ui}/`)
  })

  t.test('v0.1 spells the paths another way', async t => {
    const visitor = newVisitor()
    const flow = await beginFlow(gateway, visitor, 'login')
    const page = await visitor.visit(`${gateway.publicUrl}/self-service/browser/flows/registration/strategies/oidc/auth/${flow.id}?provider=valid`)
    t.match(page.location, provider.issuer)
    const back = provider.agree(page.location ?? '', 'v01@ory.sh')
      .replace('/auth/browser/methods/oidc/callback', '/self-service/browser/flows/registration/strategies/oidc/callback')
    t.equal((await visitor.visit(back)).location, `${ui}/dashboard`)
  })

  t.test('a JSON submit works as a form does', async t => {
    const visitor = newVisitor()
    const { form, fields } = formOf(await beginFlow(gateway, visitor, 'registration'))
    const document = { csrf_token: fields['csrf_token']?.value, provider: 'valid', traits: { name: 'json' } }
    const away = await visitor.submitJson(form.action, document)
    t.equal(away.status, 302)
    await visitor.visit(provider.agree(away.location ?? '', 'json@ory.sh'))
    t.strictSame(await traitsOf(setting, visitor), { subject: 'json@ory.sh', name: 'json' })
  })

  t.test('a proof can not be completed from another browser, nor by another provider\'s name', async t => {
    const visitor = newVisitor()
    const page = await signIn(setting, visitor, 'registration', 'half-way@ory.sh', { 'traits.name': 'i' })
    const flow = await flowDocument(gateway.adminUrl, page)
    const stranger = newVisitor()
    await beginFlow(gateway, stranger, 'registration')
    t.equal((await submitForm(stranger, flow, { 'provider': 'valid', 'traits.name': 'mine' })).status, 400)
    t.match(await storedError(setting, await submitForm(visitor, flow, { provider: 'other' })), { code: 404 })
    const done = await submitForm(visitor, flow, { 'provider': 'valid', 'traits.name': 'mine', 'traits.subject': 'other@ory.sh' })
    t.equal(done.location, `${ui}/dashboard`)
    t.strictSame(await traitsOf(setting, visitor), { subject: 'half-way@ory.sh', name: 'mine' }, 'what is vouched for stays')
    t.equal((await submitForm(newVisitor(), flow, { 'provider': 'valid', 'traits.name': 'mine' })).status, 400)
  })
})

t.test('contract O2 the provider is another one than was configured', async t => {
  const setting = await setUp(t)
  setting.provider.behaviour.metadata = { issuer: 'https://accounts.example.org' }
  const error = await storedError(setting, await start(setting, newVisitor(), 'registration'))
  t.match(error, { code: 500, reason: /issuer did not match the issuer returned by provider/ })
})

t.test('contract O4 O5 a flow that has expired meanwhile', async t => {
  const setting = await setUp(t, { registration: { request_lifespan: '1ms' }, login: { request_lifespan: '1ms' } })
  for (const kind of ['login', 'registration'] as const) {
    const visitor = newVisitor()
    const old = await beginFlow(setting.gateway, visitor, kind)
    const page = await submitForm(visitor, old, { provider: 'valid' })
    const fresh = await flowDocument(setting.gateway.adminUrl, page)
    t.not(fresh.id, old.id)
    t.equal(fresh.kind, kind)
    for (const method of ['oidc', 'password']) t.match(messagesOf(fresh, method), [/session expired/])
  }
})

t.test('jobs run for the flow that it turns out to be', async t => {
  const before = [{ run: 'restrict_ip', config: { deny: ['127.0.0.0/8'] } }]
  const setting = await setUp(t, { registration: { before } })
  const refused = await signIn(setting, newVisitor(), 'login', 'newcomer@ory.sh')
  t.match(await storedError(setting, refused), { code: 403 }, 'a login does not lead around the jobs of a registration')
  t.strictSame((await newVisitor().visit(`${setting.gateway.adminUrl}/identities`)).json(), [])
})

t.test('contract O20 a provider in the configuration', async t => {
  const provider = await newProvider('one')
  const gateway = await startOidcGateway(t, [provider.config])
  const { config, baseDir } = await loadConfig([`${gateway.folder}/oathgate.yml`], {})
  const { providers, problems } = await readProviders(config, baseDir)
  t.strictSame(problems, [])
  t.match(providers, [{ id: 'one', protocol: 'openid' }])
  t.equal(providers.length, 1)
})
