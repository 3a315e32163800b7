/** Go's durations (`720h`, `1h30m`, `2s`), the spelling of both predecessors' configuration. */

const unitMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** A duration in milliseconds. The text has passed the schema's pattern; anything else is `NaN`. */
export function durationMs(text: string): number {
  let total = 0
  for (const [, amount, unit] of text.matchAll(/([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s|m|h)/g)) {
    total += Number(amount) * (unitMs[unit as string] as number)
  }
  return text === '' ? NaN : total
}
