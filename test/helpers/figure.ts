/** Figures behind the README's promises: what tests measure, told so that `npm run chaos`, `fuzz` and `soak` make a table of it. */
import type { Test } from 'tap'

/** Tells one: `promise` is its id (`L6`), `done` what was done, `figure` what came of it. It holds if the test does that tells it. */
export function tellFigure(t: Test, promise: string, done: string, figure: string): void {
  t.comment(`figure ${JSON.stringify({ promise, done, figure })}`)
}

/** A number from the environment, which makes a long run of a test. */
export function lengthOf(name: string, usual: number): number {
  return Number(process.env[name] ?? usual)
}

/** 1234567 as `1,234,567`. */
export function grouped(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}

/** The value that a share of them does not exceed: `quantile(list, 0.99)` is p99; 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
