import t, { type Test } from 'tap'

import { createOutgoing, OutgoingError, type OutgoingAnswer, type OutgoingRequest } from '../../src/access/outgoing.js'
import { deadOrigin, faults, startService } from '../helpers/service.js'

function outgoing(test: Test, options = {}): (request: Partial<OutgoingRequest> & { url: string }) => Promise<OutgoingAnswer> {
  const { fetchBounded, close } = createOutgoing(options)
  test.teardown(close)
  return request => fetchBounded({ method: 'GET', headers: {}, timeoutMs: 2000, ...request })
}

async function failure(answer: Promise<unknown>): Promise<OutgoingError> {
  try {
    await answer
  } catch (thrown) {
    if (thrown instanceof OutgoingError) return thrown
    throw thrown
  }
  throw new Error('there was an answer')
}

t.test('it sends what it is told and nothing of its own', async test => {
  const service = await startService(test, { status: 418, body: 'short and stout', headers: { 'x-answer': '1' } })
  const fetch = outgoing(test)
  const answer = await fetch({ url: `${service.url}/a/b?c=d`, method: 'POST', headers: { 'x-one': '1' }, body: 'hello' })

  test.equal(answer.status, 418)
  test.equal(answer.body.toString(), 'short and stout')
  test.equal(answer.headers['x-answer'], '1')
  const [asked] = service.asked
  test.match(asked, { method: 'POST', target: '/a/b?c=d', body: 'hello' })
  const { host: _, connection: __, ...others } = asked?.headers ?? {}
  test.strictSame(others, { 'x-one': '1', 'content-length': '5' })
})

t.test('a redirect is an answer like others, and goes nowhere', async test => {
  const service = await startService(test, { status: 302, headers: { location: '/elsewhere' } })
  const answer = await outgoing(test)({ url: `${service.url}/here` })
  test.equal(answer.status, 302)
  test.strictSame(service.asked.map(({ target }) => target), ['/here'])
})

t.test('proxies of the environment are not used', async test => {
  const proxy = await startService(test, { body: 'proxied' })
  const service = await startService(test, { body: 'direct' })
  for (const name of ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'NODE_USE_ENV_PROXY']) {
    const before = process.env[name]
    process.env[name] = name === 'NODE_USE_ENV_PROXY' ? '1' : proxy.url
    test.teardown(() => {
      if (before === undefined) delete process.env[name]
      else process.env[name] = before
    })
  }
  const answer = await outgoing(test)({ url: service.url })
  test.equal(answer.body.toString(), 'direct')
  test.strictSame(proxy.asked, [])
})

t.test('O10 whatever a service does, there is an answer or an error within the time, and no more than 1 MiB of it', async test => {
  const expected: Readonly<Record<string, string>> = {
    'hangs': 'timeout', 'answers one byte at a time': 'timeout', 'answers without end': 'too_large', 'announces 50 MB': 'too_large',
    'redirects': 'answer', 'answers 500': 'answer', 'cuts the connection': 'unreachable', 'cuts the answer': 'unreachable',
    'speaks no HTTP': 'unreachable',
  }
  const fetch = outgoing(test)
  for (const { name, answer } of faults) {
    const service = await startService(test, answer)
    const began = performance.now()
    const outcome = await fetch({ url: `${service.url}/secret-free?token=hidden`, timeoutMs: 300 }).then(() => 'answer', (error: OutgoingError) => {
      test.notMatch(error.message, 'hidden')
      return error.kind
    })
    test.equal(outcome, expected[name], name)
    test.ok(performance.now() - began < 10_000, `${name}: in time`)
  }
})

t.test('a service that is not there is unreachable', async test => {
  const error = await failure(outgoing(test)({ url: `${await deadOrigin(test)}/x` }))
  test.equal(error.kind, 'unreachable')
  test.match(error.message, /^http:\/\/127\.0\.0\.1:\d+\/x: can not be reached \(ECONNREFUSED\)$/)
})

t.test('an answer of exactly the limit is taken, one byte more is not', async test => {
  const service = await startService(test, { body: 'x'.repeat(100) })
  const fetch = outgoing(test)
  test.equal((await fetch({ url: service.url, maxBytes: 100 })).body.length, 100)
  test.equal((await failure(fetch({ url: service.url, maxBytes: 99 }))).kind, 'too_large')
  service.answer(res => { res.write('x'.repeat(50)); res.end('x'.repeat(50)) })
  test.equal((await fetch({ url: service.url, maxBytes: 100 })).body.length, 100)
  test.equal((await failure(fetch({ url: service.url, maxBytes: 99 }))).kind, 'too_large')
})

t.test('one service that hangs takes a bounded number of requests and no other service along', async test => {
  const slow = await startService(test, () => undefined)
  const other = await startService(test, { body: 'here' })
  const fetch = outgoing(test, { connections: 2, requests: 4 })

  const waiting = Array.from({ length: 4 }, () => failure(fetch({ url: slow.url, timeoutMs: 2_000 })))
  test.equal((await failure(fetch({ url: slow.url }))).kind, 'overloaded')
  test.equal((await fetch({ url: other.url })).body.toString(), 'here')
  test.ok(slow.asked.length <= 2, 'as long as nobody has given up')
  test.strictSame((await Promise.all(waiting)).map(({ kind }) => kind), ['timeout', 'timeout', 'timeout', 'timeout'])

  slow.answer({ body: 'back' })
  test.equal((await fetch({ url: slow.url })).body.toString(), 'back', 'and recovers')
})
