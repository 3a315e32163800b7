/**
 * More than one core: a primary process that serves nothing itself, and workers that share its listeners (node:cluster). The
 * primary hands connections out in turn, starts anew what dies, and is the one that is told to stop.
 */
import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'

import type { Log } from '../log.js'
import type { Order, Ports, Report } from './messages.js'
import { answerSurveys } from './survey.js'

/** Workers that accept requests. */
export interface Workers extends Ports {
  /** Tells all of them to stop, and to hurry once `hurry` is aborted; resolves when they are gone. */
  stop(hurry: AbortSignal): Promise<void>
  /** Has each of them read the configuration again. */
  reload(): void
}

/** A worker that lives longer than this has a new one in its place at once; after shorter lives the pauses grow. */
const settledMs = 10_000
const longestPauseMs = 10_000

/**
 * Starts this program `count` times over; resolves when they accept requests. Rejects when the first of them ends before it
 * does, with its reason on standard error by then.
 */
export async function startWorkers(count: number, log: Log): Promise<Workers> {
  const ending = new AbortController()
  // JSON has no NaN and no infinity; metrics have.
  cluster.setupPrimary({ serialization: 'advanced' })
  answerSurveys()

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

function startWorker(log: Log): Worker {
  const worker = cluster.fork()
  void untilReady(worker).then(() => { log.info({ worker: worker.id, pid: worker.process.pid }, 'a worker accepts requests') }, () => undefined)
  return worker
}

async function untilReady(worker: Worker): Promise<Ports> {
  return new Promise((resolve, reject) => {
    worker.on('message', (report: Report) => {
      if ('ready' in report) resolve(report.ready)
    })
    worker.once('exit', (code, signal) => { reject(new Error(`a worker ended before it accepted requests (${signal ?? code})`)) })
  })
}

function tellAll(order: Order): void {
  for (const worker of Object.values(cluster.workers ?? {})) {
    if (worker?.isConnected() === true) worker.send(order)
  }
}
