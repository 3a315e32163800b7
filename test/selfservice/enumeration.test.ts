import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'

import { loadChecked } from '../../src/cli/serve.js'
import { countIdentities, flowIdOf, goodPassword, open, readForm, signUp, whoAmI, logIn, type Kind } from '../helpers/flows.js'
import { startTestGateway, ui, type TestGateway } from '../helpers/gateway.js'
import { startHostileProvider } from '../helpers/hostile-provider.js'
import { personClaims, startOidcGateway } from '../helpers/oidc-gateway.js'
import { beginFlow, flowDocument, formOf, messagesOf, submitForm } from '../helpers/provider.js'
import { newVisitor, type Page, type Visitor } from '../helpers/visitor.js'

/** Everything that a page says, without what is new each time. */
function outline({ status, headers, text, location }: Page): object {
  const varying = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|"value":"[A-Za-z0-9+/]{86}=="|"(expires|issued)_at":"[^"]+"/g
  const { date, location: _location, 'set-cookie': cookies, ...others } = headers
  return {
    status, location: location?.replace(varying, '…'), text: text.replace(varying, '…'), length: text.length,
    headers: others, date: typeof date,
    cookies: [cookies ?? []].flat().map(cookie => cookie.replace(/=[^;]*/, '=…')),
  }
}

async function tryLogin(
  gateway: TestGateway, identifier: string, password: string,
): Promise<{ page: object, form: object, script: object }> {
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login')
  const fields = { csrf_token: form.csrf, identifier, password }
  const page = await visitor.submit(form.action, fields)
  const shown = await visitor.fetch(`${gateway.publicUrl}/auth/browser/requests/login?request=${flowIdOf(page)}`)
  const script = await visitor.submitJson(form.action, fields)
  const without = (text: object): object => JSON.parse(JSON.stringify(text).replaceAll(identifier, '<identifier>')) as object
  return { page: without(outline(page)), form: without(outline(shown)), script: without(outline(script)) }
}

t.test('A1 a login tells nobody whether there is an account', async t => {
  const gateway = await startTestGateway(t)
  await signUp(newVisitor(), gateway, 'person1')
  await newVisitor().submitJson(`${gateway.adminUrl}/identities`, { traits: { username: 'person2', foobar: 'bar' } })

  const wrong = await tryLogin(gateway, 'person1', 'not the password')
  t.match(wrong, { page: { status: 302 }, form: { status: 200 }, script: { status: 400 } })
  t.strictSame(await tryLogin(gateway, 'person0', 'not the password'), wrong, 'nobody')
  t.strictSame(await tryLogin(gateway, 'person2', 'not the password'), wrong, 'somebody without a password')
  for (const [identifier, password] of [
    ['person1', 'x'], ['person0', 'x'], ['person1', 'x'.repeat(1025)], ['person0', 'x'.repeat(1025)],
  ] as const) {
    const one = newVisitor()
    const form = await open(one, gateway, 'login')
    const { status, text } = await one.submitJson(form.action, { csrf_token: form.csrf, identifier, password })
    t.equal(status, 400)
    if (password.length > 1024) t.match(text, /A password has at most 1024 bytes/, identifier)
  }
})

t.test('A2 a login takes as long for nobody as for somebody', async t => {
  const gateway = await startTestGateway(t, { config: { hashers: { argon2: { memory: 19456, iterations: 2 } } } })
  await signUp(newVisitor(), gateway, 'person1')
  await newVisitor().submitJson(`${gateway.adminUrl}/identities`, { traits: { username: 'person2', foobar: 'bar' } })

  const took: Record<string, number[]> = { person0: [], person1: [], person2: [] }
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'login')
  for (let round = 0; round < 40; round++) {
    for (const [identifier, times] of Object.entries(took)) {
      const at = performance.now()
      await visitor.submit(form.action, { csrf_token: form.csrf, identifier, password: 'not the password' })
      times.push(performance.now() - at)
    }
  }
  const median = (times: readonly number[] = []): number => [...times].sort((a, b) => a - b)[times.length >> 1] ?? 0
  const known = median(took['person1'])
  for (const identifier of ['person0', 'person2']) {
    const ratio = median(took[identifier]) / known
    // Other work on the machine moves both; without the dummy hash it is a tenth.
    t.ok(ratio > 0.6 && ratio < 1.6, `${identifier}: ${ratio.toFixed(2)} of ${known.toFixed(1)} ms`)
  }
})

