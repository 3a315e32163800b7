/** What a person sees: `/` for everybody, `/dashboard` and `/dashboard/reports` for those whom the gateway let through. */
import { html } from '../assets/html.mjs'
import { settings } from '../settings.mjs'
import { page } from './layout.mjs'

/** @typedef {import('node:http').IncomingHttpHeaders} Headers */

/**
 * @param {URL} _url
 * @param {Headers} headers
 */
export function homePage(_url, headers) {
  const { email } = identity(headers)
  return page({
    title: 'Welcome',
    body: html`
      <section class="card hero">
        <h1>${email ? 'Good to see you' : 'Hello, stranger'}</h1>
        <p>${email
          ? html`You are logged in as <strong>${email}</strong>.`
          : 'This page is open to everybody. The dashboard is for people with an account.'}</p>
        <nav class="buttons">
          ${email
            ? html`<a class="button" href="/dashboard">Open the dashboard</a> ${logout('button secondary')}`
            : html`<a class="button" href="/auth/registration">Sign up</a> <a class="button secondary" href="/auth/login">Log in</a>`}
        </nav>
        ${!email && html`<p class="switch">Or go straight to <a href="/dashboard/reports">the reports</a> and see what happens.</p>`}
      </section>`,
  })
}

/**
 * @param {URL} _url
 * @param {Headers} headers
 */
export function dashboardPage(_url, headers) {
  return page({
    title: 'Dashboard',
    body: html`
      <section class="card">
        <h1>Dashboard</h1>
        ${greeting(headers)}
        <nav class="buttons">
          <a class="button" href="/dashboard/reports">Reports</a>
          <a class="button secondary" href="/api/me">Ask the API</a>
          ${logout('button secondary')}
        </nav>
      </section>
      <section class="card">
        <h2>What the gateway told this app</h2>
        <p>This app handles no password and checks no session. It reads who is asking from headers that only the gateway can set.</p>
        ${headerTable(headers)}
      </section>`,
  })
}

/**
 * A deep link: whoever is not logged in comes back exactly here afterwards.
 * @param {URL} _url
 * @param {Headers} headers
 */
export function reportsPage(_url, headers) {
  return page({
    title: 'Reports',
    body: html`
      <section class="card">
        <h1>Reports</h1>
        ${greeting(headers)}
        <p>If you had to log in on the way: this is the page that you asked for first.</p>
        <nav class="buttons"><a class="button secondary" href="/dashboard">Dashboard</a> ${logout('button secondary')}</nav>
      </section>`,
  })
}

/** @param {Headers} headers */
function greeting(headers) {
  const { id, email } = identity(headers)
  return html`<p>Logged in as <strong data-testid="email">${email ?? 'nobody'}</strong>${id && html` <span class="quiet">${id}</span>`}</p>`
}

/**
 * Trust in these two headers is trust in the network: this server must be reachable through the gateway only.
 * @param {Headers} headers
 */
function identity(headers) {
  return { id: text(headers['x-user-id']), email: text(headers['x-user-email']) }
}

/** @param {Headers} headers */
function headerTable(headers) {
  const shown = Object.entries(headers).filter(([name]) => name.startsWith('x-') || name === 'authorization')
  return html`
    <div class="scroll"><table>
      <thead><tr><th scope="col">Header</th><th scope="col">Value</th></tr></thead>
      <tbody>${shown.map(([name, value]) => html`<tr><th scope="row"><code>${name}</code></th><td><code>${value}</code></td></tr>`)}</tbody>
    </table></div>`
}

/** @param {string} className */
function logout(className) {
  return html`<a class="${className}" href="${settings.publicUrl}/auth/browser/logout">Log out</a>`
}

/** @param {string | string[] | undefined} value */
function text(value) {
  return typeof value === 'string' && value !== '' ? value : undefined
}
