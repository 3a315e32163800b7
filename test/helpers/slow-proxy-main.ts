/** The proxy of slow-proxy.ts, as a process of its own: what the test's process is busy with must not delay what passes here. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

import type { FromProxy, ToProxy } from './slow-proxy.js'

const port = Number(process.argv[2])
/** Infinity: nothing arrives. */
let delayMs = 0
/** By how much a chunk was later than it should have been, at most, since that was last asked. */
let latestMs = 0
const lanes = new Set<() => void>()

/** One direction of one connection. Chunks keep their order, and each is late by itself: a pipeline is as late as one command. */
function pass(from: Socket, to: Socket, delayOf: () => number): void {
  const waiting: { readonly chunk: Buffer, readonly arrivedAt: number }[] = []
  let timer: NodeJS.Timeout | undefined

  function deliver(): void {
    clearTimeout(timer)
    for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
      const dueInMs = first.arrivedAt + delayOf() - performance.now()
      if (dueInMs === Infinity) return
      if (dueInMs > 0) {
        timer = setTimeout(deliver, dueInMs)
        return
      }
      if (delayOf() > 0) latestMs = Math.max(latestMs, -dueInMs)
      waiting.shift()
      if (to.writable) to.write(first.chunk)
    }
  }

  lanes.add(deliver)
  from.on('data', chunk => {
    waiting.push({ chunk, arrivedAt: performance.now() })
    if (waiting.length === 1) deliver()
  })
  from.on('error', () => undefined).on('close', () => {
    clearTimeout(timer)
    lanes.delete(deliver)
    to.destroy()
  })
}

const tell = (message: FromProxy): unknown => process.send?.(message)

const server = createServer({ noDelay: true }, near => {
  const far = connect({ port, host: '127.0.0.1', noDelay: true })
  pass(near, far, () => delayMs === Infinity ? Infinity : 0)
  pass(far, near, () => delayMs)
}).listen(0, '127.0.0.1', () => tell({ port: (server.address() as AddressInfo).port, latestMs }))

process.on('message', (order: ToProxy) => {
  delayMs = order.delayMs ?? Infinity
  for (const deliver of lanes) deliver()
  tell({ port, latestMs })
  latestMs = 0
})
process.on('disconnect', () => process.exit(0))
