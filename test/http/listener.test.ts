/** X12, L5: how a listener comes to an end. */
import { readFileSync } from 'node:fs'
import { createServer, get, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, get as getOverTls, type RequestOptions } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'

import { listen } from '../../src/http/listener.js'
import { makeCertificate } from '../helpers/certificates.js'

const body = Buffer.alloc(16_000_000, 'x')

type Ask = (options: RequestOptions, answered: (answer: IncomingMessage) => void) => ReturnType<typeof get>

/** Drains a server of which most of an answer has not been taken yet. */
async function drainUnderWay(t: Test, create: (answer: RequestListener) => Server, ask: Ask): Promise<void> {
  let answered: ServerResponse | undefined
  const listener = await listen(create((_req, res) => {
    answered = res
    res.setHeader('Content-Length', body.length)
    res.end(body)
  }), '127.0.0.1', 0)
  t.teardown(() => { listener.close() })

  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    ask({ port: listener.port, host: '127.0.0.1', rejectUnauthorized: false }, resolve).on('error', reject)
  })
  t.match(answered, { writableEnded: true, writableFinished: false }, 'most of it still waits for the client')
  const drained = listener.drain()
  await pause(250)

  let taken = 0
  answer.on('data', (piece: Buffer) => { taken += piece.length })
  await new Promise(resolve => answer.on('close', resolve).on('error', error => { t.comment(error) }))
  t.equal(taken, body.length)
  await drained
}

t.test('X12 an answer that has been handed over whole, but that its client takes slowly, is not cut when the server drains', t =>
  drainUnderWay(t, createServer, get))

t.test('X12 nor is one over TLS', t => {
  const { key, cert } = makeCertificate(t.testdir({}), 'server', ['localhost'])
  return drainUnderWay(t, answer => createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, answer), getOverTls)
})
