/** docs/openapi says what the gateway does: it is valid OpenAPI, has every route and no other, and real answers are as it describes them. */
import { Validator } from '@seriousme/openapi-schema-validator'
import t, { type Test } from 'tap'

import { adminRouter, type AdminService } from '../src/admin/routes.js'
import { routes } from '../src/selfservice/routes.js'
import { flowIdOf, goodPassword, logIn, open, signUp } from './helpers/flows.js'
import { startTestGateway, ui, type TestGateway } from './helpers/gateway.js'
import { readApiDocument, watched, type ApiDocument } from './helpers/openapi.js'
import { newVisitor, type Page, type Visitor } from './helpers/visitor.js'

const unknownId = '5b0c1e0e-3f0a-4a52-9d3c-0b1d7f2a9c11'
const bcryptOfTest = '$2a$12$o6hx.Wog/wvFSkT/Bp/6DOxCtLRTDj7lm9on9suF/WaCGNVHbkfL6'

t.test('both documents are valid OpenAPI 3.1', async t => {
  for (const name of ['public', 'admin'] as const) {
    const validator = new Validator()
    const { valid, errors } = await validator.validate(structuredClone(readApiDocument(name).document))
    t.ok(valid, JSON.stringify(errors)?.slice(0, 1000))
    t.equal(validator.version, '3.1')
  }
})

t.test('every route is in its document, and nothing else is', async t => {
  const template = (path: string): string => path.replace(/:(\w+)/g, '{$1}')
  const ofPublic = routes.flatMap(({ method, paths }) => paths.map(path => `${method.toUpperCase()} ${template(path)}`))
  t.strictSame([...readApiDocument('public').operations].sort(), ofPublic.sort())

  const ofAdmin = adminRouter({} as AdminService).stack.flatMap(layer => layer.methods.filter(method => method !== 'HEAD').map(method => `${method} ${template(String(layer.path))}`))
  const documented = readApiDocument('admin').operations.filter(operation => !operation.endsWith(' /decisions'))
  t.strictSame([...documented].sort(), ofAdmin.sort())
})

/** A visitor each of whose answers is held against the documents. */
function witness(t: Test, gateway: TestGateway, documents: { readonly public: ApiDocument, readonly admin: ApiDocument }): () => Visitor {
  const look = (method: string, page: Page): void => {
    const isAdmin = page.url.startsWith(gateway.adminUrl)
    const base = isAdmin ? gateway.adminUrl : gateway.publicUrl
    if (!page.url.startsWith(base)) return
    const path = new URL(page.url).pathname.slice(new URL(base).pathname.replace(/\/$/, '').length)
    const problem = documents[isAdmin ? 'admin' : 'public'].problemWith(method, path, page)
    t.equal(problem, undefined, `${method} ${path} ${page.status}`)
  }
  return () => watched(newVisitor(), look)
}

