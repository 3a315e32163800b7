import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'

import { loadChecked } from '../../src/cli/serve.js'
import { openStore } from '../../src/store/open.js'
import {
  begin, countIdentities, errorsOf, flowIdOf, goodPassword, identitiesOf, logIn, open, signUp, usernameOf, whoAmI,
} from '../helpers/flows.js'
import { freePort, startTestGateway, ui, type TestGateway } from '../helpers/gateway.js'
import { newVisitor } from '../helpers/visitor.js'

interface Call {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** Names as they were sent. */
  readonly rawHeaders: readonly string[]
  readonly body: string
}

interface Hook {
  readonly url: string
  readonly calls: Call[]
}

/** A little service that jobs can call; it is gone when the test is. */
async function startHook(t: Test, answer: (response: ServerResponse, call: Call) => void): Promise<Hook> {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', chunk => { body += chunk }).on('end', () => {
      const call = {
        method: request.method ?? '', url: request.url ?? '', headers: request.headers, rawHeaders: request.rawHeaders, body,
      }
      calls.push(call)
      answer(response, call)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls }
}

const redirect = { run: 'redirect', config: { default_redirect_url: `${ui}/dashboard` } }

function withJobs(
  registration: { before?: object[], after?: object[] }, login: { before?: object[], after?: object[] } = {},
): Record<string, unknown> {
  const flow = (
    { before = [], after = [{ run: 'session' }, redirect] }: { before?: object[], after?: object[] },
  ) => ({ before, after: { password: after } })
  return { selfservice: { registration: flow(registration), login: flow(login) } }
}

function hookJob(url: string, more: object = {}): object {
  return { run: 'web_hook', config: { url, timeout: '2s', ...more } }
}

t.test('RF9 without jobs a registration succeeds, and logs nobody in', async t => {
  const gateway = await startTestGateway(t, { config: withJobs({ after: [] }) })
  const visitor = newVisitor()
  const done = await signUp(visitor, gateway, 'ada')
  t.equal(done.status, 200)
  t.equal(done.text, '')
  t.equal((await whoAmI(visitor, gateway)).status, 401)
  t.equal(await countIdentities(gateway), 1)
})

t.test('L19 without jobs a login succeeds, and logs nobody in', async t => {
  const gateway = await startTestGateway(t, { config: withJobs({ after: [] }, { after: [] }) })
  await signUp(newVisitor(), gateway, 'ada')
  const visitor = newVisitor()
  t.equal((await logIn(visitor, gateway, 'ada')).status, 200)
  t.equal((await whoAmI(visitor, gateway)).status, 401)
})

t.test('RF10 a job that fails after a registration says that the account exists, and leaves nobody logged in', async t => {
  for (const [status, code] of [[403, 403], [422, 403], [500, 502]] as const) {
    const hook = await startHook(t, response => { response.writeHead(status).end() })
    const gateway = await startTestGateway(t, { config: withJobs({ after: [{ run: 'session' }, hookJob(hook.url), redirect] }) })
    const visitor = newVisitor()
    const done = await signUp(visitor, gateway, 'ada')

    const [error] = await errorsOf(gateway, done)
    t.equal(error?.code, code)
    t.match(error?.reason, /^Your account was created, but a step after it failed.*\. You can log in\.$/)
    t.notOk(visitor.jar.has('ory_kratos_session'))
    t.equal((await logIn(visitor, gateway, 'ada')).location, `${ui}/dashboard`, 'the account is there')

    const [identity] = await identitiesOf(gateway)
    await gateway.stop()
    t.equal(
      await countSessions(t, gateway, identity?.id ?? ''), 1,
      'the session that the job before it began is gone, the login\'s is there',
    )
  }
})

async function countSessions(t: Test, { folder }: TestGateway, identityId: string): Promise<number> {
  const store = await openStore({
    dsn: `embedded://${join(folder, 'data')}`, timeoutMs: 1000, keyPrefix: '', durability: 'none', warn: message => t.comment(message),
  })
  const sessions = await store.listSessionsOf(identityId)
  await store.close()
  return sessions.length
}

