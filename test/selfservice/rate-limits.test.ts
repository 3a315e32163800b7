/** How fast anybody may go (security A3 to A5, D11). */
import t from 'tap'

import { addressBucket } from '../../src/http/client-address.js'
import { begin, goodPassword, logIn, open, signUp } from '../helpers/flows.js'
import { startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { redisSkip, startRedis } from '../helpers/redis.js'
import { startService } from '../helpers/service.js'
import { newVisitor, type Page } from '../helpers/visitor.js'

/** Plenty of everything but what a test is about. */
const plenty = { burst: 10_000, interval: '1s' }
const limits = {
  enabled: true, flows_per_address: plenty, registrations_per_address: plenty, logins_per_address: plenty,
  logins_per_identifier_and_address: plenty, logins_per_identifier: plenty,
}

function limited(over: object): { security: { rate_limits: object } } {
  return { security: { rate_limits: { ...limits, ...over } } }
}

async function wrongLogin(gateway: TestGateway, identifier: string, headers: Record<string, string> = {}): Promise<Page> {
  const visitor = newVisitor()
  const { action, csrf } = await open(visitor, gateway, 'login')
  return visitor.submit(action, { csrf_token: csrf, identifier, password: 'not the password' }, headers)
}

t.test('D11 flows from one address are limited, and the answer says how long to wait', async t => {
  const gateway = await startTestGateway(t, { config: limited({ flows_per_address: { burst: 3, interval: '1h' } }) })
  for (let count = 0; count < 3; count++) await begin(newVisitor(), gateway, 'registration')
  const refused = await newVisitor().visit(`${gateway.publicUrl}/auth/browser/login`)
  t.equal(refused.status, 429)
  t.match(refused.headers['retry-after'], /^(3600|35\d\d)$/)
  t.match(refused.text, 'Too many attempts')
})

t.test('D11 errors that are kept for the error page are limited like flows', async t => {
  const gateway = await startTestGateway(t, { config: limited({ flows_per_address: { burst: 3, interval: '1h' } }) })
  const statuses: number[] = []
  for (let count = 0; count < 5; count++) {
    statuses.push((await newVisitor().visit(`${gateway.publicUrl}/auth/browser/registration?return_to=http://elsewhere.test/`)).status)
  }
  t.strictSame(statuses, [302, 302, 302, 429, 429])
})

t.test('A3 of 40 logins at once with wrong passwords exactly the burst is looked at, the rest is 429', async t => {
  const gateway = await startTestGateway(t, { config: limited({ logins_per_identifier_and_address: { burst: 7, interval: '1h' } }) })
  await signUp(newVisitor(), gateway, 'ada')
  const answers = await Promise.all(Array.from({ length: 40 }, () => wrongLogin(gateway, 'ada')))
  t.equal(answers.filter(({ status }) => status === 302).length, 7)
  t.equal(answers.filter(({ status }) => status === 429).length, 33)
})

t.test('A3 the owner logs in on a known browser while somebody guesses from everywhere', async t => {
  const gateway = await startTestGateway(t, { config: limited({ logins_per_identifier: { burst: 2, interval: '1h' } }) })
  const owner = newVisitor()
  await signUp(owner, gateway, 'ada')
  await owner.visit(`${gateway.publicUrl}/auth/browser/logout`)
  await logIn(owner, gateway, 'ada')
  await owner.visit(`${gateway.publicUrl}/auth/browser/logout`)

  for (let count = 0; count < 3; count++) await wrongLogin(gateway, 'ada')
  t.equal((await wrongLogin(gateway, 'ada')).status, 429, 'whoever guesses is stopped')
  const answer = await logIn(owner, gateway, 'ada')
  t.equal(answer.status, 302)
  t.ok(owner.jar.has('ory_kratos_session'), 'the owner is logged in')
})

t.test('A4 one address gets so many tries, over however many accounts', async t => {
  const gateway = await startTestGateway(t, { config: limited({ logins_per_address: { burst: 5, interval: '1h' } }) })
  const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => wrongLogin(gateway, `person ${at}`)))
  t.equal(answers.filter(({ status }) => status === 302).length, 5)
  t.equal(answers.filter(({ status }) => status === 429).length, 35)
})

t.test('A5 another spelling, another X-Forwarded-For and another case of the identifier are the same bucket', async t => {
  const gateway = await startTestGateway(t, { config: limited({ logins_per_identifier_and_address: { burst: 3, interval: '1h' } }) })
  await wrongLogin(gateway, 'ada')
  await wrongLogin(gateway, ' ADA ')
  await wrongLogin(gateway, 'Ada', { 'x-forwarded-for': '203.0.113.7' })
  t.equal((await wrongLogin(gateway, 'ada', { 'x-forwarded-for': '203.0.113.8' })).status, 429)
  t.equal((await wrongLogin(gateway, 'grace')).status, 302, 'somebody else is not affected')
})

