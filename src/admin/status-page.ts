/** The status page: HTML as the server writes it. Nothing on it needs a script, and nothing comes from elsewhere. */
import { createHash } from 'node:crypto'

import { escapeHtml as escape } from '../http/html.js'
import type { Reply } from '../http/reply.js'
import { signUpChart } from './sign-up-chart.js'
import { readStatus, type RuleHits, type Status, type StatusSources } from './status.js'
import { statusStyle } from './status-style.js'

/** Where it is. */
export const statusPath = '/status'

/** Seconds after which a browser asks again, unless it was asked not to. */
const refreshSeconds = 15

/** `?refresh=off` stands still, for reading and for screen readers. */
export async function readStatusPage(query: URLSearchParams, sources: StatusSources): Promise<Reply> {
  return {
    status: 200,
    headers: {
      'Cache-Control': 'no-store',
      'Content-Security-Policy': `default-src 'none'; style-src '${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
      'X-Frame-Options': 'DENY',
    },
    body: { type: 'text/html; charset=utf-8', content: statusPage(await readStatus(sources), query.get('refresh') !== 'off') },
  }
}

const styleHash = `sha256-${createHash('sha256').update(statusStyle).digest('base64')}`

/** The page as a text. Everything that was not written here is escaped. */
export function statusPage(status: Status, refreshes: boolean): string {
  const { at, version, uptimeSeconds, signUps, rules } = status
  const problems = problemsOf(status)
  return '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    + (refreshes ? `<meta http-equiv="refresh" content="${refreshSeconds}">` : '')
    + `<meta name="color-scheme" content="light dark"><title>${problems.length === 0 ? 'Oathgate' : 'Trouble: Oathgate'}</title>`
    + `<style>${statusStyle}</style></head><body>`
    + `<header><h1>Oathgate</h1><p>${escape(version)}, up ${duration(uptimeSeconds)}, at <time datetime="${iso(at)}">${moment(at)}</time>. `
    + (refreshes ? `Refreshes every ${refreshSeconds} seconds; <a href="?refresh=off">stand still</a>.` : `<a href="?">Refresh by itself</a>.`)
    + '</p></header><main>'
    + problemList(problems)
    + `<section aria-labelledby="now"><h2 id="now">Now</h2>${figures(status)}</section>`
    + `<section aria-labelledby="sign-ups"><h2 id="sign-ups">New accounts in the last day</h2>${signUps === undefined ? unknown : signUpChart(signUps)}</section>`
    + `<section aria-labelledby="rules"><h2 id="rules">Access rules</h2>`
    + `<p>${count(rules.count)} in force, loaded <time datetime="${iso(rules.loadedAt)}">${moment(rules.loadedAt)}</time>. `
    + `Requests are those of this process, since it started or the rule came.</p>${ruleTable(status)}</section>`
    + '</main></body></html>'
}

const unknown = '<p>Not known while the store does not answer.</p>'

/** HTML, each. */
function problemsOf({ accepting, store, rules }: Status): string[] {
  return [
    ...accepting ? [] : ['<p>This process has been told to stop and takes no new connections.</p>'],
    ...store.answerMs === undefined ? ['<p>The store does not answer, or can not be written to: protected routes, sign-ups and logins are answered with 503.</p>'] : [],
    ...rules.error === undefined ? [] : [`<p>The access rules as they are now were refused; the last good ones stay in force.</p><pre>${escape(rules.error)}</pre>`],
  ]
}

function problemList(problems: readonly string[]): string {
  if (problems.length === 0) return '<p class="well" role="status">All is well.</p>'
  return problems.map(problem => `<div class="trouble" role="alert">${problem}</div>`).join('')
}

function figures({ store, sessions, signUps, load }: Status): string {
  const signedUp = signUps?.reduce((sum, { count }) => sum + count, 0)
  const mean = store.meanMs === undefined ? '' : `, ${milliseconds(store.meanMs)} each`
  return `<dl>${[
    figure(`Store (${store.kind})`, store.answerMs === undefined ? 'down' : milliseconds(store.answerMs),
      `${count(store.operations)} operations of this process${mean}, ${count(store.errors)} failed`),
    figure('Sessions', sessions === undefined ? '?' : count(sessions), 'that have not ended, of all gateways'),
    figure('New accounts', signedUp === undefined ? '?' : count(signedUp), 'in the last day, of all gateways'),
    figure('Connections', count(load.connections), `of this process, ${count(load.tunnels)} of them WebSockets`),
    figure('Passwords', count(load.hashing.running), `being hashed by this process, ${count(load.hashing.waiting)} waiting`),
  ].join('')}</dl>`
}

function figure(name: string, value: string, remark: string): string {
  return `<div><dt>${name}</dt><dd><strong>${value}</strong> <span>${remark}</span></dd></div>`
}

function ruleTable({ rules }: Status): string {
  if (rules.count === 0) return '<p>Without any, everything but self-service is answered with 404.</p>'
  const unlisted = rules.count - rules.shown.length
  const uncounted = rules.shown.some(({ hits }) => hits === undefined) || unlisted > 0
  return '<div class="wide" role="region" aria-label="Access rules" tabindex="0"><table aria-labelledby="rules">'
    + '<thead><tr><th scope="col">rule</th><th scope="col" class="number">requests</th><th scope="col">methods</th><th scope="col">URL</th><th scope="col">upstream</th></tr></thead>'
    + `<tbody>${rules.shown.map(ruleRow).join('')}</tbody></table></div>`
    + (uncounted ? `<p>Rules without a number are counted together: ${count(rules.otherHits)} requests (metrics.max_rules).</p>` : '')
    + (unlisted > 0 ? `<p>${count(unlisted)} more are not listed here; <code>/rules</code> has them all.</p>` : '')
}

function ruleRow({ id, hits, methods, url, upstream }: RuleHits): string {
  return `<tr><th scope="row">${escape(id)}</th><td class="number">${hits === undefined ? '' : count(hits)}</td><td>${escape(methods.join(' '))}</td>`
    + `<td><code>${escape(url)}</code></td><td>${upstream === '' ? 'decisions only' : `<code>${escape(upstream)}</code>`}</td></tr>`
}

function count(number: number): string {
  return number.toLocaleString('en-US')
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
}

function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60)
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24]
  if (minutes === 0) return `${Math.floor(seconds)} s`
  if (days > 0) return `${days} d ${hours} h`
  return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`
}

function iso(instant: number): string {
  return new Date(instant).toISOString()
}

function moment(instant: number): string {
  return `${iso(instant).slice(0, 16).replace('T', ' ')} UTC`
}
