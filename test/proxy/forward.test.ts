/** Forwarding as a client and an upstream see it. */
import t from 'tap'

import { start } from '../helpers/proxy-harness.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'

t.test('a request reaches the upstream and its answer the client', async t => {
  const { port, recorder, close, outcomes } = await start()
  t.teardown(close)

  const answer = await sendRaw(port, 'GET /public/a?b=c HTTP/1.1\r\nHost: app.test\r\nX-Thing: 1\r\nX-Thing: 2\r\n\r\n', { until: oneAnswer })
  t.equal(answer.status, 200)
  t.match(answer.text, /\r\n\r\nok$/)
  t.equal(recorder.requests[0]?.target, '/public/a?b=c')
  t.same(recorder.field('x-thing'), ['1', '2'])
  t.same(recorder.field('host'), [`127.0.0.1:${recorder.port}`])
  t.same(outcomes, [{ status: 200, end: 'complete' }])
})