t.test('A5 replicas count together', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const config = {
    ...limited({ logins_per_identifier_and_address: { burst: 4, interval: '1h' } }),
    dsn: redis.url, secrets: { session: ['0123456789abcdef0123456789abcdef'] },
  }
  const [one, two] = [await startTestGateway(t, { config }), await startTestGateway(t, { config })]
  const answers = await Promise.all(Array.from({ length: 20 }, (_, count) => wrongLogin(count % 2 === 0 ? one : two, 'ada')))
  t.equal(answers.filter(({ status }) => status === 302).length, 4)
  t.equal(answers.filter(({ status }) => status === 429).length, 16)
})

t.test('sign-ups from one address are limited before anything is hashed', async t => {
  const gateway = await startTestGateway(t, { config: limited({ registrations_per_address: { burst: 2, interval: '1h' } }) })
  t.equal((await signUp(newVisitor(), gateway, 'ada')).status, 302)
  t.equal((await signUp(newVisitor(), gateway, 'grace')).status, 302)
  const visitor = newVisitor()
  const refused = await signUp(visitor, gateway, 'mallory')
  t.equal(refused.status, 429)
  t.notOk(visitor.jar.has('ory_kratos_session'))
})

t.test('A6 D11 the limit comes before the breach database is asked, and after what costs nothing', async t => {
  const service = await startService(t, res => { res.end() })
  const gateway = await startTestGateway(t, {
    config: {
      ...limited({ registrations_per_address: { burst: 1, interval: '1h' } }),
      selfservice: { strategies: { password: { config: { haveibeenpwned_enabled: true, haveibeenpwned_host: service.url } } } },
    },
  })
  const visitor = newVisitor()
  const form = await open(visitor, gateway, 'registration')
  const weak = await visitor.submit(form.action, { csrf_token: form.csrf, 'password': 'x', 'traits.username': 'ada', 'traits.foobar': 'bar' })
  t.equal(weak.status, 302)
  t.equal((await signUp(newVisitor(), gateway, 'ada')).status, 302)
  t.equal(service.asked.length, 1, 'a password that is too short is not asked about, and takes no token')
  t.equal((await signUp(newVisitor(), gateway, 'grace')).status, 429)
  t.equal(service.asked.length, 1)
})

t.test('a token comes back after its interval', async t => {
  const gateway = await startTestGateway(t, { config: limited({ flows_per_address: { burst: 1, interval: '300ms' } }) })
  await begin(newVisitor(), gateway, 'login')
  t.equal((await newVisitor().visit(`${gateway.publicUrl}/auth/browser/login`)).status, 429)
  await new Promise(resolve => { setTimeout(resolve, 350) })
  await begin(newVisitor(), gateway, 'login')
})

t.test('A1 where accounts are hidden, a taken identifier is answered like a new one, and only the web_hook is told', async t => {
  const told: { taken?: boolean }[] = []
  const { createServer } = await import('node:http')
  const hook = createServer((req, res) => {
    let text = ''
    req.on('data', chunk => { text += String(chunk) }).on('end', () => {
      told.push(JSON.parse(text) as { taken?: boolean })
      res.end()
    })
  })
  await new Promise<void>(resolve => { hook.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { hook.close(); hook.closeAllConnections() })
  const { port } = hook.address() as { port: number }
  const gateway = await startTestGateway(t, {
    config: {
      security: { account_enumeration: { mitigate: true }, rate_limits: { enabled: false } },
      selfservice: {
        registration: {
          after: { password: [{ run: 'web_hook', config: { url: `http://127.0.0.1:${port}/` } }, { run: 'redirect', config: { default_redirect_url: 'http://ui.test/check-mail' } }] },
        },
      },
    },
  })

  const [first, again] = [newVisitor(), newVisitor()]
  const created = await signUp(first, gateway, 'ada')
  const taken = await signUp(again, gateway, 'ada', `${goodPassword}x`)
  t.equal(taken.status, created.status)
  t.equal(taken.location, created.location)
  t.strictSame([...again.jar.keys()].sort(), [...first.jar.keys()].sort())
  t.strictSame(told.map(({ taken = false }) => taken), [false, true])

  t.equal((await logIn(newVisitor(), gateway, 'ada', `${goodPassword}x`)).location?.includes('/auth/login'), true, 'the password did not change')
  t.equal((await logIn(newVisitor(), gateway, 'ada')).location, 'http://ui.test/dashboard')
})

t.test('where accounts are hidden, a job that would tell them apart stops the start', async t => {
  const { checkJobs } = await import('../../src/selfservice/jobs/compile.js')
  const flow = (after: object[]): object => ({ before: [], after: { password: after, oidc: [] } })
  const problems = checkJobs({
    security: { account_enumeration: { mitigate: true } },
    selfservice: { registration: flow([{ run: 'session' }]), login: flow([{ run: 'session' }]) },
  } as unknown as Parameters<typeof checkJobs>[0])
  t.equal(problems.length, 1)
  t.match(problems[0]?.message, 'mitigate')
})

t.test('an address of IPv6 counts as its network of 64 bits', async t => {
  t.equal(addressBucket('192.0.2.1'), '192.0.2.1')
  t.equal(addressBucket('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2')
  t.equal(addressBucket('2001:0db8:0001:0002::9'), '2001:db8:1:2')
  t.equal(addressBucket('2001:db8::1'), '2001:db8:0:0')
  t.equal(addressBucket('::1'), '0:0:0:0')
})
