/** Answers whose time would tell what their text does not (security A2). */
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Settles as the work does, at the end of a whole number of steps since it began. Work that nearly always takes less than one
 * step takes one for everybody: how much of the step it took is not seen.
 */
export async function atEvenPace<Result>(stepMs: number, work: () => Promise<Result>): Promise<Result> {
  const began = performance.now()
  try {
    return await work()
  } finally {
    const taken = performance.now() - began
    await delay(Math.ceil(stepMs - taken % stepMs))
  }
}
