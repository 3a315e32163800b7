/** What wrk does, for machines without it: as many requests as so many connections get answered. Usage as constant-rate.mjs, with "connections", and several "paths". */
import { performance } from 'node:perf_hooks'

import { percentile } from '../figures.mjs'
import { getRequest, openConnection } from './http-client.mjs'

const { port, paths, headers, seconds, connections } = JSON.parse(process.argv[2] ?? '')
const requests = paths.map((/** @type {string} */ path) => getRequest(port, path, headers))
/** @type {number[]} */
const latencies = []
let next = 0
let failures = 0

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
  const sorted = Float64Array.from(latencies).sort()
  const result = { requests: sorted.length, requestsPerSecond: sorted.length / seconds, failures, p50: percentile(sorted, 50), p99: percentile(sorted, 99) }
  process.stdout.write(JSON.stringify(result), () => process.exit())
}, seconds * 1000)
