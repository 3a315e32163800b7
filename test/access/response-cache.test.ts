import t from 'tap'

import { createResponseCache } from '../../src/access/response-cache.js'

t.test('H14 an answer is remembered for its own question only', test => {
  const cache = createResponseCache()
  cache.set(['introspection', 'https://one', 'token'], { sub: 'ann' }, 1000)
  test.strictSame(cache.get(['introspection', 'https://one', 'token']), { sub: 'ann' })
  test.equal(cache.get(['introspection', 'https://two', 'token']), undefined)
  test.equal(cache.get(['introspection', 'https://one', 'token2']), undefined)
  test.equal(cache.get(['introspection', 'https://one"', 'token']), undefined)
  test.equal(cache.get(['introspection', 'https://onetoken', '']), undefined)
  test.equal(cache.get(['other', 'https://one', 'token']), undefined)
  test.end()
})

t.test('what one reader does to an answer, no other sees', test => {
  const cache = createResponseCache()
  const answer = { list: ['a'] }
  cache.set(['x'], answer, 1000)
  answer.list.push('b')
  const read = cache.get(['x']) as typeof answer
  read.list.push('c')
  test.strictSame(cache.get(['x']), { list: ['a'] })
  test.end()
})

t.test('answers are forgotten in time, and the oldest first when there are too many', async test => {
  const cache = createResponseCache({ maxBytes: 3000 })
  cache.set(['short'], 'x', 5)
  cache.set(['never'], 'x', 0)
  test.equal(cache.get(['never']), undefined)
  await new Promise(resolve => setTimeout(resolve, 20))
  test.equal(cache.get(['short']), undefined)

  for (let n = 0; n < 100; n++) cache.set(['many', n], 'x'.repeat(100), 10_000)
  test.equal(cache.get(['many', 0]), undefined)
  test.equal(cache.get(['many', 99]), 'x'.repeat(100))
  cache.set(['huge'], 'x'.repeat(10_000), 10_000)
  test.equal(cache.get(['huge']), undefined)
})
