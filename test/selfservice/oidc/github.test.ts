/** Sign-in with GitHub, against a server that answers as GitHub's documents say. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'

import { ui } from '../../helpers/gateway.js'
import { json } from '../../helpers/hostile-provider.js'
import { startOidcGateway } from '../../helpers/oidc-gateway.js'
import { beginFlow, flowDocument, formOf, messagesOf, submitForm } from '../../helpers/provider.js'
import { newVisitor, type Page, type Visitor } from '../../helpers/visitor.js'

interface Github {
  readonly config: Readonly<Record<string, unknown>>
  /** Answers of its paths, to be changed. */
  readonly answers: Record<string, readonly [status: number, document: unknown]>
  readonly asked: { readonly path: string, readonly authorization: string | undefined, readonly body: string }[]
}

async function startGithub(t: Test): Promise<Github> {
  const asked: Github['asked'] = []
  const answers: Github['answers'] = {
    '/login/oauth/access_token': [200, { access_token: 'gho_1', token_type: 'bearer', scope: 'user:email' }],
    '/user': [200, { id: 583231, login: 'octocat', name: 'The Octocat', blog: 'https://octo.example', avatar_url: null, updated_at: '2026-01-02T03:04:05Z' }],
    '/user/emails': [200, [
      { email: 'old@example.org', primary: false, verified: true }, { email: 'octo@example.org', primary: true, verified: true },
    ]],
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      const path = request.url ?? ''
      asked.push({ path, authorization: request.headers.authorization, body: Buffer.concat(chunks).toString() })
      const [status, document] = answers[path] ?? [404, {}]
      json(response, status, document)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const claims = { 'email': 'email', 'name.first': 'name' }
  return {
    asked, answers,
    config: {
      id: 'github', provider: 'github', client_id: 'gateway', client_secret: 'secret', claims,
      auth_url: `${url}/login/oauth/authorize`, token_url: `${url}/login/oauth/access_token`, api_url: url,
    },
  }
}

async function signIn(gateway: { publicUrl: string, adminUrl: string }, visitor: Visitor): Promise<Page> {
  const away = await submitForm(visitor, await beginFlow(gateway, visitor, 'registration'), { provider: 'github' })
  const query = new URL(away.location ?? '').searchParams
  return visitor.visit(`${query.get('redirect_uri')}?code=abc&state=${query.get('state')}`)
}

t.test('somebody signs up and logs in', async t => {
  const github = await startGithub(t)
  const gateway = await startOidcGateway(t, [github.config])
  const visitor = newVisitor()
  const away = await submitForm(visitor, await beginFlow(gateway, visitor, 'registration'), { provider: 'github' })
  const query = new URL(away.location ?? '').searchParams
  t.match(Object.fromEntries(query), { client_id: 'gateway', scope: 'user:email', response_type: 'code', code_challenge_method: 'S256', state: /^[\w-]{43}$/ })

  t.equal((await signIn(gateway, visitor)).location, `${ui}/dashboard`)
  const { identity } = (await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).json()
  t.strictSame(identity.traits, { name: { first: 'The Octocat' }, email: 'octo@example.org' })
  const [token, user, emails] = github.asked
  t.match(Object.fromEntries(new URLSearchParams(token?.body)), { code: 'abc', client_id: 'gateway', client_secret: 'secret', code_verifier: /^[\w-]{43}$/ })
  t.strictSame([user?.path, user?.authorization], ['/user', 'Bearer gho_1'])
  t.equal(emails?.path, '/user/emails')

  const next = newVisitor()
  await signIn(gateway, next)
  t.equal((await next.visit(`${gateway.publicUrl}/sessions/whoami`)).json().identity.id, identity.id)
  t.notOk(github.asked.slice(3).some(({ path }) => path === '/user/emails'), 'who is known is not asked for an address')
})

t.test('O7 an address that GitHub has not verified is a suggestion', async t => {
  const github = await startGithub(t)
  github.answers['/user/emails'] = [200, [{ email: 'victim@example.org', primary: true, verified: false }]]
  const gateway = await startOidcGateway(t, [github.config])
  const visitor = newVisitor()
  const away = await submitForm(visitor, await beginFlow(gateway, visitor, 'registration'), { 'provider': 'github', 'traits.email': 'mine@example.org' })
  const query = new URL(away.location ?? '').searchParams
  await visitor.visit(`${query.get('redirect_uri')}?code=abc&state=${query.get('state')}`)
  t.equal((await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).json().identity.traits.email, 'mine@example.org')
})

t.test('what is not there is asked for', async t => {
  const github = await startGithub(t)
  github.answers['/user/emails'] = [200, []]
  const gateway = await startOidcGateway(t, [github.config])
  const visitor = newVisitor()
  const flow = await flowDocument(gateway.adminUrl, await signIn(gateway, visitor))
  t.ok(formOf(flow).fields['traits.email'])
  t.equal((await submitForm(visitor, flow, { 'provider': 'github', 'traits.email': 'octo@example.org' })).location, `${ui}/dashboard`)
})

const failures: readonly (readonly [what: string, path: string, answer: readonly [number, unknown], message: RegExp])[] = [
  ['a permission that was not granted', '/login/oauth/access_token', [200, { access_token: 'gho_1', token_type: 'bearer', scope: '' }], /permissions were not granted/],
  ['a code that was used', '/login/oauth/access_token', [200, { error: 'bad_verification_code' }], /could not be verified/],
  ['a token that is not accepted', '/user', [401, { message: 'Bad credentials' }], /does not work at the moment/],
  ['a user without an id', '/user', [200, { login: 'octocat' }], /could not be verified/],
  ['a user whose id is a text', '/user', [200, { id: '583231' }], /could not be verified/],
  ['no answer about addresses', '/user/emails', [500, {}], /does not work at the moment/],
]

t.test('nobody gets in with', async t => {
  const github = await startGithub(t)
  const gateway = await startOidcGateway(t, [github.config])
  const good = { ...github.answers }
  for (const [what, path, answer, message] of failures) {
    t.test(what, async t => {
      Object.assign(github.answers, good, { [path]: answer })
      const visitor = newVisitor()
      t.match(messagesOf(await flowDocument(gateway.adminUrl, await signIn(gateway, visitor))), [message])
      t.equal((await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).status, 401)
      t.strictSame((await visitor.visit(`${gateway.adminUrl}/identities`)).json(), [])
    })
  }
})