t.test('RF10 a script is told of the failed job with the error\'s own status', async t => {
  const hook = await startHook(t, response => { response.writeHead(409).end() })
  const gateway = await startTestGateway(t, { config: withJobs({ after: [{ run: 'session' }, hookJob(hook.url)] }) })
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  const done = await visitor.submitJson(form.action, {
    csrf_token: form.csrf, password: goodPassword, traits: { username: 'ada', foobar: 'bar' },
  })
  t.equal(done.status, 403)
  t.match(done.json().error.reason, /Your account was created/)
  t.notOk(done.headers['set-cookie'])
})

t.test('RF10 after a failed job the flow is spent: a second submit makes no second account', async t => {
  const hook = await startHook(t, response => { response.writeHead(500).end() })
  const gateway = await startTestGateway(t, { config: withJobs({ after: [hookJob(hook.url)] }) })
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  const fields = { csrf_token: form.csrf, password: goodPassword, 'traits.username': 'ada', 'traits.foobar': 'bar' }
  await errorsOf(gateway, await visitor.submit(form.action, fields))
  t.not(flowIdOf(await visitor.submit(form.action, { ...fields, 'traits.username': 'bob' })), form.id)
  t.equal(hook.calls.length, 1)
  t.equal(await countIdentities(gateway), 1)
})

t.test('L19 a job that fails after a login leaves nobody logged in', async t => {
  const hook = await startHook(t, response => { response.writeHead(403).end() })
  const gateway = await startTestGateway(t, {
    config: withJobs({ after: [] }, { after: [{ run: 'session' }, hookJob(hook.url), redirect] }),
  })
  await signUp(newVisitor(), gateway, 'ada')
  const visitor = newVisitor()
  const done = await logIn(visitor, gateway, 'ada')
  t.match(await errorsOf(gateway, done), [{ code: 403, reason: 'This was declined.' }])
  t.notOk(visitor.jar.has('ory_kratos_session'))

  const [identity] = await identitiesOf(gateway)
  await gateway.stop()
  t.equal(await countSessions(t, gateway, identity?.id ?? ''), 0)
})

t.test('RF12 before-jobs that agree let a flow begin, one that fails does not', async t => {
  const [agreeing, objecting] = [
    await startHook(t, response => { response.end() }), await startHook(t, response => { response.writeHead(403).end() }),
  ]
  const gateway = await startTestGateway(t, {
    config: withJobs({ before: [hookJob(agreeing.url), hookJob(agreeing.url)] }, {
      before: [hookJob(agreeing.url), hookJob(objecting.url), hookJob(agreeing.url)],
    }),
  })
  const visitor = newVisitor()
  t.type(await begin(visitor, gateway, 'registration'), 'string')
  t.equal(agreeing.calls.length, 2)

  const refused = await visitor.visit(`${gateway.publicUrl}/auth/browser/login`)
  t.match(await errorsOf(gateway, refused), [{ code: 403, reason: 'This was declined.' }])
  t.equal(agreeing.calls.length, 3, 'what comes after the failed job does not run')
  const { id } = JSON.parse(objecting.calls[0]?.body ?? '').flow
  t.equal((await newVisitor().fetch(`${gateway.adminUrl}/auth/browser/requests/login?request=${id}`)).status, 404, 'nothing is stored')
})

t.test('RD1 a redirect before a flow ends it', async t => {
  const hook = await startHook(t, response => { response.end() })
  const closed = { run: 'redirect', config: { default_redirect_url: 'https://example.org/closed' } }
  const gateway = await startTestGateway(t, { config: withJobs({ before: [hookJob(hook.url), closed] }) })
  const page = await newVisitor().visit(`${gateway.publicUrl}/auth/browser/registration?return_to=/foo`)
  t.equal(page.status, 302)
  t.equal(page.location, 'https://example.org/closed')
  const { id } = JSON.parse(hook.calls[0]?.body ?? '').flow
  t.equal((await newVisitor().fetch(`${gateway.adminUrl}/auth/browser/requests/registration?request=${id}`)).status, 404)
  t.type(await begin(newVisitor(), gateway, 'login'), 'string', 'the other kind of flow goes on')
})

