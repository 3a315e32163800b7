import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'

import { begin, goodPassword, logIn, logOut, open, signUp, whoAmI } from '../helpers/flows.js'
import { startTestGateway, ui } from '../helpers/gateway.js'
import { redisSkip, startRedis } from '../helpers/redis.js'
import { sendRaw } from '../helpers/raw.js'
import { newVisitor, type Visitor } from '../helpers/visitor.js'

const canary = (name: string): string => `canary-${name}-0123456789abcdef`

t.test('K4 whatever happens, no log line holds a password, a cookie, a token or a query', { skip: redisSkip }, async t => {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(request.url?.includes('fail') === true ? 500 : 200).end(canary('hook-answer'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const hook = (path: string) => ({
    run: 'web_hook', config: {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}?key=${canary('hook-query')}`,
      headers: { Authorization: `Bearer ${canary('hook-header')}` },
    },
  })

  const redis = await startRedis(t)
  await redis.command('ACL', 'SETUSER', 'gateway', 'on', `>${canary('redis')}`, '~*', '&*', '+@all')
  const adminToken = canary('admin-token-of-some-length')
  const gateway = await startTestGateway(t, {
    logLevel: 'trace',
    config: {
      dsn: `redis://gateway:${canary('redis')}@127.0.0.1:${redis.port}`,
      secrets: { session: [canary('session-secret-of-some-length')] },
      serve: { admin: { token: adminToken } },
      selfservice: {
        registration: {
          before: [hook('ok')],
          after: { password: [{ run: 'session' }, { run: 'redirect', config: { default_redirect_url: `${ui}/dashboard` } }] },
        },
        login: { after: { password: [{ run: 'session' }, hook('fail')] } },
      },
    },
  })
  const secrets = new Map<string, string>()
  const noteJar = (visitor: Visitor): void => {
    for (const [name, { value }] of visitor.jar) secrets.set(`${name} ${value.slice(0, 4)}`, value)
  }
  for (const name of [
    'hook-query', 'hook-header', 'hook-answer', 'redis', 'admin-token-of-some-length', 'session-secret-of-some-length', 'password',
    'query', 'cookie', 'authorization', 'wrong-token', 'csrf', 'body', 'return-to', 'submitted-query', 'userinfo',
  ]) secrets.set(name, canary(name))

  // The admin listener answers with its token alone here, so flows are read in the browser.
  const read = async (visitor: Visitor, kind: 'registration' | 'login', query = '') => {
    const id = await begin(visitor, gateway, kind, query)
    const { action, fields } = (
      await visitor.fetch(`${gateway.publicUrl}/auth/browser/requests/${kind}?request=${id}`)
    ).json().methods.password.config
    const csrf = fields[0].value as string
    secrets.set(`csrf ${csrf.slice(0, 6)}`, csrf)
    noteJar(visitor)
    return { action: action as string, csrf }
  }
  const headers = {
    cookie: `a=${canary('cookie')}; ory_kratos_session=${canary('cookie')}; oathgate_csrf=${canary('csrf')}`,
    authorization: `Bearer ${canary('authorization')}`,
  }
  const visitor = newVisitor()
  const password = `${canary('password')} ${goodPassword}`

  const registration = await read(visitor, 'registration', `?token=${canary('query')}&return_to=/${canary('return-to')}`)
  const fields = { csrf_token: registration.csrf, password, 'traits.username': 'ada' }
  await visitor.submit(`${registration.action}&token=${canary('submitted-query')}`, fields)
  await visitor.submit(registration.action, { ...fields, csrf_token: canary('csrf') })
  await visitor.submit(registration.action, {
    ...fields, csrf_token: registration.csrf, 'traits.foobar': 'bar', 'traits.__proto__.x': canary('body'),
  })
  await visitor.submitJson(registration.action, { ...fields, traits: [canary('body')] })
  for (const body of [`{"password":"${canary('body')}`, `password=${canary('body')}%ff`, `password=${canary('body')}%zz`]) {
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'application/json; charset=utf-7']) {
      await visitor.send(registration.action, {
        method: 'POST', body, headers: { 'content-type': type, 'x-csrf-token': registration.csrf, accept: 'application/json' },
      })
    }
  }
  const done = await visitor.submit(registration.action, { ...fields, 'traits.foobar': 'bar' })
  t.equal(done.location, `${ui}/dashboard`)
  noteJar(visitor)
  t.equal((await whoAmI(visitor, gateway)).status, 200)
  await visitor.visit(`${gateway.publicUrl}/auth/browser/login?return_to=https://user:${canary('userinfo')}@evil.test/`)

  const other = newVisitor()
  await other.visit(`${gateway.publicUrl}/auth/browser/login?return_to=https://user:${canary('userinfo')}@evil.test/`)
  const login = await read(other, 'login')
  await other.submit(login.action, { csrf_token: login.csrf, identifier: 'ada', password: `${password} wrong` })
  const failed = await other.submit(login.action, { csrf_token: login.csrf, identifier: 'ada', password })
  t.match(failed.location, /error\?error=/, 'the job after the login fails')
  for (const url of [
    `${gateway.publicUrl}/sessions/whoami`, `${gateway.publicUrl}/auth/browser/login`,
    `${gateway.publicUrl}/nothing?token=${canary('query')}`, `${gateway.url}/app?token=${canary('query')}`,
  ]) {
    await newVisitor().visit(url, headers)
  }
  await newVisitor().fetch(
    `${gateway.adminUrl}/identities?token=${canary('query')}`, { authorization: `Bearer ${canary('wrong-token')}` },
  )
  await newVisitor().fetch(`${gateway.adminUrl}/identities`, { authorization: `Bearer ${adminToken}` })
  await newVisitor().submitJson(
    `${gateway.adminUrl}/identities`, { password: canary('body') }, { authorization: `Bearer ${adminToken}` },
  )
  await newVisitor().send(`${gateway.adminUrl}/identities`, {
    method: 'POST', body: `{"${canary('body')}`,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${adminToken}` },
  })
  await logOut(visitor, gateway)
  noteJar(visitor)

  await redis.kill('SIGKILL')
  t.equal((await newVisitor().visit(`${gateway.publicUrl}/auth/browser/login?token=${canary('query')}`, headers)).status, 503)
  await gateway.stop()

  const log = JSON.stringify(gateway.logged)
  t.ok(gateway.logged.length > 20, `${gateway.logged.length} lines`)
  t.ok(secrets.size > 20, `${secrets.size} secrets`)
  for (const [name, secret] of secrets) {
    const spellings = [secret, encodeURIComponent(secret), secret.replaceAll('+', ' '), Buffer.from(secret).toString('base64')]
    for (const spelling of new Set(spellings)) t.notOk(log.includes(spelling), name)
  }
  t.notMatch(log, /argon2|\?request=|return_to=/)
})

t.test('K5 what clients send makes no lines of its own', async t => {
  const gateway = await startTestGateway(t, { logLevel: 'trace' })
  const host = new URL(gateway.url)
  for (const path of ['/%0d%0aFAKE', '/\u001b[31m', '/.ory/kratos/public/"},{"level":60,"a":"']) {
    await sendRaw(Number(host.port), `GET ${path} HTTP/1.1\r\nHost: ${host.host}\r\nUser-Agent: a\tb\r\nConnection: close\r\n\r\n`)
  }
  await newVisitor().visit(`${gateway.publicUrl}/auth/browser/login?return_to=%0a{"level":60}`)
  const form = await open(newVisitor(), gateway, 'login')
  const headers = { 'content-type': 'text/plain; charset="},{level:60}"' }
  await newVisitor().send(form.action, { method: 'POST', body: 'x', headers })
  const lines = gateway.logged.filter(({ msg }) => msg === 'request' || msg === 'request failed')
  t.equal(lines.length, 6, 'one line a request')
  for (const line of gateway.logged) {
    t.not(line['level'], 60)
    t.notMatch(JSON.stringify(line), /\\u001b|\\r|\\n/)
  }
})

t.test('K6 an answer tells nothing of the inside', async t => {
  const gateway = await startTestGateway(t, {
    schema: { type: 'object', properties: { username: { type: 'string' }, foobar: { type: 'string' } } },
  })
  const page = await signUp(newVisitor(), gateway, 'ada')
  const error = await newVisitor().fetch(`${gateway.publicUrl}/errors?error=${new URL(page.location ?? '').searchParams.get('error')}`)
  t.equal(error.status, 200)
  t.same(Object.keys(error.json()[0]), ['code', 'status', 'request', 'reason', 'message'])
  const answers = [
    error, page, await newVisitor().visit(`${gateway.publicUrl}/nothing`), await newVisitor().fetch(`${gateway.url}/nothing`),
    await logIn(newVisitor(), gateway, 'ada'),
  ]
  for (const { text, headers } of answers) {
    t.notMatch(text, /at .*\.[jt]s|node_modules|127\.0\.0\.1|Koa|node/i)
    t.notOk('x-powered-by' in headers || 'server' in headers)
  }
})
