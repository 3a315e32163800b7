/**
 * A sample app behind the gateway: the pages for registration and login, and a dashboard that knows who is asking.
 * `node demo/app/server.mjs` starts it.
 */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'

import { dashboardPage, homePage, reportsPage } from './pages/account.mjs'
import { clientSidePage } from './pages/client-side.mjs'
import { errorPage, flowErrorPage } from './pages/error.mjs'
import { flowPage } from './pages/flow.mjs'
import { settings } from './settings.mjs'

/**
 * @typedef {import('./pages/layout.mjs').Page} Page
 * @type {Readonly<Record<string, (url: URL, headers: import('node:http').IncomingHttpHeaders) => Page | Promise<Page>>>}
 */
const pages = {
  '/': homePage,
  '/dashboard': dashboardPage,
  '/dashboard/reports': reportsPage,
  '/auth/registration': flowPage('registration'),
  '/auth/login': flowPage('login'),
  '/spa/registration': clientSidePage('registration'),
  '/spa/login': clientSidePage('login'),
  '/error': flowErrorPage,
  '/health': () => ({ headers: { 'Content-Type': 'text/plain' }, body: 'ok' }),
  '/assets/style.css': () => asset('style.css', 'text/css; charset=utf-8'),
  '/assets/icon.svg': () => asset('icon.svg', 'image/svg+xml'),
  '/assets/client-side.mjs': () => asset('client-side.mjs', 'text/javascript; charset=utf-8'),
  '/assets/form.mjs': () => asset('form.mjs', 'text/javascript; charset=utf-8'),
  '/assets/html.mjs': () => asset('html.mjs', 'text/javascript; charset=utf-8'),
  '/assets/labels.mjs': () => asset('labels.mjs', 'text/javascript; charset=utf-8'),
}

const server = createServer((request, response) => {
  void answer(request).catch(unreachable).then(({ status = 200, headers, body }) => {
    response.writeHead(status, { 'X-Content-Type-Options': 'nosniff', ...headers, 'Content-Length': Buffer.byteLength(body) })
    response.end(request.method === 'HEAD' ? undefined : body)
  })
})

// Longer than the gateway keeps idle connections to its upstreams, so that it never sends into one that is just closing.
server.keepAliveTimeout = 65_000
server.listen(settings.port, settings.host, () => {
  console.log(`app: http://${settings.host}:${settings.port}`)
})
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close()
    server.closeAllConnections()
  })
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @returns {Promise<Page>}
 */
async function answer(request) {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, headers: { Allow: 'GET, HEAD', 'Content-Type': 'text/plain' }, body: 'Only GET and HEAD.' }
  }
  const url = new URL(request.url ?? '/', 'http://app')
  const found = Object.hasOwn(pages, url.pathname) ? pages[url.pathname] : undefined
  if (!found) return errorPage(404, [{ title: 'Not found', text: 'There is no such page.' }])
  return found(url, request.headers)
}

/** @param {unknown} cause */
function unreachable(cause) {
  console.error('app:', cause)
  return errorPage(502, [{ title: 'The gateway does not answer', text: 'Please try again in a moment.' }])
}

/**
 * @param {string} name
 * @param {string} type
 * @returns {Promise<Page>}
 */
async function asset(name, type) {
  const body = await readFile(new URL(`assets/${name}`, import.meta.url), 'utf8')
  return { headers: { 'Content-Type': type, 'Cache-Control': 'no-cache' }, body }
}
