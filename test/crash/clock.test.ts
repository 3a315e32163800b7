/**
 * X15, L19: the clock of a machine is set while the gateway runs, or differs from that of its fellows. Nothing that had ended
 * comes back, nobody is logged out by it, and nothing is refused for an hour.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import t, { type Test } from 'tap'

import { createDiscovery } from '../../src/selfservice/strategies/oidc/discovery.js'
import { startDeadline } from '../../src/selfservice/strategies/oidc/deadline.js'
import { startApp } from '../helpers/app.js'
import { clockSkip, newClock, type Clock } from '../helpers/clock.js'
import { tellFigure } from '../helpers/figure.js'
import { begin, flowIdOf, goodPassword, logIn, messagesOf, open, readForm, signUp, usernameOf, type OpenForm } from '../helpers/flows.js'
import { freePort, ui, type GatewayOptions, type TestGateway } from '../helpers/gateway.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { redisSkip, startRedis, until } from '../helpers/redis.js'
import { newVisitor, type Page, type Visitor } from '../helpers/visitor.js'

const hour = 3_600

interface Shiftable {
  readonly gateway: TestGateway
  readonly clock: Clock
}

const secrets = { session: ['0123456789abcdef0123456789abcdef'] }

/** A gateway whose clock can be set, over a store of that kind. */
async function startShiftable(t: Test, kind: 'folder' | 'Redis', options: GatewayOptions = {}): Promise<Shiftable> {
  const store = kind === 'Redis' ? { dsn: (await startRedis(t)).url } : {}
  return startAhead(t, 0, { ...options, config: { secrets, ...store, ...options.config } })
}

async function startAhead(t: Test, seconds: number, options: GatewayOptions): Promise<Shiftable> {
  const clock = newClock(t, seconds)
  const gateway = await startGatewayProcess(t, { ...options, env: { ...options.env, ...clock.env } })
  return { gateway: gateway as unknown as TestGateway, clock }
}

function submitLogin(visitor: Visitor, { action, csrf }: OpenForm, identifier: string): Promise<Page> {
  return visitor.submit(action, { csrf_token: csrf, identifier, password: goodPassword })
}

const kinds = [['folder', clockSkip], ['Redis', clockSkip || redisSkip]] as const

for (const [kind, skip] of kinds) {
  t.test(`X15 L19 on ${kind}: whoever is logged in stays so while the clock jumps, and everybody else can sign up and log in`, { skip }, async t => {
    const { gateway, clock } = await startShiftable(t, kind)
    const people: [string, Visitor][] = []
    let failed = 0
    const jumps = [0, hour, 0, -hour, 0]
    for (const [at, jump] of jumps.entries()) {
      clock.set(jump)
      for (const [name, visitor] of people) {
        if (await usernameOf(visitor, gateway) !== name) failed++
        const again = newVisitor()
        await logIn(again, gateway, name)
        if (await usernameOf(again, gateway) !== name) failed++
      }
      const visitor = newVisitor()
      const name = `person-${at}`
      await signUp(visitor, gateway, name)
      people.push([name, visitor])
      if (await usernameOf(visitor, gateway) !== name) failed++
    }
    t.equal(failed, 0)
    tellFigure(t, 'L19', `the clock jumps by an hour, ${jumps.length - 1} times, on ${kind}`, `${failed} of ${people.length} people logged out or kept out`)
  })

  t.test(`X15 L19 on ${kind}: a session that had ended stays so when the clock is set back`, { skip }, async t => {
    const { gateway, clock } = await startShiftable(t, kind, { config: { session: { lifespan: '2s' } } })
    const visitor = newVisitor()
    await signUp(visitor, gateway, 'ann')
    const cookie = `ory_kratos_session=${visitor.jar.get('ory_kratos_session')?.value}`
    const status = async (): Promise<number> => (await newVisitor().fetch(`${gateway.publicUrl}/sessions/whoami`, { cookie })).status
    t.equal(await status(), 200)
    await until(async () => await status() === 401)
    await new Promise(resolve => setTimeout(resolve, 500)) // Redis began to count a moment later
    for (const jump of [-60, -hour, -2 * hour]) {
      clock.set(jump)
      t.equal(await status(), 401, `${jump} s`)
    }
  })

  t.test(`X15 L19 on ${kind}: a form that was over leads to a new one when the clock is set back, too`, { skip }, async t => {
    const { gateway, clock } = await startShiftable(t, kind, { config: { selfservice: { login: { request_lifespan: '1s' } } } })
    await signUp(newVisitor(), gateway, 'ann')
    const visitor = newVisitor()
    const form = await open(visitor, gateway, 'login')
    await new Promise(resolve => setTimeout(resolve, 1_100)) // its time has to be over
    const next = flowIdOf(await submitLogin(visitor, form, 'ann'))
    t.not(next, form.id)
    clock.set(-60)
    const after = flowIdOf(await submitLogin(visitor, form, 'ann'))
    t.not(after, form.id)
    t.same(messagesOf(await readForm(gateway, 'login', after)), ['Your session expired, please try again.'])
    t.equal(await usernameOf(visitor, gateway), undefined)
  })

  t.test(`X15 L19 on ${kind}: a form that is open while the clock jumps forward and back is good`, { skip }, async t => {
    const { gateway, clock } = await startShiftable(t, kind)
    await signUp(newVisitor(), gateway, 'ann')
    const visitor = newVisitor()
    const form = await open(visitor, gateway, 'login')
    clock.set(hour)
    await begin(newVisitor(), gateway, 'login')
    clock.set(0)
    t.equal((await submitLogin(visitor, form, 'ann')).location, `${ui}/dashboard`)
  })

  t.test(`X15 L19 on ${kind}: rate limits do not last for an hour because the clock was set back`, { skip }, async t => {
    const limit = { burst: 3, interval: '1s' }
    const { gateway, clock } = await startShiftable(t, kind, { config: { security: { rate_limits: { enabled: true, flows_per_address: limit } } } })
    clock.set(hour)
    for (let count = 0; count < 2; count++) await begin(newVisitor(), gateway, 'login')
    clock.set(0)
    await t.resolves(begin(newVisitor(), gateway, 'login'))
  })

  t.test(`X15 L19 on ${kind}: whoever has as many sessions as may be gets a new one after the clock was set back`, { skip }, async t => {
    const { gateway, clock } = await startShiftable(t, kind, { config: { session: { max_per_identity: 2 } } })
    await signUp(newVisitor(), gateway, 'ann')
    await logIn(newVisitor(), gateway, 'ann')
    clock.set(-hour)
    const visitor = newVisitor()
    await logIn(visitor, gateway, 'ann')
    t.equal(await usernameOf(visitor, gateway), 'ann')
  })
}

