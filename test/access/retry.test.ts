import t from 'tap'

import { createOutgoing } from '../../src/access/outgoing.js'
import { fetchWithRetry } from '../../src/access/retry.js'
import { deadOrigin, startService, type Service } from '../helpers/service.js'

const options = { max_delay: '5ms', give_up_after: '1m' }

t.test('what may pass is tried up to five times', async test => {
  const { fetchBounded, close } = createOutgoing()
  test.teardown(close)
  const ask = (service: Service) => fetchWithRetry(fetchBounded, { url: service.url, method: 'POST', headers: {}, body: 'b', timeoutMs: 1000 }, options)

  for (const status of [500, 502, 503, 429]) {
    const service = await startService(test, { status })
    test.equal((await ask(service)).status, status)
    test.equal(service.asked.length, 5, `${status}`)
  }
  for (const status of [200, 204, 302, 400, 401, 403, 404, 501]) {
    const service = await startService(test, { status })
    test.equal((await ask(service)).status, status)
    test.equal(service.asked.length, 1, `${status}`)
  }

  let count = 0
  const recovering = await startService(test, res => { res.writeHead(++count < 3 ? 500 : 200).end('fine') })
  test.equal((await ask(recovering)).body.toString(), 'fine')
  test.strictSame(recovering.asked.map(({ body }) => body), ['b', 'b', 'b'])
})

t.test('what takes too long is not tried again, and all of it ends in time', async test => {
  const { fetchBounded, close } = createOutgoing()
  test.teardown(close)
  const hanging = await startService(test, () => undefined)
  const request = { url: hanging.url, method: 'POST', headers: {}, timeoutMs: 100 }
  await test.rejects(fetchWithRetry(fetchBounded, request, options), /did not answer in time/)
  test.equal(hanging.asked.length, 1)

  await test.rejects(fetchWithRetry(fetchBounded, { ...request, url: await deadOrigin(test) }, options), /can not be reached/)

  const failing = await startService(test, { status: 500 })
  const began = performance.now()
  await fetchWithRetry(fetchBounded, { ...request, url: failing.url }, { max_delay: '1h', give_up_after: '120ms' })
  test.ok(performance.now() - began < 10_000)
  test.ok(failing.asked.length < 4)
})