t.test('the answers of a gateway are as described, over the main flows and their failures', async t => {
  const documents = { public: readApiDocument('public'), admin: readApiDocument('admin') }
  const rule = (path: string, authenticator: string): object => ({
    id: path, upstream: { url: 'http://127.0.0.1:1' }, match: { url: `<https?://[^/]+>/${path}`, methods: ['GET'] },
    authenticators: [{ handler: authenticator }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
  })
  const provider = { id: 'acme', provider: 'generic', issuer_url: 'http://127.0.0.1:1', client_id: 'a', client_secret: 'b', claims: { username: 'sub' } }
  const gateway = await startTestGateway(t, {
    config: { selfservice: { strategies: { oidc: { enabled: true, config: { providers: [provider] } } } } },
    rules: [rule('private', 'cookie_session'), rule('open', 'anonymous')],
  })
  const newPerson = witness(t, gateway, documents)
  const json = { 'accept': 'application/json', 'content-type': 'application/json' }
  const self = (path: string): string => `${gateway.publicUrl}${path}`
  const admin = (path: string): string => `${gateway.adminUrl}${path}`

  const ann = newPerson()
  t.equal((await signUp(ann, gateway, 'ann')).status, 302)
  for (const path of ['/sessions/whoami', '/sessions/me', '/schemas/default', '/health/alive', '/health/ready']) t.equal((await ann.fetch(self(path))).status, 200, path)
  for (const path of ['/schemas/none', '/sessions/whoami', `/errors?error=${unknownId}`, `/self-service/errors?error=${unknownId}`]) await newPerson().fetch(self(path))
  t.equal((await newPerson().visit(self('/sessions/whoami'))).status, 401)

  const bob = newPerson()
  for (const kind of ['registration', 'login'] as const) {
    const { action, csrf, id } = await open(bob, gateway, kind)
    t.equal((await bob.fetch(self(`/auth/browser/requests/${kind}?request=${id}`))).status, 200)
    t.equal((await bob.fetch(self(`/self-service/browser/flows/requests/${kind}?request=${id}`))).status, 200)
    t.equal((await newPerson().fetch(self(`/auth/browser/requests/${kind}?request=${id}`))).status, 403)
    t.equal((await bob.submitJson(action, { csrf_token: csrf, identifier: 'ann', password: 'wrong', traits: { username: 'b', foobar: '' } })).status, 400, 'problems')
    t.equal((await bob.submitJson(action, { password: goodPassword })).status, 400, 'no token')
    t.equal((await bob.send(action, { method: 'POST', headers: { ...json, 'content-encoding': 'gzip' }, body: '{}' })).status, 415)
    t.equal((await bob.send(action, { method: 'POST', headers: json, body: JSON.stringify('x'.repeat(70_000)) })).status, 413)
    t.equal((await bob.submitJson(action.replace(id, unknownId), { csrf_token: csrf })).status, 400)
  }
  const taken = await open(bob, gateway, 'registration')
  const answers = { csrf_token: taken.csrf, password: goodPassword, traits: { username: 'bob', foobar: 'bar' } }
  t.equal((await bob.submitJson(taken.action, answers)).status, 302)
  bob.jar.delete('ory_kratos_session')
  t.equal((await bob.submitJson(taken.action, answers)).status, 410, 'used')
  t.equal((await logIn(bob, gateway, 'bob')).status, 302)

  const carl = newPerson()
  const flow = flowIdOf(await carl.visit(self('/auth/browser/login')))
  const failed = await carl.visit(self(`/auth/browser/methods/oidc/auth/${flow}?provider=none`))
  const error = new URL(failed.location ?? ui).searchParams.get('error')
  t.equal((await carl.fetch(self(`/errors?error=${error}`))).status, 200)
  t.equal((await carl.fetch(self(`/self-service/errors?error=${error}`))).status, 200)
  await carl.submit(self(`/auth/browser/methods/oidc/auth/${flow}`), { provider: 'acme' })
  await carl.fetch(self(`/auth/browser/methods/oidc/auth/${flow}?provider=acme`))
  await carl.fetch(self('/auth/browser/methods/oidc/callback/acme?state=x'))
  t.equal((await carl.submit(self('/auth/browser/methods/oidc/callback/acme'), { state: 'x' })).status, 303)
  t.equal((await carl.fetch(self('/auth/browser/registration?return_to=https://evil.test'))).status, 400)
  t.equal((await ann.visit(self('/auth/browser/logout'), { 'sec-fetch-site': 'cross-site' })).status, 302)
  t.equal((await ann.fetch(self('/auth/browser/logout'), { origin: 'https://evil.test' })).status, 403)
  t.equal((await ann.submit(self('/auth/browser/logout'), {})).status, 302)

  const operator = newPerson()
  const person = (username: string): object => ({ traits: { username, foobar: 'bar' }, credentials: { password: { config: { hashed_password: bcryptOfTest } } } })
  const created = await operator.submitJson(admin('/identities'), person('dora'))
  t.equal(created.status, 201)
  const { id } = created.json() as { id: string }
  t.equal((await operator.submitJson(admin('/identities'), person('dora'))).status, 409)
  t.equal((await operator.submitJson(admin('/identities'), {})).status, 400)
  t.equal((await operator.submit(admin('/identities'), {}, { accept: 'application/json' })).status, 415)
  for (const query of ['', '?dry_run=true']) {
    const body = JSON.stringify({ identities: [{ create: person('eve'), patch_id: 'a' }, { create: person('dora') }, { create: {} }] })
    t.equal((await operator.send(admin(`/identities${query}`), { method: 'PATCH', headers: json, body })).status, 200)
  }
  const put = (path: string, document: unknown): Promise<Page> => operator.send(admin(path), { method: 'PUT', headers: json, body: JSON.stringify(document) })
  t.equal((await put(`/identities/${id}`, person('dora'))).status, 200)
  t.equal((await put(`/identities/${id}`, person('eve'))).status, 409)
  t.equal((await put(`/identities/${unknownId}`, person('x'))).status, 404)
  for (const path of [
    '/identities', `/identities/${id}`, '/identities?credentials_identifier=dora', '/rules', '/rules/open', '/schemas/default', '/.well-known/jwks.json',
    '/health/alive', '/health/ready', '/metrics', '/status', '/version', `/auth/browser/requests/login?request=${flow}`, `/self-service/browser/flows/requests/login?request=${flow}`,
    `/errors?error=${error}`, `/self-service/errors?error=${error}`,
  ]) t.equal((await operator.fetch(admin(path))).status, 200, path)
  for (const path of [
    `/identities/${unknownId}`, '/rules/none', '/schemas/none', `/sessions/${unknownId}`, `/identities/none/sessions`, `/auth/browser/requests/registration?request=${flow}`,
    `/errors?error=${unknownId}`, `/self-service/errors?error=${unknownId}`,
  ]) t.equal((await operator.fetch(admin(path))).status, 404, path)
  t.equal((await operator.visit(admin('/rules/none'))).headers['content-type'], 'text/html; charset=utf-8', 'as a page')

  await logIn(ann, gateway, 'ann')
  const { sid, identity } = (await ann.fetch(self('/sessions/whoami'))).json() as { sid: string, identity: { id: string } }
  for (const path of [`/sessions?identity=${identity.id}`, `/sessions/${sid}`, `/identities/${identity.id}/sessions`]) {
    t.equal((await operator.fetch(admin(path))).status, 200, path)
  }
  t.equal((await operator.fetch(admin('/sessions'))).status, 400)
  for (const [path, status] of [
    [`/sessions/${sid}`, 204], [`/sessions/${sid}`, 404], [`/identities/${identity.id}/sessions`, 204], [`/identities/${id}`, 204], [`/identities/${id}`, 404],
  ] as const) t.equal((await operator.send(admin(path), { method: 'DELETE', headers: { accept: 'application/json' } })).status, status)

  for (const [path, status] of [['/open', 200], ['/private', 401], ['/none', 404]] as const) {
    const asked = { 'accept': 'application/json', 'x-forwarded-uri': path, 'x-forwarded-host': 'app.test', 'x-forwarded-proto': 'https', 'x-forwarded-method': 'GET' }
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      t.equal((await operator.send(admin('/decisions'), { method, headers: asked })).status, status)
    }
  }
  t.equal((await operator.fetch(admin('/identities'), { origin: 'https://evil.test' })).status, 403)
  t.strictSame([...documents.public.unmet(), ...documents.admin.unmet()], [], 'every operation has been met')
})

