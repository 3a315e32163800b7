/**
 * Requests at a fixed rate, whether or not earlier ones have been answered: what visitors do, and what a closed loop such as
 * wrk hides. Usage: constant-rate.mjs {"port", "path", "headers", "rate", "seconds", "warmupSeconds"}; prints a result as JSON.
 */
import { performance } from 'node:perf_hooks'

import { percentile } from '../figures.mjs'
import { getRequest, openConnection } from './http-client.mjs'

const { port, path, headers, rate, seconds, warmupSeconds } = JSON.parse(process.argv[2] ?? '')
const request = getRequest(port, path, headers)
/** @type {{ send: () => void }[]} */
const idle = []
const latencies = new Float64Array(Math.ceil(rate * seconds))
const warmup = Math.round(rate * warmupSeconds)
const total = warmup + latencies.length
let sent = 0
let measured = 0
let open = 0
let failures = 0

for (let count = 0; count < 64; count++) addConnection()
const startedAt = performance.now()
const timer = setInterval(sendDue, 1)

function sendDue() {
  const due = Math.min(total, (performance.now() - startedAt) * rate / 1000)
  while (sent < due) {
    if (idle.length === 0) addConnection()
    sent++
    open++
    idle.pop()?.send()
  }
  if (sent === total) {
    clearInterval(timer)
    setTimeout(report, 5000)
  }
}

function addConnection() {
  let sentAt = 0
  let counts = false
  const connection = openConnection(port, ok => {
    open--
    if (!ok) failures++
    else if (counts) latencies[measured++] = performance.now() - sentAt
    idle.push(lane)
    if (open === 0 && sent === total) report()
  })
  const lane = {
    send() {
      sentAt = performance.now()
      counts = sent > warmup
      connection.send(request)
    },
  }
  idle.push(lane)
}

/** What has not been answered after five seconds has failed. */
function report() {
  const sorted = latencies.subarray(0, measured).sort()
  const result = { requests: measured, requestsPerSecond: rate, failures: failures + open, p50: percentile(sorted, 50), p99: percentile(sorted, 99) }
  process.stdout.write(JSON.stringify(result), () => process.exit())
}
