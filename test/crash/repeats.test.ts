/**
 * L14: no request that may change something is ever sent twice, whatever becomes of the connection; others are at most repeated once.
 * `REPEAT_REQUESTS=10000` makes a long run of it.
 */
import t from 'tap'

import { grouped, lengthOf, tellFigure } from '../helpers/figure.js'
import { startProcess } from '../helpers/proxy-process.js'
import { random, seed } from '../helpers/random.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'

const requests = lengthOf('REPEAT_REQUESTS', 1_000)
const clients = 10
/** One answer in so many is a reset, and one in so many is the last of its connection, though it does not say so. */
const resetEvery = 8
const closeEvery = 4

t.test(`L14 ${requests} requests before an upstream that drops connections at random: none that changes something arrives twice`, async t => {
  const proxy = await startProcess()
  t.teardown(() => proxy.close())
  const next = random(seed)
  proxy.recorder.behave({ answer(socket) {
    if (next() < 1 / resetEvery) return socket.resetAndDestroy()
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    if (next() < 1 / closeEvery) setTimeout(() => { socket.destroy() }, next() * 10)
    return undefined
  } })

  let sent = 0
  const answers = new Map<number, number>()
  async function client(): Promise<void> {
    while (sent < requests) {
      const id = sent++
      const method = id % 2 === 0 ? 'POST' : 'GET'
      const bytes = method === 'POST'
        ? `POST /public/${id} HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nbody` : `GET /public/${id} HTTP/1.1\r\nHost: app.test\r\n\r\n`
      answers.set(id, (await sendRaw(proxy.port, bytes, { until: oneAnswer, waitMs: 10_000 })).status)
    }
  }
  await Promise.all(Array.from({ length: clients }, client))

  const arrived = new Map<string, number>()
  for (const { method, target } of proxy.recorder.requests) arrived.set(`${method} ${target}`, (arrived.get(`${method} ${target}`) ?? 0) + 1)
  const timesOf = (method: string): number[] => [...arrived].filter(([request]) => request.startsWith(method)).map(([, times]) => times)
  const most = { POST: Math.max(...timesOf('POST')), GET: Math.max(...timesOf('GET')) }
  const refused = [...answers.values()].filter(status => status === 502).length
  tellFigure(t, 'L14', `${grouped(requests)} requests, half of them posts, before an upstream that drops connections at random`,
    `posts arrived at most ${most.POST} time, gets at most ${most.GET} times; ${grouped(refused)} were 502`)
  t.equal(most.POST, 1, `seed ${seed}: posts`)
  t.ok(most.GET <= 2, `seed ${seed}: gets at most ${most.GET} times`)
  t.ok([...answers.values()].every(status => status === 200 || status === 502), 'each has an answer')
  t.ok(refused > requests / 50, 'connections were dropped in the middle')
})