t.test('X15 L19 on Redis: nobody looked while a session and a form ran out, and the clock was set back by then', { skip: clockSkip || redisSkip }, async t => {
  const { gateway, clock } = await startShiftable(t, 'Redis', { config: { session: { lifespan: '2s' }, selfservice: { login: { request_lifespan: '2s' } } } })
  const [ann, late] = [newVisitor(), newVisitor()]
  await signUp(ann, gateway, 'ann')
  const form = await open(late, gateway, 'login')
  t.equal(await usernameOf(ann, gateway), 'ann')
  clock.set(-30)
  await new Promise(resolve => setTimeout(resolve, 2_500)) // both have to be over by the clock of Redis
  t.equal(await usernameOf(ann, gateway), undefined)
  const next = flowIdOf(await submitLogin(late, form, 'ann'))
  t.not(next, form.id)
  t.same(messagesOf(await readForm(gateway, 'login', next)), ['Your session expired, please try again.'])
})

t.test('X15 L19 on Redis: an idle limit goes by the time that passed, whatever the clock says', { skip: clockSkip || redisSkip }, async t => {
  const { gateway, clock } = await startShiftable(t, 'Redis', { config: { session: { idle_lifespan: '2s' } } })
  const [busy, idle] = [newVisitor(), newVisitor()]
  await signUp(busy, gateway, 'busy')
  await signUp(idle, gateway, 'idle')
  t.equal(await usernameOf(idle, gateway), 'idle')
  for (const jump of [hour, 0, -hour, 0, hour, -hour]) {
    clock.set(jump)
    for (let look = 0; look < 3; look++) {
      t.equal(await usernameOf(busy, gateway), 'busy', `${jump}`)
      await new Promise(resolve => setTimeout(resolve, 200))
    }
  }
  t.equal(await usernameOf(idle, gateway), undefined, 'unused for longer than two seconds, and the clock is an hour behind')
  t.equal(await usernameOf(busy, gateway), 'busy')
})

t.test('X15 L19 on Redis: "log out everywhere" reaches sessions that looked over while the clock was ahead', { skip: clockSkip || redisSkip }, async t => {
  const { gateway, clock } = await startShiftable(t, 'Redis', { config: { session: { lifespan: '30m' } } })
  const [first, second] = [newVisitor(), newVisitor()]
  await signUp(first, gateway, 'ann')
  clock.set(hour)
  await logIn(second, gateway, 'ann')
  clock.set(0)
  t.equal(await usernameOf(first, gateway), 'ann', 'it was not over')
  const [{ id }] = (await newVisitor().fetch(`${gateway.adminUrl}/identities?credentials_identifier=ann`)).json()
  t.equal((await newVisitor().send(`${gateway.adminUrl}/identities/${id}/sessions`, { method: 'DELETE' })).status, 204)
  await until(async () => await usernameOf(first, gateway) === undefined)
  t.equal(await usernameOf(second, gateway), undefined)
})

