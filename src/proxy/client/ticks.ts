/** Coarse limits on waiting: counted in ticks of one timer, since a timer for each request would cost more than it does. */

/** Milliseconds between ticks, and so by how much a limit may be late. None is ever early, not even after a busy spell. */
const tickMs = 100

/** Ticks that surely take as long as this; for ever when 0. */
export function ticksOf(ms: number): number {
  return ms === 0 ? Infinity : Math.ceil(ms / tickMs) + 1
}

export interface Ticking {
  /** Calls once per tick from now on. */
  start(): void
  stop(): void
}

/** Holds no process alive. */
export function createTicking(tick: () => void): Ticking {
  let timer: NodeJS.Timeout | undefined
  return {
    start() {
      timer ??= setInterval(tick, tickMs).unref()
    },
    stop() {
      clearInterval(timer)
      timer = undefined
    },
  }
}
