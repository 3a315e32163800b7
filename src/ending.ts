/** How what was opened comes to an end: in order, and within its time. */
import { setTimeout as delay } from 'node:timers/promises'

import type { Listener } from './http/listener.js'

/** Resolves when requests in flight have finished, or their time is over. */
export async function drain(listener: Listener, over: AbortSignal): Promise<void> {
  if (over.aborted) return
  const cut = new Promise<void>(resolve => { over.addEventListener('abort', () => { resolve() }, { once: true }) })
  await Promise.race([listener.drain(), cut])
}

/** Resolves after so long, or when it is cut short. */
export async function pause(ms: number, cutShort: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: cutShort }).catch(() => undefined)
}

/** How long each part may take to close: an upstream that hangs, say, would keep the process for ever. */
const closeWithinMs = 5000

/** Last opened, first closed; one that fails or hangs does not keep the others open. */
export async function closeAll(opened: readonly (() => Promise<void>)[]): Promise<void> {
  for (const close of [...opened].reverse()) {
    await Promise.race([close().catch(() => undefined), delay(closeWithinMs, undefined, { ref: false })])
  }
}
