import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import t, { type Test } from 'tap'

import { createBreachCheck, type BreachCheckOptions } from '../../src/identity/breach-check.js'
import { createPasswordPolicy } from '../../src/identity/password-policy.js'

const password = 'a rather long passphrase'
const digest = createHash('sha1').update(password).digest('hex').toUpperCase()
const padding = `${'0'.repeat(35)}:0\r\n${'F'.repeat(35)}:0`
const rowFor = (count: number) => `${digest.slice(5)}:${count}`

interface Stub {
  readonly requests: IncomingMessage[]
  readonly failures: string[]
  check(options?: Partial<BreachCheckOptions>): ReturnType<typeof createBreachCheck>
  readonly url: string
}

async function stub(t: Test, answer: (response: ServerResponse) => void): Promise<Stub> {
  const requests: IncomingMessage[] = []
  const failures: string[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    answer(response)
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => { server.close(); server.closeAllConnections() })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    requests, failures, url,
    check: options => createBreachCheck({ host: url, timeoutMs: 5000, ignoreNetworkErrors: true, onFailure: reason => failures.push(reason), ...options }),
  }
}

t.test('A6 only five digits of the hash leave the house, with padding asked for', async t => {
  const { requests, failures, check } = await stub(t, response => response.end(`${rowFor(3)}\r\n${padding}`))
  t.equal(await check()(password), 3)
  t.strictSame(requests.map(({ url, headers }) => [url, headers['add-padding']]), [[`/range/${digest.slice(0, 5)}`, 'true']])
  t.strictSame(failures, [])
})

t.test('A6 padding rows and other suffixes count for nothing', async t => {
  const padded = await stub(t, response => response.end(`${padding}\r\n${rowFor(0)}\n`))
  t.equal(await padded.check()(password), 0)
  const others = await stub(t, response => response.end(padding))
  t.equal(await others.check()(password), 0)
})

t.test('an answer is kept, and asked for once by any number at the same time', async t => {
  const { requests, check } = await stub(t, response => response.end(rowFor(7)))
  const count = check()
  t.strictSame(await Promise.all([count(password), count(password), count(password)]), [7, 7, 7])
  t.equal(await count(password), 7)
  t.equal(requests.length, 1)
})

t.test('A6 without an answer a password passes or not, as configured; why is reported, the password is not', async t => {
  const cases: [name: string, answer: (response: ServerResponse) => void, reason: RegExp, options?: Partial<BreachCheckOptions>][] = [
    ['an error', response => response.writeHead(500).end(rowFor(9)), /status 500/],
    ['a redirect', response => response.writeHead(302, { location: '/range/00000' }).end(), /status 302/],
    ['garbage', response => response.end(`<html>${rowFor(9)}`), /not a list/],
    ['garbage in one row', response => response.end(`${rowFor(9)}\nx`), /not a list/],
    ['nothing', response => response.end(), /not a list/],
    ['too much', response => response.end(`${rowFor(9)}\n`.repeat(28_000)), /longer than 1048576 bytes/],
    ['an answer that never comes', () => {}, /timeout|aborted/i, { timeoutMs: 50 }],
    ['an answer that never ends', response => response.write(rowFor(9)), /timeout|aborted/i, { timeoutMs: 50 }],
    ['a cut connection', response => response.destroy(), /./],
  ]
  for (const [name, answer, reason, options] of cases) {
    const { requests, failures, check } = await stub(t, answer)
    t.equal(await check(options)(password), 0, `${name} passes`)
    await t.rejects(check({ ...options, ignoreNetworkErrors: false })(password), { code: 'overloaded', status: 503 }, `${name} is refused`)
    t.match(failures, [reason, reason], name)
    t.notOk(failures.some(failure => failure.includes(password) || failure.toUpperCase().includes(digest.slice(0, 5))), name)
    t.equal(requests.length, 2, `${name} is not remembered`)
  }
})

t.test('at most sixteen questions are open at the same time', async t => {
  const open: ServerResponse[] = []
  const { requests, failures, check } = await stub(t, response => {
    open.push(response)
    if (open.length === 16) for (const waiting of open) waiting.end(padding)
  })
  const count = check()
  const counts = await Promise.all(Array.from({ length: 40 }, (_, index) => count(`password ${index}`)))
  t.strictSame(counts, counts.map(() => 0))
  t.equal(requests.length, 16)
  t.match(failures, Array.from({ length: 24 }, () => '16 questions are open already'))
})

t.test('the database is asked over https, a mirror on loopback over http', async t => {
  const create = (host: string) => createBreachCheck({ host, timeoutMs: 1000, ignoreNetworkErrors: true, onFailure: () => {} })
  for (const host of ['api.pwnedpasswords.com', 'mirror.test:8443', 'https://mirror.test/hibp/', 'http://localhost:1', 'http://127.0.0.1:1', 'http://[::1]:1']) t.ok(create(host), host)
  for (const host of ['http://api.pwnedpasswords.com', 'http://127.evil.test', 'ftp://x', 'not a host']) t.throws(() => create(host), host)
})

t.test('the policy refuses what was breached more often than it allows', async t => {
  const { url, requests } = await stub(t, response => response.end(rowFor(3)))
  const options = {
    min_password_length: 8, max_password_bytes: 1024, identifier_similarity_check_enabled: true, common_passwords_check_enabled: true,
    context_words: [], haveibeenpwned_enabled: true, haveibeenpwned_host: url, haveibeenpwned_timeout: '5s', max_breaches: 0, ignore_network_errors: false,
  }
  t.strictSame(await createPasswordPolicy(options)(password, []), { code: 'policy_breached', field: 'password', params: { count: 3 } })
  t.equal(await createPasswordPolicy({ ...options, max_breaches: 3 })(password, []), undefined)
  t.equal(requests.length, 2)
  t.match(await createPasswordPolicy(options)('password', []), { code: 'policy_common' })
  t.equal(requests.length, 2, 'what is refused anyway is asked about nowhere')
})