for (const skew of [90, -90]) {
  t.test(`X15 L19 two replicas of which one is ${Math.abs(skew)} s ${skew > 0 ? 'ahead' : 'behind'} are one gateway`, { skip: clockSkip || redisSkip }, async t => {
    const { url: dsn } = await startRedis(t)
    const config = { dsn, secrets, session: { idle_lifespan: '1m' } }
    const [right, wrong] = [(await startAhead(t, 0, { config })).gateway, (await startAhead(t, skew, { config })).gateway]
    let failed = 0
    for (const [here, there] of [[right, wrong], [wrong, right]] as const) {
      const name = `of-${new URL(here.url).port}`
      const visitor = newVisitor()
      await signUp(visitor, here, name)
      for (const gateway of [there, here, there, here]) if (await usernameOf(visitor, gateway) !== name) failed++

      const other = newVisitor()
      const form = await open(other, here, 'login')
      const elsewhere = { ...form, action: form.action.replace(here.publicUrl, there.publicUrl) }
      const page = await submitLogin(other, elsewhere, name)
      if (page.location !== `${ui}/dashboard`) failed++
      t.equal(page.location, `${ui}/dashboard`, 'a form that was begun on one is completed on the other')
      for (const gateway of [there, here]) if (await usernameOf(other, gateway) !== name) failed++
    }
    t.equal(failed, 0)
    tellFigure(t, 'L19', `a replica ${Math.abs(skew)} s ${skew > 0 ? 'ahead' : 'behind'}`, `${failed} of 14 steps failed that began on one replica and ended on the other`)
  })
}

t.test('X15 L19 keys that could not be had are asked for again though the clock was set back', { skip: clockSkip }, async t => {
  const port = await freePort()
  const upstream = await startApp(t, (_req, res) => { res.end('ok') })
  const { gateway, clock } = await startShiftable(t, 'folder', {
    config: { authenticators: { jwt: { enabled: true, config: { jwks_urls: [`http://127.0.0.1:${port}/`] } } } },
    rules: [{
      id: 'tokens', upstream: { url: upstream }, match: { url: '<https?://[^/]+>/app', methods: ['GET'] },
      authenticators: [{ handler: 'jwt' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
    }],
  })
  const ask = (): Promise<Page> => newVisitor().send(`${gateway.url}/app`, {
    headers: { authorization: `Bearer ${Buffer.from('{"alg":"RS256","kid":"k"}').toString('base64url')}.e30.c2ln` },
  })
  t.equal((await ask()).status, 401)
  clock.set(-hour)

  let asked = 0
  const keys = createServer((_req, res) => {
    asked++
    res.end('{"keys":[]}')
  }).listen(port, '127.0.0.1')
  await once(keys, 'listening')
  t.teardown(() => {
    keys.closeAllConnections()
    keys.close()
  })
  await until(async () => {
    await ask()
    return asked > 0
  })
  t.ok(asked > 0)
})

t.test('X15 L19 a token that was signed while the clock was ahead is not used once it is right', { skip: clockSkip }, async t => {
  const told: number[] = []
  const upstream = await startApp(t, (req, res) => {
    const [, claims = ''] = String(req.headers.authorization).split('.')
    told.push((JSON.parse(Buffer.from(claims, 'base64url').toString()) as { nbf: number }).nbf)
    res.end()
  })
  const keys = { keys: [{ kty: 'oct', k: Buffer.alloc(32, 7).toString('base64url'), kid: 'k', alg: 'HS256', use: 'sig' }] }
  const keyServer = await startApp(t, (_req, res) => { res.end(JSON.stringify(keys)) })
  const { gateway, clock } = await startShiftable(t, 'folder', {
    config: {
      authenticators: { anonymous: { enabled: true } },
      mutators: { id_token: { enabled: true, config: { issuer_url: 'http://gateway.test/', jwks_url: keyServer } } },
    },
    rules: [{
      id: 'told', upstream: { url: upstream }, match: { url: '<https?://[^/]+>/app', methods: ['GET'] },
      authenticators: [{ handler: 'anonymous' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'id_token' }],
    }],
  })
  for (const jump of [hour, 0, -hour]) {
    clock.set(jump)
    t.equal((await newVisitor().send(`${gateway.url}/app`)).status, 200)
    t.ok(Math.abs((told.at(-1) ?? 0) - (Date.now() / 1000 + jump)) < 60, `it is of the time that the clock says, ${jump} s`)
  }
})

t.test('X15 a provider that could not be asked is asked again, and not for longer than usual, though the clock was set back', async t => {
  let asked = 0
  const configure = createDiscovery({
    provider: 'p', issuer: new URL('http://127.0.0.1:1/'), clientId: 'c', clientSecret: undefined, namedHosts: new Set(),
    fetch: () => {
      asked++
      return Promise.reject(new Error('down'))
    },
  })
  const inTime = startDeadline(100)
  await t.rejects(configure())
  t.equal(asked, 1)
  const now = Date.now
  t.intercept(Date, 'now', { value: () => now() - hour * 1000 })
  await t.rejects(inTime(new Promise(() => undefined)), { message: 'no answer within 100 ms' })
  await until(async () => {
    await configure().catch(() => undefined)
    return asked > 1
  })
  t.equal(asked, 2)
})
