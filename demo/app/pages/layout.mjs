/** The frame that all pages share. */
import { html, toString } from '../assets/html.mjs'

/**
 * @typedef {{ status?: number, headers?: Record<string, string>, body: string }} Page
 *
 * A whole HTML page. It may load the app's own style sheet, and the app's own script only when it names one.
 * @param {{ title: string, body: unknown, status?: number, script?: string, formsLeaveSite?: boolean }} content
 *   `formsLeaveSite`: a form ends up at another site (an OpenID provider); `form-action` also holds for the redirects after
 *   a submit, and the app can not know where those lead.
 * @returns {Page}
 */
export function page({ title, body, status = 200, script, formsLeaveSite = false }) {
  const document = html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title} · Acme</title>
    <link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/assets/style.css">
    ${script && html`<script type="module" src="${script}"></script>`}
  </head>
  <body>
    <header><a href="/"><img src="/assets/icon.svg" alt="" width="28" height="28">Acme</a></header>
    <main>${body}</main>
    <footer>A sample app behind Oathgate. Everything here is rendered by <code>demo/app</code>.</footer>
  </body>
</html>`

  return {
    status,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': 'no-store',
      'Content-Security-Policy': [
        "default-src 'none'", "style-src 'self'", "img-src 'self'", "base-uri 'none'", "frame-ancestors 'none'",
        ...script ? ["script-src 'self'", "connect-src 'self'"] : [],
        ...formsLeaveSite ? [] : ["form-action 'self'"],
      ].join('; '),
      // Not `no-referrer`: with it browsers send `Origin: null` with forms, which a CSRF check must refuse.
      'Referrer-Policy': 'same-origin',
      'Cross-Origin-Opener-Policy': 'same-origin',
    },
    body: toString(document),
  }
}

/**
 * @param {string} location
 * @returns {Page}
 */
export function redirect(location) {
  return { status: 302, headers: { Location: location, 'Cache-Control': 'no-store' }, body: '' }
}