t.test('with a token, who lacks it gets 401 as described', async t => {
  const documents = { public: readApiDocument('public'), admin: readApiDocument('admin') }
  const gateway = await startTestGateway(t, { config: { serve: { admin: { token: 'a token of at least thirty-two letters' } } } })
  const operator = witness(t, gateway, documents)()
  for (const path of ['/identities', '/rules', '/metrics', '/sessions', '/errors']) t.equal((await operator.fetch(`${gateway.adminUrl}${path}`)).status, 401, path)
  for (const path of ['/health/ready', '/version', '/.well-known/jwks.json']) t.equal((await operator.fetch(`${gateway.adminUrl}${path}`)).status, 200, path)
})

t.test('RFC 9110 15.5.6: 405 says which methods there are, for a path of ours and for a method that nobody serves', async t => {
  const gateway = await startTestGateway(t)
  const asked = async (method: string, url: string): Promise<Page> => newVisitor().send(url, { method, headers: { accept: 'application/json' } })
  const ours = await asked('DELETE', `${gateway.publicUrl}/auth/browser/login`)
  t.match(ours, { status: 405, headers: { allow: 'GET' } })
  const nobodys = await asked('TRACE', `${gateway.publicUrl}/auth/browser/login`)
  t.match(nobodys, { status: 405, headers: { allow: /^GET, HEAD, POST, / } })
})