t.test('RD2 RD3 RD4 of several redirects the first counts, and a session after it is not lost', async t => {
  const later = { run: 'redirect', config: { default_redirect_url: `${ui}/later` } }
  const gateway = await startTestGateway(t, {
    config: withJobs({ after: [redirect, { run: 'session' }, later] }, { after: [redirect, { run: 'session' }, later] }),
  })
  const visitor = newVisitor()
  t.equal((await signUp(visitor, gateway, 'ada')).location, `${ui}/dashboard`)
  t.equal(await usernameOf(visitor, gateway), 'ada')
  const again = newVisitor()
  t.equal((await logIn(again, gateway, 'ada')).location, `${ui}/dashboard`)
  t.equal(await usernameOf(again, gateway), 'ada')
})

t.test('web_hook tells the service who and what, and no secret', async t => {
  const hook = await startHook(t, response => { response.writeHead(204).end() })
  const job = hookJob(`${hook.url}/hook?token=for-the-service`, {
    method: 'PUT', headers: { Authorization: 'Bearer for-the-service', 'Content-Type': 'application/vnd.hook+json' },
  })
  const gateway = await startTestGateway(t, { config: withJobs({ before: [job], after: [job, { run: 'session' }] }) })
  const visitor = newVisitor()
  const begun = await visitor.visit(`${gateway.publicUrl}/auth/browser/registration?lang=en`, { 'user-agent': 'A browser/1.0' })
  const id = flowIdOf(begun)
  const form = (
    await visitor.fetch(`${gateway.publicUrl}/auth/browser/requests/registration?request=${id}`)
  ).json().methods.password.config
  await visitor.submit(form.action, {
    csrf_token: form.fields[0].value, password: goodPassword, 'traits.username': 'ada', 'traits.foobar': 'bar',
  })
  const { identity } = (await whoAmI(visitor, gateway)).json()

  t.equal(hook.calls.length, 2)
  for (const { method, url, headers, rawHeaders } of hook.calls) {
    t.equal(method, 'PUT')
    t.equal(url, '/hook?token=for-the-service')
    t.equal(headers['authorization'], 'Bearer for-the-service')
    t.equal(headers['content-type'], 'application/vnd.hook+json')
    t.equal(rawHeaders.filter(name => name.toLowerCase() === 'content-type').length, 1, 'one content type')
    t.notOk('cookie' in headers)
  }
  const flow = { id, kind: 'registration', type: 'browser', request_url: `${gateway.publicUrl}/auth/browser/registration?lang=en` }
  t.strictSame(JSON.parse(hook.calls[0]?.body ?? ''), { flow, client: { address: '127.0.0.1', user_agent: 'A browser/1.0' } })
  t.strictSame(JSON.parse(hook.calls[1]?.body ?? ''), {
    flow: { ...flow, method: 'password' }, client: { address: '127.0.0.1', user_agent: '' }, identity,
  })
  t.notMatch(hook.calls.map(({ body }) => body).join(), /argon2|l3f9toh1uaf81n21|csrf/)
})

t.test('RF11 the identity that a hook hears of is the one that is stored', async t => {
  const hook = await startHook(t, response => { response.end('{"traits":{"username":"mallory"}}') })
  const gateway = await startTestGateway(t, { config: withJobs({ after: [hookJob(hook.url)] }) })
  await signUp(newVisitor(), gateway, 'ada')
  t.strictSame(JSON.parse(hook.calls[0]?.body ?? '').identity, (await identitiesOf(gateway))[0])
})

