/**
 * Notices when this process stood still: one piece of work that took long, a machine that was busy with others, or a process
 * that was stopped. Nobody is served meanwhile, and what is asked later shows nothing of it (security X17).
 */

/** How often it looks whether it is on time, in milliseconds: this much a stall may look shorter than it was. */
const lookEveryMs = 100

/** Calls `onStall` with its length in milliseconds after each stall longer than `limitMs`; 0 is never. The result ends that. */
export function watchStalls(limitMs: number, onStall: (ms: number) => void): () => void {
  if (limitMs === 0) return () => undefined
  let due = performance.now() + lookEveryMs
  const looking = setInterval(() => {
    const now = performance.now()
    if (now - due > limitMs) onStall(now - due)
    due = now + lookEveryMs
  }, lookEveryMs).unref()
  return () => { clearInterval(looking) }
}
