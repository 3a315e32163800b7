/** The arithmetic of the report: medians, ratios, verdicts. Pure. */

/** The middle value; between the two middle ones when their number is even. `NaN` of nothing. */
export function median(/** @type {readonly number[]} */ values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return NaN
  if (sorted.length % 2 === 1) return /** @type {number} */ (sorted[middle])
  return (/** @type {number} */ (sorted[middle - 1]) + /** @type {number} */ (sorted[middle])) / 2
}

/** The smallest value that so many percent of all do not exceed; `sorted` rises. */
export function percentile(/** @type {ArrayLike<number>} */ sorted, /** @type {number} */ percent) {
  const at = Math.ceil(sorted.length * percent / 100) - 1
  return sorted[Math.max(0, at)] ?? NaN
}

/**
 * @typedef {object} Ratio
 * @property {number} median
 * @property {number} least
 * @property {number} most
 * @property {number} [byCpu] The same from processor time per request, which other programs on the machine disturb less.
 */

/**
 * Ratios of runs of the same round, which had the same weather; then their median. A ratio of medians would compare a good
 * minute of one with a bad minute of the other.
 * @param {readonly number[]} ours @param {readonly number[]} theirs
 * @returns {Ratio}
 */
export function ratioOf(ours, theirs) {
  const ratios = ours.map((value, round) => value / (theirs[round] ?? NaN)).filter(Number.isFinite)
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) }
}

/**
 * @typedef {{ atLeast: number } | { atMost: number }} Bound
 */

/**
 * Whether a ratio reaches its goal. `unclear` when rounds of the same run disagree about it and the median is within three
 * percent of the bound: then noise decides, and more repetitions are needed.
 * @param {Ratio} ratio @param {Bound} bound
 * @returns {'reached' | 'missed' | 'unclear' | 'not measured'}
 */
export function verdict(ratio, bound) {
  if (!Number.isFinite(ratio.median)) return 'not measured'
  const [goal, sign] = 'atLeast' in bound ? [bound.atLeast, 1] : [bound.atMost, -1]
  const reached = (/** @type {number} */ value) => (value - goal) * sign >= 0
  const near = Math.abs(ratio.median - goal) <= 0.03 * goal
  if (near && reached(ratio.least) !== reached(ratio.most)) return 'unclear'
  return reached(ratio.median) ? 'reached' : 'missed'
}

/**
 * @typedef {object} LoadResult
 * @property {number} requestsPerSecond
 * @property {number} requests
 * @property {number} failures Answers other than 2xx and 3xx, and broken connections.
 * @property {number} [p50] Milliseconds.
 * @property {number} [p99] Milliseconds.
 */

/**
 * What `wrk --latency` printed. Throws for text that is something else.
 * @param {string} text
 * @returns {LoadResult}
 */
export function parseWrk(text) {
  const rate = /^Requests\/sec:\s+([\d.]+)/m.exec(text)?.[1]
  const requests = /^\s+(\d+) requests in /m.exec(text)?.[1]
  if (rate === undefined || requests === undefined) throw new Error(`wrk said something unexpected:\n${text}`)
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0)
  const broken = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1).map(Number) ?? []
  return {
    requestsPerSecond: Number(rate), requests: Number(requests), failures: broken.reduce((sum, count) => sum + count, refused),
    p50: milliseconds(/^\s+50%\s+(\S+)/m.exec(text)?.[1]), p99: milliseconds(/^\s+99%\s+(\S+)/m.exec(text)?.[1]),
  }
}

/** @param {string | undefined} text */
function milliseconds(text) {
  const [, value = 'NaN', unit = ''] = /^([\d.]+)(us|ms|s|m)$/.exec(text ?? '') ?? []
  return Number(value) * ({ us: 0.001, ms: 1, s: 1000, m: 60_000 }[unit] ?? NaN)
}
