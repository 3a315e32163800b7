/** The side of a worker: it says when it accepts requests, does what it is told, and knows what its fellows measure. */
import cluster from 'node:cluster'

import type { Measured, Order, Ports, Report } from './messages.js'

/** The number of this worker, counted from 1 over all that were started; `undefined` in any other process. */
export const workerId: number | undefined = cluster.worker?.id

/**
 * Says where this worker listens, and resolves when it is told to stop; `hurry` is aborted when the primary says so. SIGTERM
 * stops this worker alone. SIGINT is the primary's business: a terminal sends it to all of them.
 */
export async function untilTold(ports: Ports, hurry: AbortController): Promise<void> {
  await new Promise<void>(resolve => {
    process.on('message', (order: Order) => {
      if (order === 'hurry') hurry.abort()
      if (order === 'stop') resolve()
    })
    process.on('SIGTERM', () => { resolve() })
    process.on('SIGINT', () => undefined)
    tell({ ready: { publicPort: ports.publicPort, adminPort: ports.adminPort } })
  })
}

/** For a worker that has stopped, or could not start: lets go of the primary, so that the process can end. */
export function leave(): void {
  cluster.worker?.disconnect()
}

/**
 * Answers what the primary asks with `measure`. The function that it returns resolves to what all workers have measured, this
 * one among them; those that do not answer in time are left out.
 */
export function shareMeasures(measure: () => Promise<Measured>): () => Promise<readonly Measured[]> {
  const waiting = new Map<number, (measured: readonly Measured[]) => void>()
  let wants = 0

  process.on('message', (order: Order) => {
    if (typeof order !== 'object') return
    if ('question' in order) {
      // While it stops, what it would measure may be gone.
      void measure().catch(() => []).then(measured => { tell({ question: order.question, measured }) })
    } else {
      waiting.get(order.wanted)?.(order.measured)
      waiting.delete(order.wanted)
    }
  })

  return () => new Promise(resolve => {
    waiting.set(wants, resolve)
    tell({ wants })
    wants += 1
  })
}

function tell(report: Report): void {
  process.send?.(report)
}
