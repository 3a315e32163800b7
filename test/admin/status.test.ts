/** The status page: what it says, who sees it, and that nothing on it is anybody's markup. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'

import { statusPage } from '../../src/admin/status-page.js'
import { readStatus, type Status } from '../../src/admin/status.js'
import { signUp } from '../helpers/flows.js'
import { startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { redisSkip, startRedis, until } from '../helpers/redis.js'
import { startService } from '../helpers/service.js'
import { newVisitor, type Page } from '../helpers/visitor.js'
import { version } from '../../src/version.js'

const token = 'a token of at least thirty-two letters'
const hour = 3_600_000

function rule(id: string, upstream = 'http://127.0.0.1:1'): object {
  return {
    id, match: { url: `http://127.0.0.1:<[0-9]+>/${id}/<.*>`, methods: ['GET', 'POST'] }, upstream: { url: upstream },
    authenticators: [{ handler: 'noop' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
  }
}

const page = (gateway: TestGateway, headers: Record<string, string> = {}): Promise<Page> => newVisitor().visit(`${gateway.adminUrl}/status`, headers)

/** The page's words, without its markup. */
function words(html: string): string {
  return html.replace(/<style>.*?<\/style>/s, '').replace(/<title>.*?<\/title>/g, '').replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ')
}

t.test('it shows rules with their hits, sign-ups, sessions, the store, version and uptime', async t => {
  const upstream = await startService(t)
  const gateway = await startTestGateway(t, { rules: [rule('shop', upstream.url), rule('blog', upstream.url)] })
  for (const name of ['ada', 'bob']) await signUp(newVisitor(), gateway, name)
  for (let round = 0; round < 3; round++) await newVisitor().fetch(`${gateway.url}/shop/x`)

  await until(async () => /shop 3 GET POST/.test(words((await page(gateway)).text)))
  const { status, headers, text } = await page(gateway)
  t.equal(status, 200)
  t.equal(headers['content-type'], 'text/html; charset=utf-8')
  t.equal(headers['cache-control'], 'no-store')
  const said = words(text)
  t.match(said, /shop 3 GET POST http:\/\/127\.0\.0\.1:&lt;\[0-9\]\+&gt;\/shop\//)
  t.match(said, 'blog 0 GET POST')
  t.match(said, /Store \(embedded\) [\d.]+ ms/)
  t.match(said, /Sessions 2 that have not ended/)
  t.match(said, /New accounts 2 in the last day/)
  t.match(said, `${version}, up `)
  t.match(said, '2 in force, loaded ')
  t.match(said, 'All is well.')
  t.match(text, `${upstream.url}`)
})

t.test('X13 it says why rules were refused, with the place, and that the last good ones stay', async t => {
  const gateway = await startTestGateway(t, { rules: [rule('shop')] })
  await writeFile(join(gateway.folder, 'rules.yml'), '- id: "<script>alert(1)</script>"\n  upstrem: {}\n')
  await until(async () => (await page(gateway)).text.includes('were refused'))
  const { text } = await page(gateway)
  t.match(text, /rules\.yml:2:3/)
  t.match(text, 'the last good ones stay')
  t.match(words(text), 'shop 0 GET POST', 'and are listed')
  t.notMatch(text, '<script')
  t.match(text, '<title>Trouble: Oathgate</title>')
})

t.test('while the store is down it is there and says so', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const gateway = await startTestGateway(t, { rules: [rule('shop')], config: { dsn: redis.url, secrets: { session: [token] } } })
  await signUp(newVisitor(), gateway, 'ada')
  t.match(words((await page(gateway)).text), /Store \(redis\) [\d.]+ ms .* Sessions 1 that/)

  await redis.kill('SIGKILL')
  const { status, text } = await page(gateway)
  t.equal(status, 200)
  const said = words(text)
  t.match(said, /The store does not answer.*503/)
  t.match(said, 'Store (redis) down')
  t.match(said, /Sessions \?/)
  t.match(said, 'Not known while the store does not answer.')
  t.match(said, 'shop 0 GET POST')
  t.notMatch(text, redis.url, 'where the store is, is nobody\'s business')
})

