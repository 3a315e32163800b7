/** The chart of sign-ups: bars as inline SVG, and the same numbers as a table for whoever does not see them. */
import type { HourCount } from './status.js'

const width = 480
const height = 160
const gap = 3
/** Room for the hours below, and for the greatest number above. */
const below = 26
const above = 22

/** One bar per hour. Only numbers and hours get into it. */
export function signUpChart(hours: readonly HourCount[]): string {
  const most = Math.max(1, ...hours.map(({ count }) => count))
  const total = hours.reduce((sum, { count }) => sum + count, 0)
  const step = width / hours.length
  const bars = hours.map(({ from, count }, index) => {
    const tall = Math.round(count / most * (height - above - below))
    const x = round(index * step + gap / 2)
    const y = height - below - tall
    const barWidth = round(step - gap)
    const label = index % 6 === 5 || count === most ? `<text x="${round(x + barWidth / 2)}" y="${height - 7}" text-anchor="middle">${hourOf(from).slice(0, 2)}</text>` : ''
    const number = count === most ? `<text x="${round(x + barWidth / 2)}" y="${y - 4}" text-anchor="middle">${count}</text>` : ''
    return `<rect x="${x}" y="${y}" width="${barWidth}" height="${tall}" rx="2"><title>${hourOf(from)} UTC: ${count}</title></rect>${label}${number}`
  })
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${total} in the last day, by hour">`
    + `<line x1="0" y1="${height - below}" x2="${width}" y2="${height - below}"/>${bars.join('')}</svg>`
    + `<details><summary>As a table</summary><table><caption>New accounts by hour (UTC)</caption>`
    + '<thead><tr><th scope="col">from</th><th scope="col" class="number">accounts</th></tr></thead><tbody>'
    + hours.map(({ from, count }) => `<tr><th scope="row">${hourOf(from)}</th><td class="number">${count}</td></tr>`).join('')
    + '</tbody></table></details>'
}

function hourOf(instant: number): string {
  return new Date(instant).toISOString().slice(11, 16)
}

function round(number: number): number {
  return Math.round(number * 10) / 10
}
