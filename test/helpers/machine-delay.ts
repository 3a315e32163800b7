/** How late this machine is of itself, so that limits of the product are not blamed for it. */
const everyMs = 50

/** Begins to watch; the function that it returns ends that, and tells how many milliseconds timers came too late, all in all. */
export function watchMachineDelay(): () => number {
  let late = 0
  let expected = performance.now() + everyMs
  const timer = setInterval(() => {
    const now = performance.now()
    late += Math.max(0, now - expected)
    expected = now + everyMs
  }, everyMs)
  return () => {
    clearInterval(timer)
    return Math.round(late)
  }
}
