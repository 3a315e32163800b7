/** Connections to upstreams behind TLS, which hands over what comes record by record, and tells late what it has written. */
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createSecureContext, createServer, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'

import { makeCertificate } from '../helpers/certificates.js'
import { start, type Proxy } from '../helpers/proxy-harness.js'
import { oneAnswer, sendRaw, type RawAnswer } from '../helpers/raw.js'

interface OverTls extends Proxy {
  ask(path: string): Promise<RawAnswer>
  connections(): number
}

/** One connection to an upstream that answers each request, which it gets the path of, as it is told. */
async function startOverTls(t: Test, answer: (socket: TLSSocket, path: string) => void): Promise<OverTls> {
  const { key, cert } = makeCertificate(t.testdir({}), 'upstream', ['localhost'])
  let connections = 0
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, socket => {
    connections++
    socket.setNoDelay(true).on('error', () => undefined)
    socket.on('data', bytes => { answer(socket, /^GET (\S+)/.exec(String(bytes))?.[1] ?? '') })
  })
  await new Promise<void>(listening => { server.listen(0, '127.0.0.1', () => listening()) })
  const proxy = await start({
    connections: 1,
    upstream: { origin: `https://localhost:${(server.address() as AddressInfo).port}`, tls: { id: 'any', context: createSecureContext(), verify: false } },
  })
  t.teardown(async () => {
    await proxy.close()
    server.close()
  })
  return {
    ...proxy,
    ask: path => sendRaw(proxy.port, `GET /public/${path} HTTP/1.1\r\nHost: app.test\r\n\r\n`, { until: oneAnswer }),
    connections: () => connections,
  }
}

const saying = (text: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`

t.test('S21 a second answer that came along with the first is not given to the request that waited for the connection', async t => {
  let secondWaits: () => void = () => undefined
  const waiting = new Promise<void>(resolve => { secondWaits = resolve })
  const { ask } = await startOverTls(t, (socket, path) => {
    if (path !== '/public/first') {
      socket.write(saying(path))
      return
    }
    void waiting.then(() => {
      socket.write(saying('first'))
      socket.write(saying('one more'))
    })
  })
  const first = ask('first')
  await new Promise(next => setTimeout(next, 100))
  const second = ask('second')
  setTimeout(secondWaits, 100)
  t.match([(await first).text, (await second).text], [/first$/, /\/public\/second$/])
})

t.test('requests that wait for each other share the connection', async t => {
  const { ask, connections } = await startOverTls(t, (socket, path) => socket.write(saying(path)))
  const answers = await Promise.all(Array.from({ length: 8 }, (_request, number) => ask(String(number))))
  t.strictSame(answers.map(({ text }) => text.slice(-9)), answers.map((_answer, number) => `/public/${number}`))
  t.equal(connections(), 1)
})
