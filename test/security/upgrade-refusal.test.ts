/** P1 for handshakes: an answer that can not be written is no reason to die. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import t from 'tap'

import { GatewayError } from '../../src/errors.js'
import { upgradeHandler, type PublicParts } from '../../src/gateway.js'
import { countInFlight } from '../../src/http/in-flight.js'
import { sendRaw } from '../helpers/raw.js'

t.test('P1 a refused handshake whose answer is no answer ends its connection, and nothing else', async t => {
  const handle = upgradeHandler({
    readRequest: () => {
      throw new GatewayError('unauthorized', { answer: () => ({ status: 302, headers: { location: '/\r\nX-Forged: 1' }, body: '' }) })
    },
    inFlight: countInFlight(0),
    metrics: { ended: () => undefined },
    log: pino({ level: 'silent' }),
  } as unknown as PublicParts)
  const rejections: unknown[] = []
  const heard = (reason: unknown): number => rejections.push(reason)
  process.on('unhandledRejection', heard)
  const server = createServer().on('upgrade', (req, socket, head) => { handle(req, socket as never, head, { requestId: 'request-1' }) })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    process.off('unhandledRejection', heard)
    server.close()
  })

  const handshake = 'GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
  const { text, end } = await sendRaw((server.address() as AddressInfo).port, handshake)
  t.equal(text, '')
  t.not(end, 'open')
  t.same(rejections, [])
})