t.test('A15 with a token a browser may give it as a password, for this page and for nothing else', async t => {
  const gateway = await startTestGateway(t, { config: { serve: { admin: { token } } } })
  const basic = (pair: string): Record<string, string> => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` })
  const refused = await page(gateway)
  t.equal(refused.status, 401)
  t.match(refused.headers['www-authenticate'], /^Basic realm="/)
  t.notMatch(refused.text, 'Access rules')

  t.equal((await page(gateway, basic(`anybody:${token}`))).status, 200)
  t.equal((await page(gateway, basic(`:${token}`))).status, 200)
  t.equal((await page(gateway, { authorization: `Bearer ${token}` })).status, 200)
  t.equal((await page(gateway, { 'x-oathgate-token': token })).status, 200)
  for (const wrong of [`${token}:`, `a:${token}x`, `a:${token.slice(1)}`, token, '', ':']) t.equal((await page(gateway, basic(wrong))).status, 401, wrong)
  for (const broken of ['Basic', 'Basic !!!', `Basic ${token}`, `basic  ${token}`]) t.equal((await page(gateway, { authorization: broken })).status, 401, broken)

  for (const path of ['/identities', '/rules', '/metrics', '/status/', '/decisions/x', '/auth/browser/requests/login?request=x']) {
    const other = await newVisitor().fetch(`${gateway.adminUrl}${path}`, basic(`a:${token}`))
    t.equal(other.status, 401, `${path} takes no password`)
    t.notMatch(other.headers['www-authenticate'] ?? '', 'Basic', 'and asks for none')
  }
  const written = await newVisitor().submitJson(`${gateway.adminUrl}/identities`, { traits: {} }, basic(`a:${token}`))
  t.equal(written.status, 401)
})

t.test('A15 without a token it is for this machine alone, under a name of its own', async t => {
  const gateway = await startTestGateway(t)
  t.equal((await page(gateway)).status, 200)
  t.equal((await page(gateway, { host: 'rebound.example' })).status, 403)
  t.equal((await page(gateway, { origin: 'http://evil.example' })).status, 403)
})

t.test('C8 its policy lets no script and nothing from elsewhere in; it may not be framed', async t => {
  const gateway = await startTestGateway(t)
  const { headers, text } = await page(gateway)
  const policy = String(headers['content-security-policy'])
  t.match(policy, /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+'; /)
  t.match(policy, "frame-ancestors 'none'")
  t.notMatch(policy, 'unsafe')
  t.equal(headers['x-content-type-options'], 'nosniff')
  t.notMatch(text, /<script|\son[a-z]+=|\sstyle=|src=|https?:\/\/(?!127\.0\.0\.1)/i)
  t.match(text, '<meta http-equiv="refresh" content="15">')
  t.notMatch((await newVisitor().visit(`${gateway.adminUrl}/status?refresh=off`)).text, 'http-equiv')
})

const status: Status = {
  at: Date.UTC(2026, 0, 2, 12, 30), version: '1.2.3', uptimeSeconds: 90_000, accepting: true,
  store: { kind: 'redis', answerMs: 0.42, operations: 1234, errors: 2, meanMs: 1.5 },
  sessions: 12_345,
  signUps: Array.from({ length: 24 }, (_, index) => ({ from: Date.UTC(2026, 0, 1, 13 + index), count: index })),
  rules: { loadedAt: 0, error: undefined, count: 1, shown: [], otherHits: 0 },
  load: { connections: 3, tunnels: 1, hashing: { running: 1, waiting: 2 } },
}

t.test('C11 whatever rules and errors are called, they are text', t => {
  const hostile = '"><img src=x onerror=alert(1)><script>alert(1)</script></pre></style>\'&amp;'
  const html = statusPage({
    ...status, version: hostile,
    rules: { ...status.rules, error: hostile, shown: [{ id: hostile, methods: [hostile], url: hostile, upstream: hostile, hits: 1 }] },
  }, true)
  t.notMatch(html, /<img|<script|'&amp;/)
  t.equal(html.split('</style>').length - 1, 1)
  t.equal(html.split('</pre>').length - 1, 1)
  t.equal(html.split('&quot;&gt;&lt;img src=x onerror=alert(1)&gt;').length - 1, 6, 'each of the six places')
  t.end()
})

t.test('the chart has a bar for every hour, and the same as a table', t => {
  const html = statusPage(status, true)
  t.equal((html.match(/<rect /g) ?? []).length, 24)
  t.match(html, 'aria-label="276 in the last day, by hour"')
  const heights = [...html.matchAll(/<rect [^>]*height="(\d+)"/g)].map(([, height]) => Number(height))
  t.equal(heights[0], 0)
  t.strictSame([...heights].sort((a, b) => a - b), heights)
  t.match(html, '<tr><th scope="row">12:00</th><td class="number">23</td></tr>')
  t.match(words(html), '12,345 that have not ended')
  t.match(words(html), 'up 1 d 1 h, at 2026-01-02 12:30 UTC')
  const quiet = statusPage({ ...status, signUps: status.signUps?.map(({ from }) => ({ from, count: 0 })) }, true)
  t.equal((quiet.match(/<rect [^>]*height="0"/g) ?? []).length, 24, 'a day without any has no bars')
  t.end()
})

t.test('the hours of the last day end with the one that runs, and rules beyond the limit have no number', async t => {
  const documents = Array.from({ length: 700 }, (_, index) => ({ ...rule(`r${index}`) as { id: string }, upstream: { url: 'http://user:secret@host/' } }))
  const asked: (readonly number[])[] = []
  const read = await readStatus({
    version: '1', accepting: () => true, storeKind: 'embedded', storeSummary: () => ({ operations: 0, errors: 0, seconds: 0 }),
    store: {
      ping: () => Promise.resolve(undefined), countSessions: () => Promise.resolve(1),
      countIdentities: async instants => {
        asked.push(instants)
        return instants.slice(1).map(() => 0)
      },
    },
    rules: { documents: () => documents, status: () => ({ loadedAt: 0 }) },
    hits: () => new Map([['r0', 5], ['other', 9]]), countedRules: 2,
    load: () => Promise.resolve(status.load),
  })
  const [instants = []] = asked
  t.equal(instants.length, 25)
  t.ok(Number(instants[23]) <= read.at && read.at < Number(instants[24]))
  t.ok(instants.every((instant, index) => instant % hour === 0 && (index === 0 || instant - Number(instants[index - 1]) === hour)))
  t.strictSame(read.rules.shown.slice(0, 3).map(({ hits }) => hits), [5, 0, undefined])
  t.equal(read.rules.otherHits, 9)
  t.equal(read.rules.shown.length, 500)
  t.notMatch(JSON.stringify(read), 'secret')
  const html = statusPage(read, true)
  t.match(html, '200 more are not listed here')
  t.match(html, 'counted together: 9 requests')
})
