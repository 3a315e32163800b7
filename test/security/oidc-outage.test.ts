/** Row O10: a provider that is down, slow or mad costs only its own button. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'

import { freePort, ui, type TestGateway } from '../helpers/gateway.js'
import { json, startHostileProvider, type Behaviour, type HostileProvider } from '../helpers/hostile-provider.js'
import { personClaims, startOidcGateway } from '../helpers/oidc-gateway.js'
import { beginFlow, flowDocument, messagesOf, submitForm } from '../helpers/provider.js'
import { newVisitor } from '../helpers/visitor.js'

/** The gateway waits 5 s; what is above that is for a busy machine. Nothing here ends by itself sooner than in a minute. */
const withinMs = 10_000

/** Sends a byte a second, for ever. */
function drip(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  const dripping = setInterval(() => { response.write(' ') }, 1000)
  response.once('close', () => { clearInterval(dripping) })
}

function flood(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  const chunk = Buffer.alloc(65_536, 0x20)
  let sent = 0
  const pour = (): void => {
    while (!response.destroyed && sent < 50 * 1_048_576) {
      sent += chunk.length
      if (!response.write(chunk)) return void response.once('drain', pour)
    }
    response.end('{}')
  }
  pour()
}

const madness: readonly (readonly [what: string, answer: (response: ServerResponse) => unknown])[] = [
  ['never answers', () => undefined],
  ['drips', drip],
  ['answers 500', response => { json(response, 500, { error: 'server_error' }) }],
  ['answers 404', response => { json(response, 404, {}) }],
  ['answers 50 MB', flood],
  ['redirects to itself', response => { response.writeHead(302, { location: '/token' }).end() }],
  ['redirects to a private address', response => { response.writeHead(307, { location: 'http://169.254.169.254/latest' }).end() }],
  ['answers no JSON', response => { response.writeHead(200, { 'content-type': 'application/json' }).end('{"access_token":') }],
  ['answers a list', response => { json(response, 200, []) }],
  ['answers null', response => { json(response, 200, null) }],
  ['answers HTML', response => { response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>') }],
  ['answers nothing', response => { response.writeHead(200).end() }],
  ['hangs up', response => { response.destroy() }],
  ['hangs up half way', response => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 }).write('{')
    setTimeout(() => { response.destroy() }, 50)
  }],
]

for (const endpoint of ['discovery', 'token', 'jwks'] as const) {
  t.test(`O10 the ${endpoint} endpoint`, async t => {
    const providers = await Promise.all(madness.map((_row, index) => startHostileProvider(t, `provider-${index}`)))
    const gateway = await startOidcGateway(t, providers.map(({ config }) => ({ ...config, claims: personClaims })))
    // At the same time, since some take seconds; and meanwhile everything else goes on.
    await Promise.all([
      ...madness.map(([what, answer], index) => t.test(what, { buffered: true }, async t => {
        const provider = providers[index] as HostileProvider
        provider.behaviour[endpoint] = ((_request, response) => answer(response)) as Exclude<Behaviour['token'], undefined>
        const began = performance.now()
        const message = await signUpMessage(gateway, provider)
        t.match(message, /^(Signing in with .* does not work at the moment|What .* answered could not be verified)/)
        t.ok(performance.now() - began < withinMs, `in ${Math.round(performance.now() - began)} ms`)
      })),
      signUpWithPassword(t, gateway, 'ann@example.org'),
    ])
    t.equal((await newVisitor().visit(`${gateway.adminUrl}/identities`)).json().length, 1, 'nobody but who has a password')
  })
}

t.test('O10 a gateway starts whatever its providers do, and tries again later', async t => {
  const port = await freePort()
  const deaf = await startDeafServer(t)
  const gateway = await startOidcGateway(t, [
    { id: 'absent', provider: 'generic', client_id: 'gateway', issuer_url: `http://127.0.0.1:${port}` },
    { id: 'deaf', provider: 'generic', client_id: 'gateway', issuer_url: deaf },
  ])
  await signUpWithPassword(t, gateway, 'ann@example.org')

  for (const id of ['absent', 'deaf']) {
    const visitor = newVisitor()
    const page = await submitForm(visitor, await beginFlow(gateway, visitor, 'login'), { provider: id })
    t.match(messagesOf(await flowDocument(gateway.adminUrl, page)), [/does not work at the moment/])
  }

  const began = performance.now()
  const visitor = newVisitor()
  const page = await submitForm(visitor, await beginFlow(gateway, visitor, 'login'), { provider: 'deaf' })
  t.match(messagesOf(await flowDocument(gateway.adminUrl, page)), [/does not work at the moment/])
  t.ok(performance.now() - began < 1000, 'nobody waits for it again at once')

  const revived = createServer((_request, response) => {
    const issuer = `http://127.0.0.1:${port}`
    json(response, 200, { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks` })
  })
  revived.listen(port, '127.0.0.1')
  await once(revived, 'listening')
  t.teardown(() => {
    revived.closeAllConnections()
    revived.close()
  })
  await new Promise(resolve => { setTimeout(resolve, 1100) })
  const again = await submitForm(visitor, await beginFlow(gateway, visitor, 'login'), { provider: 'absent' })
  t.match(again.location, `http://127.0.0.1:${port}/authorize?`)
})

t.test('O10 what the provider has said once is not asked for again, also when it is gone', async t => {
  const provider = await startHostileProvider(t)
  const gateway = await startOidcGateway(t, [{ ...provider.config, claims: personClaims }])
  for (let round = 0; round < 3; round++) {
    const visitor = newVisitor()
    await submitForm(visitor, await beginFlow(gateway, visitor, 'login'), { provider: 'acme' })
    provider.behaviour.discovery = (_request, response) => { json(response, 500, {}) }
  }
  t.strictSame(provider.asked, ['/.well-known/openid-configuration'])
})

async function signUpMessage(gateway: TestGateway, provider: HostileProvider): Promise<string> {
  const visitor = newVisitor()
  const id = String(provider.config['id'])
  const away = await submitForm(visitor, await beginFlow(gateway, visitor, 'registration'), { provider: id })
  const isAway = away.location?.startsWith(provider.issuer) === true
  const page = isAway ? await visitor.visit(provider.agree(away.location ?? '')) : away
  return messagesOf(await flowDocument(gateway.adminUrl, page)).join()
}

async function signUpWithPassword(t: Test, gateway: TestGateway, email: string): Promise<void> {
  const visitor = newVisitor()
  const began = performance.now()
  const flow = await beginFlow(gateway, visitor, 'registration')
  const done = await submitForm(visitor, flow, { 'traits.email': email, 'password': 'three loud herons over the weir' }, 'password')
  t.equal(done.location, `${ui}/dashboard`)
  t.equal((await visitor.visit(`${gateway.publicUrl}/sessions/whoami`)).status, 200)
  t.ok(performance.now() - began < withinMs)
}

/** Takes connections and says nothing. */
async function startDeafServer(t: Test): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createTcpServer(socket => { sockets.add(socket.on('error', () => undefined)) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  connect(port, '127.0.0.1').destroy()
  return `http://127.0.0.1:${port}`
}
