/** A failure as a page, for people whose browser meets it before any page of the company's app can be shown. */
import { STATUS_CODES } from 'node:http'

import type { Answer, GatewayError } from '../errors.js'
import { prefersJson } from './error-body.js'
import { escapeHtml } from './html.js'

/** Whether a client asks for HTML by name, as browsers do for what they show. */
export function asksForPage(accept: string | undefined): boolean {
  return accept !== undefined && accept.includes('text/html') && !prefersJson(accept)
}

/** Status, public sentence, reason and request id, and nothing else (security K6). No script, no style from elsewhere. */
export function pageAnswer(error: GatewayError, requestId: string): Answer {
  const title = `${error.status} ${STATUS_CODES[error.status] ?? 'Error'}`
  const reason = error.reason === undefined || error.status >= 500 ? '' : `<p>${escapeHtml(error.reason)}</p>`
  return {
    status: error.status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
      'x-content-type-options': 'nosniff',
      ...error.headers,
    },
    body: '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
      + `<title>${title}</title><h1>${title}</h1><p>${escapeHtml(error.message)}.</p>${reason}`
      + `<p><small>Request ${escapeHtml(requestId)}</small></p>`,
  }
}
