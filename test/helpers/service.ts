/** A small HTTP service that handlers ask, on a port of its own. It remembers what it was asked. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Test } from 'tap'

export interface Asked {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Service {
  readonly url: string
  readonly asked: readonly Asked[]
  /** How it answers from now on. */
  answer(answer: Answering): void
  close(): Promise<void>
}

/** A status with a body (JSON unless it is a text) and header fields, or full control. */
export type Answering =
  | { readonly status?: number, readonly body?: unknown, readonly headers?: Readonly<Record<string, string>> }
  | ((res: ServerResponse, asked: Asked, req: IncomingMessage) => void)

/** Closed when the test ends, with every connection. */
export async function startService(t: Test, answering: Answering = { body: {} }): Promise<Service> {
  const asked: Asked[] = []
  const sockets = new Set<Socket>()
  let current = answering

  const server = createServer((req, res) => {
    let body = ''
    req.setEncoding('utf8').on('data', (chunk: string) => { body += chunk }).on('end', () => {
      const one = { method: req.method ?? '', target: req.url ?? '', headers: req.headers, body }
      asked.push(one)
      if (typeof current === 'function') {
        current(res, one, req)
        return
      }
      const { status = 200, body: content = '', headers = {} } = current
      res.writeHead(status, headers).end(typeof content === 'string' ? content : JSON.stringify(content))
    })
  })
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))

  async function close(): Promise<void> {
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => server.close(resolve))
  }
  t.teardown(close)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answer(next) { current = next },
    close,
  }
}

/** An origin where nobody listens. */
export async function deadOrigin(t: Test): Promise<string> {
  const service = await startService(t)
  await service.close()
  return service.url
}

/** How services fail besides saying no: each must end in a refusal, soon, and with little memory (security O10). */
export const faults: readonly { readonly name: string, readonly answer: Answering }[] = [
  { name: 'hangs', answer: () => undefined },
  {
    name: 'answers one byte at a time',
    answer(res) {
      res.writeHead(200, { 'content-type': 'application/json' })
      const timer = setInterval(() => { res.write(' ') }, 20)
      res.on('close', () => { clearInterval(timer) })
    },
  },
  {
    name: 'answers without end',
    answer(res) {
      res.writeHead(200, { 'content-type': 'application/json' })
      const chunk = Buffer.alloc(65_536, 0x20)
      const more = (): void => {
        while (!res.destroyed && res.write(chunk));
        if (!res.destroyed) res.once('drain', more)
      }
      more()
    },
  },
  { name: 'announces 50 MB', answer(res) { res.writeHead(200, { 'content-length': '52428800' }).write('{}') } },
  { name: 'redirects', answer(res, { target }) { res.writeHead(302, { location: target }).end('{"subject":"x","sub":"x","active":true,"allowed":true}') } },
  { name: 'answers 500', answer: { status: 500, body: { subject: 'x', sub: 'x', active: true, allowed: true } } },
  { name: 'cuts the connection', answer(_res, _asked, req) { req.socket.destroy() } },
  { name: 'cuts the answer', answer(res, _asked, req) { res.writeHead(200, { 'content-length': '100' }).write('{"subject":"x"', () => req.socket.destroy()) } },
  { name: 'speaks no HTTP', answer(_res, _asked, req) { req.socket.end('SSH-2.0-OpenSSH_9.2\r\n') } },
]
