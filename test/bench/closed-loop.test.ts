/** The load of machines without wrk: what it asks for and what it counts, against a server of the test. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'

const program = join(import.meta.dirname, '../../bench/load/closed-loop.mjs')

interface Settings { readonly paths?: readonly string[]; readonly connections?: number; readonly seconds?: number }

async function measure(t: Test, answer: RequestListener, { paths = ['/'], connections = 1, seconds = 0.3 }: Settings = {}) {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.closeAllConnections(); server.close() })

  const pathsFile = join(t.testdir(), 'paths.json')
  writeFileSync(pathsFile, JSON.stringify(paths))
  const settings = { port: (server.address() as AddressInfo).port, pathsFile, headers: { 'X-Of-The-Bench': 'yes' }, seconds, connections }
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(settings)])
  return JSON.parse(stdout) as { requests: number, requestsPerSecond: number, failures: number, p50: number | null, p99: number | null }
}

t.test('every connection asks again when it has been answered, for each path in turn, with the header fields', async t => {
  const asked: (string | undefined)[] = []
  const ports = new Set<number | undefined>()
  const result = await measure(t, (req, res) => {
    asked.push(req.url)
    ports.add(req.socket.remotePort)
    res.writeHead(req.headers['x-of-the-bench'] === 'yes' ? 200 : 400, { 'Content-Length': 2 }).end('ok')
  }, { paths: ['/a', '/b', '/c'] })
  t.equal(result.failures, 0)
  t.equal(ports.size, 1)
  t.ok(result.requests > 3)
  t.ok(asked.length - result.requests <= 1, 'all that were answered are counted')
  t.same(asked.slice(0, 4), ['/a', '/b', '/c', '/a'])
  t.ok(Number(result.p50) > 0 && Number(result.p50) <= Number(result.p99))
})

t.test('as many paths as the scenario of rules has', async t => {
  const paths = Array.from({ length: 10_000 }, (_, at) => `/service-${at}/small`)
  const result = await measure(t, (_, res) => { res.writeHead(200, { 'Content-Length': 0 }).end() }, { paths })
  t.equal(result.failures, 0)
  t.ok(result.requests > 0)
})

t.test('refused requests are failures and not requests that were answered', async t => {
  const result = await measure(t, (_, res) => { res.writeHead(401, { 'Content-Length': 0 }).end() })
  t.equal(result.requests, 0)
  t.ok(result.failures > 0)
})

t.test('a connection that ends without an answer is one failure, however it ends', async t => {
  const orderly = await measure(t, req => { req.socket.end() }, { connections: 3 })
  t.same([orderly.requests, orderly.failures], [0, 3])
  const reset = await measure(t, req => { req.socket.resetAndDestroy() }, { connections: 3 })
  t.same([reset.requests, reset.failures], [0, 3])
})
