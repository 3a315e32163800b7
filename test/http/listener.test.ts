/** X12, L5: how a listener comes to an end. */
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'

import { listen } from '../../src/http/listener.js'

t.test('X12 an answer that has been handed over whole, but that its client takes slowly, is not cut when the server drains', async t => {
  const body = Buffer.alloc(16_000_000, 'x')
  let answered: ServerResponse | undefined
  const server = createServer((_req, res) => {
    answered = res
    res.setHeader('Content-Length', body.length)
    res.end(body)
  })
  const listener = await listen(server, '127.0.0.1', 0)
  t.teardown(() => { listener.close() })

  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ port: listener.port, host: '127.0.0.1' }, resolve).on('error', reject)
  })
  t.match(answered, { writableEnded: true, writableFinished: false }, 'most of it still waits for the client')
  const drained = listener.drain()
  await pause(250)

  let taken = 0
  try {
    for await (const piece of answer) taken += (piece as Buffer).length
  } catch (error) {
    t.comment(error)
  }
  t.equal(taken, body.length)
  await drained
})
