/** Chance that can be had again. */

/** Given in the environment, or made up; tests say it when they fail. */
export const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)

/** mulberry32: the same numbers from 0 up to 1 for the same seed. */
export function random(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