t.test('A1 a registration that hides accounts answers alike for new and taken identifiers', async t => {
  const heard: { identity: { id: string }, taken?: boolean }[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', chunk => { body += String(chunk) }).on('end', () => {
      heard.push(JSON.parse(body) as typeof heard[number])
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })

  const after = [
    { run: 'web_hook', config: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } },
    { run: 'redirect', config: { default_redirect_url: `${ui}/look-into-your-mail` } },
  ]
  const gateway = await startTestGateway(t, {
    config: { security: { account_enumeration: { mitigate: true } }, selfservice: { registration: { after: { password: after } } } },
  })
  const visit = async (username: string, password: string): Promise<object> => {
    const visitor = newVisitor()
    const form = await open(visitor, gateway, 'registration')
    const page = await visitor.submit(form.action, {
      csrf_token: form.csrf, password, 'traits.username': username, 'traits.foobar': 'bar',
    })
    t.equal((await whoAmI(visitor, gateway)).status, 401)
    const again = await visitor.submit(form.action, {
      csrf_token: form.csrf, password, 'traits.username': username, 'traits.foobar': 'bar',
    })
    return { page: outline(page), again: outline(again) }
  }
  const fresh = await visit('person1', goodPassword)
  t.match(fresh, { page: { status: 302, location: `${ui}/look-into-your-mail` } })
  t.strictSame(await visit('PERSON1', 'another password of somebody'), fresh)
  t.equal(await countIdentities(gateway), 1)
  t.equal(
    (await logIn(newVisitor(), gateway, 'person1', 'another password of somebody')).location?.startsWith(`${ui}/auth/login`), true,
  )
  t.equal((await logIn(newVisitor(), gateway, 'person1')).location, `${ui}/dashboard`, 'the owner\'s password stays')

  t.same(heard.map(({ taken }) => taken), [undefined, true])
  t.equal(heard[0]?.identity.id, heard[1]?.identity.id)
})

t.test('A1 where accounts are hidden, nobody learns through a provider whether a typed address has one', async t => {
  const provider = await startHostileProvider(t, 'acme')
  const after = [{ run: 'redirect', config: { default_redirect_url: `${ui}/look-into-your-mail` } }]
  const gateway = await startOidcGateway(t, [{ ...provider.config, claims: personClaims }], {
    config: { security: { account_enumeration: { mitigate: true } } },
    selfservice: { registration: { after: { password: after, oidc: after } } },
  })
  t.equal((await newVisitor().submitJson(`${gateway.adminUrl}/identities`, { traits: { email: 'taken@example.org' } })).status, 201)

  const comeBack = async (visitor: Visitor, sub: string): Promise<Page> => {
    const away = await submitForm(visitor, await beginFlow(gateway, visitor, 'registration'), { provider: 'acme' })
    return visitor.visit(provider.agree(away.location ?? '', sub))
  }
  const typed = async (email: string, sub: string): Promise<object> => {
    provider.behaviour.claims = { email: undefined }
    const visitor = newVisitor()
    const page = await submitForm(visitor, await flowDocument(gateway.adminUrl, await comeBack(visitor, sub)), { 'provider': 'acme', 'traits.email': email })
    const document = await flowDocument(gateway.adminUrl, page)
    return JSON.parse(JSON.stringify({ page: outline(page), messages: messagesOf(document), names: Object.keys(formOf(document).fields) }).replaceAll(email, '…')) as object
  }
  const taken = await typed('taken@example.org', 'mallory')
  t.match(taken, { page: { status: 302 }, messages: [/^acme does not confirm what you would log in with/] })
  t.strictSame(await typed('fresh@example.org', 'trudy'), taken)
  t.equal(await countIdentities(gateway), 1)

  provider.behaviour.claims = { email: 'vouched@example.org', email_verified: true }
  t.equal((await comeBack(newVisitor(), 'ann')).location, `${ui}/look-into-your-mail`)
  t.equal(await countIdentities(gateway), 2)
})

t.test('A2 where accounts are hidden, a sign-up takes a whole step, whatever it did', async t => {
  const gateway = await startTestGateway(t, {
    config: {
      security: { account_enumeration: { mitigate: true } },
      selfservice: { registration: { after: { password: [{ run: 'redirect', config: { default_redirect_url: `${ui}/look-into-your-mail` } }] } } },
    },
  })
  for (const username of ['person1', 'person1']) {
    const visitor = newVisitor()
    const form = await open(visitor, gateway, 'registration')
    const at = performance.now()
    await visitor.submit(form.action, { csrf_token: form.csrf, 'password': goodPassword, 'traits.username': username, 'traits.foobar': 'bar' })
    t.ok(performance.now() - at >= 250, username)
  }
})

t.test('A1 a job that would tell is refused where accounts are hidden', async t => {
  const { folder } = await startTestGateway(t)
  const base = JSON.parse(await readFile(join(folder, 'oathgate.yml'), 'utf8')) as Record<string, unknown>
  const file = join(folder, 'hiding.yml')
  await writeFile(file, JSON.stringify({ ...base, security: { account_enumeration: { mitigate: true } } }))
  await t.rejects(loadChecked([file]), { message: /"session" would tell new accounts from existing ones/ })
})

t.test('A1 without hiding, a taken identifier is told, and what is told is the same for all', async t => {
  const gateway = await startTestGateway(t)
  await signUp(newVisitor(), gateway, 'person1')
  await newVisitor().submitJson(`${gateway.adminUrl}/identities`, { traits: { username: 'person2', foobar: 'bar' } })
  const told = async (username: string): Promise<object> => {
    const kind: Kind = 'registration'
    const visitor = newVisitor()
    const form = await open(visitor, gateway, kind)
    const id = flowIdOf(
      await visitor.submit(form.action, {
        csrf_token: form.csrf, password: goodPassword, 'traits.username': username, 'traits.foobar': 'bar',
      }),
    )
    const { errors } = await readForm(gateway, kind, id)
    return { errors }
  }
  t.strictSame(await told('person1'), await told('person2'))
})
