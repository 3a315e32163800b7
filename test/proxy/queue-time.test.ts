/** D2 towards upstreams: nobody waits for ever for a connection that others hold. */
import t from 'tap'

import { start } from '../helpers/proxy-harness.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'

t.test('D2 whoever gets no connection to the upstream in time is told to come back, and the upstream never hears of it', async t => {
  const proxy = await start({ connections: 1, response: 500 })
  t.teardown(() => proxy.close())
  // An upload that goes on holds the only connection: no timeout of the answer ends it.
  const head = 'POST /public/upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000000\r\n\r\n'
  const uploading = sendRaw(proxy.port, [head, 'x'.repeat(1000)], { waitMs: 3000 })
  while (proxy.recorder.openConnections() === 0) await new Promise(next => setTimeout(next, 5))

  const began = Date.now()
  const { status, text } = await sendRaw(proxy.port, 'GET /public/x HTTP/1.1\r\nHost: app.test\r\n\r\n', { until: oneAnswer })
  t.equal(status, 503)
  t.match(text, /^retry-after: \d+\r$/im)
  t.ok(Date.now() - began >= 400, 'it waited its turn')
  t.same(proxy.recorder.requests, [])
  await uploading
})
