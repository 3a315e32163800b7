/**
 * What wrk does, for machines without it: as many requests as so many connections get answered. Usage: closed-loop.mjs {"port",
 * "pathsFile", "headers", "seconds", "connections"}, the file a JSON array, asked for in turn; prints a result as JSON.
 */
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'

import { percentile } from '../figures.mjs'
import { getRequest, openConnection } from './http-client.mjs'

const { port, pathsFile, headers, seconds, connections } = JSON.parse(process.argv[2] ?? '')
const requests = JSON.parse(readFileSync(pathsFile, 'utf8')).map((/** @type {string} */ path) => getRequest(port, path, headers))
/** @type {number[]} */
const latencies = []
let next = 0
let failures = 0
const startedAt = performance.now()

for (let count = 0; count < connections; count++) {
  let sentAt = performance.now()
  const connection = openConnection(port, ok => {
    if (ok) latencies.push(performance.now() - sentAt)
    else failures++
    sentAt = performance.now()
    connection.send(requests[next++ % requests.length])
  })
  connection.send(requests[next++ % requests.length])
}

setTimeout(() => {
  // Not the seconds that were asked for: a process that does not get its core is late.
  const elapsed = (performance.now() - startedAt) / 1000
  const sorted = Float64Array.from(latencies).sort()
  const result = { requests: sorted.length, requestsPerSecond: sorted.length / elapsed, failures, p50: percentile(sorted, 50), p99: percentile(sorted, 99) }
  process.stdout.write(JSON.stringify(result), () => process.exit())
}, seconds * 1000)
