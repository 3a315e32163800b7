/** The report: the table of goals, everything behind it, and what changed since an earlier run. Pure. */
import { median, verdict } from './figures.mjs'

/**
 * @typedef {import('./figures.mjs').Ratio} Ratio
 * @typedef {import('./bench.mjs').Run} Run
 *
 * @typedef {object} Results What a run leaves in its JSON file.
 * @property {string} at
 * @property {Readonly<Record<string, unknown>>} machine
 * @property {{ rounds: number, seconds: number }} settings
 * @property {Readonly<Record<string, string>>} missing
 * @property {Readonly<Record<string, Ratio | string>>} outcomes By the goal's id: a ratio, or why there is none.
 * @property {readonly import('./bench.mjs').Series[]} series
 */

/**
 * The whole report as Markdown; with `earlier`, a column of its ratios.
 * @param {Results} results @param {readonly import('./goals.mjs').Goal[]} goals @param {Results} [earlier]
 */
export function reportText(results, goals, earlier) {
  const missing = Object.entries(results.missing).map(([name, how]) => `* ${name} is missing: ${how}`)
  return [goalsTable(results, goals, earlier), '', seriesTable(results), ...missing.length === 0 ? [] : ['', ...missing]].join('\n')
}

/** @param {Results} results @param {readonly import('./goals.mjs').Goal[]} goals @param {Results} [earlier] */
export function goalsTable({ outcomes }, goals, earlier) {
  const heads = ['goal', 'wanted', 'measured (least - most)', 'by CPU', '', 'limit', ...earlier === undefined ? [] : ['earlier', 'now of earlier']]
  const rows = goals.filter(({ id }) => outcomes[id] !== undefined).map(goal => {
    const outcome = outcomes[goal.id]
    const wanted = 'atLeast' in goal.bound ? `≥ ${goal.bound.atLeast}` : `≤ ${goal.bound.atMost}`
    const measured = typeof outcome === 'object' ? [ratioText(outcome), numberText(outcome.byCpu ?? NaN, 2), verdict(outcome, goal.bound)] : [outcome ?? '', '-', 'not measured']
    return [goal.what, wanted, ...measured, goal.limit, ...earlier === undefined ? [] : comparison(outcome, earlier.outcomes[goal.id])]
  })
  return table(heads, rows)
}

/** Medians of everything that was measured. @param {Results} results */
export function seriesTable({ series }) {
  return table(['measured', 'of', 'req/s', 'CPU µs/req', 'p50 ms', 'p99 ms'], series.map(({ scenario, subject, runs }) => [
    scenario, subject, ...[
      ['requestsPerSecond', 0], ['cpuMicros', 1], ['p50', 2], ['p99', 2],
    ].map(([key, digits]) => numberText(median(runs.flatMap(run => run[/** @type {'p50'} */ (key)] ?? [])), Number(digits))),
  ]))
}

/** @param {Ratio | string | undefined} now @param {Ratio | string | undefined} then */
function comparison(now, then) {
  if (typeof then !== 'object') return ['-', '-']
  return [numberText(then.median, 2), typeof now === 'object' ? numberText(now.median / then.median, 2) : '-']
}

/** @param {Ratio} ratio */
function ratioText({ median: middle, least, most }) {
  return `**${numberText(middle, 2)}** (${numberText(least, 2)} - ${numberText(most, 2)})`
}

/** @param {number} value @param {number} digits */
function numberText(value, digits) {
  return Number.isFinite(value) ? value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }) : '-'
}

/** @param {readonly string[]} heads @param {readonly (readonly string[])[]} rows */
function table(heads, rows) {
  const widths = heads.map((head, column) => Math.max(head.length, 3, ...rows.map(row => row[column]?.length ?? 0)))
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(heads), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