t.test('web_hook fails when the service is slow, redirects, cuts, or is not there, and is not asked twice', async t => {
  const elsewhere = await startHook(t, response => { response.end() })
  const answers: Record<string, (response: ServerResponse) => void> = {
    'is slow': () => undefined,
    'redirects': response => { response.writeHead(307, { location: elsewhere.url }).end() },
    'redirects for good': response => { response.writeHead(301, { location: elsewhere.url }).end() },
    'cuts': response => { response.socket?.destroy() },
    'says 500': response => { response.writeHead(500).end('a secret of the service') },
    'says 304': response => { response.writeHead(304).end() },
  }
  for (const [what, answer] of Object.entries(answers)) {
    const hook = await startHook(t, answer)
    const gateway = await startTestGateway(t, { config: withJobs({ before: [hookJob(hook.url, { timeout: '300ms' })] }) })
    const page = await newVisitor().visit(`${gateway.publicUrl}/auth/browser/registration`)
    const errors = await errorsOf(gateway, page)
    t.match(errors, [{ code: 502, message: 'The upstream service can not be reached' }], what)
    t.notMatch(JSON.stringify(errors), /127\.0\.0\.1|secret/, 'K6 nothing of the service is shown')
    t.equal(hook.calls.length, 1, what)
  }
  t.equal(elsewhere.calls.length, 0)

  const gateway = await startTestGateway(t, { config: withJobs({ before: [hookJob(`http://127.0.0.1:${await freePort()}`)] }) })
  t.match(
    await errorsOf(gateway, await newVisitor().visit(`${gateway.publicUrl}/auth/browser/registration`)), [{ code: 502 }],
    'is not there',
  )
})

t.test('web_hook goes on when the service agrees, however much it says', async t => {
  const answers: Record<string, (response: ServerResponse) => void> = {
    'little': response => { response.end('{}') },
    'a megabyte': response => { response.end('x'.repeat(1_000_000)) },
    'half of it': response => { response.writeHead(200, { 'content-length': 10 }).write('12345') },
    'without end': response => {
      const more = setInterval(() => { response.write('x'.repeat(10_000)) }, 1)
      response.once('close', () => { clearInterval(more) })
    },
    '202': response => { response.writeHead(202).end() },
  }
  for (const [what, answer] of Object.entries(answers)) {
    const hook = await startHook(t, answer)
    const gateway = await startTestGateway(t, { config: withJobs({ before: [hookJob(hook.url, { timeout: '500ms' })] }) })
    t.type(await begin(newVisitor(), gateway, 'registration'), 'string', what)
  }
})

t.test('restrict_ip refuses networks that are denied, or not allowed', async t => {
  const cases: [config: object, allowed: boolean][] = [
    [{ deny: ['127.0.0.0/8'] }, false],
    [{ deny: ['127.0.0.1'] }, false],
    [{ deny: ['10.0.0.0/8'] }, true],
    [{ allow: ['127.0.0.1/32'] }, true],
    [{ allow: ['10.0.0.0/8', '::1'] }, false],
    [{ allow: ['127.0.0.0/8'], deny: ['127.0.0.1'] }, false],
    [{ allow: [], deny: [] }, true],
  ]
  for (const [config, allowed] of cases) {
    const gateway = await startTestGateway(t, { config: withJobs({ before: [{ run: 'restrict_ip', config }] }) })
    const page = await newVisitor().visit(`${gateway.publicUrl}/auth/browser/registration`)
    if (allowed) t.type(flowIdOf(page), 'string', JSON.stringify(config))
    else t.match(
      await errorsOf(gateway, page), [{ code: 403, reason: 'This is not available from your network.' }], JSON.stringify(config),
    )
  }
})

t.test('restrict_ip believes X-Forwarded-For of trusted proxies alone', async t => {
  const job = { run: 'restrict_ip', config: { allow: ['192.0.2.0/24', '2001:db8::/32'] } }
  const trusting = await startTestGateway(t, {
    config: { ...withJobs({}, { before: [job] }), serve: { public: { trusted_proxies: ['127.0.0.1/32'] } } },
  })
  const url = `${trusting.publicUrl}/auth/browser/login`
  for (const address of ['192.0.2.7', '203.0.113.1, 192.0.2.7', '2001:db8::7', '::ffff:192.0.2.7']) {
    t.type(flowIdOf(await newVisitor().visit(url, { 'x-forwarded-for': address })), 'string', address)
  }
  for (const address of ['203.0.113.1', '192.0.2.7, 203.0.113.1', '2001:db9::7']) {
    t.match(await errorsOf(trusting, await newVisitor().visit(url, { 'x-forwarded-for': address })), [{ code: 403 }], address)
  }

  const doubting = await startTestGateway(t, { config: withJobs({}, { before: [job] }) })
  const page = await newVisitor().visit(`${doubting.publicUrl}/auth/browser/login`, { 'x-forwarded-for': '192.0.2.7' })
  t.match(await errorsOf(doubting, page), [{ code: 403 }])
})

