/**
 * More than one core: a primary process that serves nothing itself, and workers that share its listeners (node:cluster). The
 * primary hands connections out in turn, starts anew what dies, and is the one that is told to stop.
 */
import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'

import type { Log } from './log.js'

/** Where a gateway listens, as the worker that runs it found out. */
export interface Ports {
  readonly publicPort: number
  readonly adminPort: number
}

/** Workers that accept requests. */
export interface Workers extends Ports {
  /** Tells all of them to stop, and to hurry once `hurry` is aborted; resolves when they are gone. */
  stop(hurry: AbortSignal): Promise<void>
  /** Has each of them read the configuration again. */
  reload(): void
}

/** The number of this worker, counted from 1 over all that were started; `undefined` in any other process. */
export const workerId: number | undefined = cluster.worker?.id

/** A worker that lives longer than this has a new one in its place at once; after shorter lives the pauses grow. */
const settledMs = 10_000
const longestPauseMs = 10_000

/** What a worker says when it accepts requests, and what it is told. */
interface Ready {
  readonly ready: Ports
}
type Order = 'stop' | 'hurry'

/**
 * Starts this program `count` times over; resolves when they accept requests. Rejects when the first of them ends before it
 * does, with its reason on standard error by then.
 */
export async function startWorkers(count: number, log: Log): Promise<Workers> {
  const ending = new AbortController()

  async function keepUp(first: Worker): Promise<void> {
    let pauseMs = 0
    for (let worker = first; ; worker = startWorker(log)) {
      const startedAt = performance.now()
      const [code, signal] = await once(worker, 'exit') as [number | null, NodeJS.Signals | null]
      if (ending.signal.aborted) return

      pauseMs = performance.now() - startedAt > settledMs ? 0 : Math.min(longestPauseMs, pauseMs * 2 + 100)
      const fields = { worker: worker.id, pid: worker.process.pid, code, signal, pause_ms: pauseMs }
      if (code === 0) log.info(fields, 'a worker stopped; another takes its place')
      else log.error(fields, 'a worker died; another takes its place')
      await delay(pauseMs, undefined, { signal: ending.signal }).catch(() => undefined)
      if (ending.signal.aborted) return
    }
  }

  // Alone at first, so that what all of them would stumble over is told once.
  const first = startWorker(log)
  const ports = await untilReady(first)
  const others = Array.from({ length: count - 1 }, () => startWorker(log))
  const lives = [first, ...others].map(keepUp)
  await Promise.allSettled(others.map(untilReady))

  return {
    ...ports,
    async stop(hurry) {
      ending.abort()
      tellAll('stop')
      const onHurry = (): void => { tellAll('hurry') }
      hurry.addEventListener('abort', onHurry)
      if (hurry.aborted) onHurry()
      await Promise.all(lives)
      hurry.removeEventListener('abort', onHurry)
    },
    reload() {
      for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGHUP')
    },
  }
}

/**
 * For a worker: says where it listens, and resolves when it is told to stop. `hurry` is aborted when the primary says so.
 * SIGTERM stops this worker alone. SIGINT is the primary's business: a terminal sends it to all of them.
 */
export async function untilTold({ publicPort, adminPort }: Ports, hurry: AbortController): Promise<void> {
  await new Promise<void>(resolve => {
    process.on('message', (order: Order) => {
      if (order === 'hurry') hurry.abort()
      else resolve()
    })
    process.on('SIGTERM', () => { resolve() })
    process.on('SIGINT', () => undefined)
    process.send?.({ ready: { publicPort, adminPort } } satisfies Ready)
  })
}

/** For a worker that has stopped, or could not start: lets go of the primary, so that the process can end. */
export function leave(): void {
  cluster.worker?.disconnect()
}

function startWorker(log: Log): Worker {
  const worker = cluster.fork()
  worker.once('message', () => { log.info({ worker: worker.id, pid: worker.process.pid }, 'a worker accepts requests') })
  return worker
}

async function untilReady(worker: Worker): Promise<Ports> {
  return new Promise((resolve, reject) => {
    worker.once('message', (message: Ready) => { resolve(message.ready) })
    worker.once('exit', (code, signal) => { reject(new Error(`a worker ended before it accepted requests (${signal ?? code})`)) })
  })
}

function tellAll(order: Order): void {
  for (const worker of Object.values(cluster.workers ?? {})) {
    if (worker?.isConnected() === true) worker.send(order)
  }
}