t.test('RF12 an expired flow does not begin anew where before-jobs object', async t => {
  let objects = false
  const hook = await startHook(t, response => { response.writeHead(objects ? 403 : 200).end() })
  const gateway = await startTestGateway(t, { config: withJobs({ before: [hookJob(hook.url)], after: [] }) })
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  const fields = { csrf_token: form.csrf, password: goodPassword, 'traits.username': 'ada', 'traits.foobar': 'bar' }
  t.equal((await visitor.submit(form.action, fields)).status, 200)
  objects = true
  t.match(await errorsOf(gateway, await visitor.submit(form.action, fields)), [{ code: 403, reason: 'This was declined.' }])
})

t.test('6.1 an unknown job, a job in the wrong place or with a bad config stops the start, each with its place', async t => {
  const { folder } = await startTestGateway(t)
  const base = JSON.parse(await readFile(join(folder, 'oathgate.yml'), 'utf8'))
  const problems: [place: 'before' | 'after', entry: object, why: RegExp][] = [
    ['before', { run: 'nonsense' }, /"nonsense" is not a job; here can stand: .*restrict_ip/],
    ['before', { run: 'session' }, /"session" can not run here/],
    ['after', { run: 'restrict_ip', config: { allow: ['10.0.0.0/8'] } }, /"restrict_ip" can not run here/],
    ['before', { run: 'restrict_ip', config: { allow: ['10.0.0.0/99'] } }, /"restrict_ip" is wrong/],
    ['before', { run: 'restrict_ip', config: { allow: 'everybody' } }, /"restrict_ip" is wrong/],
    ['after', { run: 'redirect' }, /"redirect" is wrong: .*default_redirect_url/],
    ['after', { run: 'redirect', config: { default_redirect_url: 'javascript:alert(1)' } }, /"redirect" is wrong/],
    ['after', { run: 'redirect', config: { default_redirect_url: '/relative' } }, /"redirect" is wrong/],
    ['after', { run: 'redirect', config: { redirect_to: 'https://example.org' } }, /"redirect" is wrong/],
    ['after', { run: 'web_hook' }, /"web_hook" is wrong: .*url/],
    ['after', { run: 'web_hook', config: { url: 'file:///etc/passwd' } }, /"web_hook" is wrong/],
    ['after', { run: 'web_hook', config: { url: 'https://example.org', method: 'GET' } }, /"web_hook" is wrong/],
    ['after', { run: 'web_hook', config: { url: 'https://example.org', timeout: 'soon' } }, /"web_hook" is wrong/],
    ['after', { run: 'web_hook', config: { url: 'https://example.org', headers: { 'X-Bad\n': 'a' } } }, /"web_hook" is wrong/],
    ['after', { run: 'web_hook', config: { url: 'https://example.org', headers: { 'X-Bad': 'a\r\nb' } } }, /"web_hook" is wrong/],
    ['after', { run: 'session', config: { lifespan: '1h' } }, /"session" is wrong/],
  ]
  const file = join(folder, 'wrong.yml')
  for (const [place, entry, why] of problems) {
    const lists = place === 'before' ? { before: [entry] } : { after: { password: [entry] } }
    await writeFile(file, JSON.stringify({ ...base, selfservice: { ...base.selfservice, registration: lists } }, null, 1))
    await t.rejects(loadChecked([file]), { message: why }, JSON.stringify(entry))
    await t.rejects(loadChecked([file]), { message: /wrong\.yml:[0-9]+:[0-9]+/ })
  }
})

t.test('D5 D6 run, job and hook name a job, and after may stand one level higher', async t => {
  for (const key of ['run', 'job', 'hook']) {
    const gateway = await startTestGateway(t, {
      config: {
        selfservice: {
          registration: {
            after: { password: [{ [key]: 'session' }, { [key]: 'redirect', config: { default_redirect_url: `${ui}/here` } }] },
          },
        },
      },
    })
    t.equal((await signUp(newVisitor(), gateway, 'ada')).location, `${ui}/here`, key)
  }
})
