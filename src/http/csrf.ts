/**
 * Protection of forms against other sites (contract 1.1, security C3 and C4): a cookie that only this browser has, and in
 * every form a token made from that cookie and the flow the form belongs to, masked anew each time it is shown.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

import { readCookie } from './cookies.js'
import type { OriginList } from './origins.js'

/**
 * The cookie's name. Not the predecessor's `csrf_token`, which apps behind the gateway use for themselves. Over https it has
 * the prefix that keeps a sibling subdomain from planting one of its own (security C2).
 */
export const csrfCookieNames = { http: 'oathgate_csrf', https: '__Host-oathgate_csrf' } as const

/** A year; the cookie stays the same until logout, so that forms in parallel tabs work. */
export const csrfCookieMaxAgeSeconds = 31_536_000

/** A fresh cookie value: 32 random bytes in standard base64, 44 characters. */
export function newCsrfCookie(): string {
  return randomBytes(32).toString('base64')
}

/** The browser's cookie; `undefined` when it has none, two, or one that was not made here. */
export function readCsrfCookie(cookieHeader: string | undefined, name: string): string | undefined {
  const value = readCookie(cookieHeader, name)
  return value !== undefined && /^[A-Za-z0-9+/]{43}=$/.test(value) ? value : undefined
}

/** What a flow remembers of the browser that began it: enough to recognise the cookie, not enough to make it. */
export function csrfBinding(cookie: string): string {
  return createHash('sha256').update(cookie).digest('base64url')
}

/** Whether the cookie is the one that the binding was made from. */
export function isBoundTo(binding: string, cookie: string | undefined): boolean {
  return cookie !== undefined && equalDigests(Buffer.from(binding, 'base64url'), Buffer.from(csrfBinding(cookie), 'base64url'))
}

/** The token of one flow's forms in one browser, 32 bytes in base64url. Worthless without the cookie. */
export function csrfToken(cookie: string, flowId: string): string {
  return createHmac('sha256', Buffer.from(cookie, 'base64')).update(flowId).digest('base64url')
}

/**
 * The token as a form carries it: a one-time pad and the token under it, 64 bytes in base64, 88 characters, different
 * each time so that compression reveals nothing of it (BREACH).
 */
export function maskCsrfToken(token: string): string {
  const bytes = Buffer.from(token, 'base64url')
  const pad = randomBytes(bytes.length)
  return Buffer.concat([pad, xor(pad, bytes)]).toString('base64')
}

/** Whether `presented` is a masked token of that flow in the browser that has the cookie. Compares in constant time. */
export function isCsrfToken(presented: string | undefined, cookie: string | undefined, flowId: string): boolean {
  // Node's base64 reads much that is none.
  if (presented === undefined || cookie === undefined || !/^[A-Za-z0-9+/]{86}==$/.test(presented)) return false
  const bytes = Buffer.from(presented, 'base64')
  return equalDigests(xor(bytes.subarray(0, 32), bytes.subarray(32)), Buffer.from(csrfToken(cookie, flowId), 'base64url'))
}

/**
 * Whether a state-changing request may come from where the browser says it comes from. Browsers that say nothing (and
 * other clients) are judged by their token alone; `Origin: null` is nobody's origin (security C3). A link has no `Origin`:
 * where it stands is in `Referer`, which no page can make up.
 */
export function isTrustedOrigin(headers: IncomingHttpHeaders, trusted: OriginList): boolean {
  const site = headers['sec-fetch-site']
  if (site === 'same-origin') return true
  const { origin, referer } = headers
  if (origin !== undefined) return trusted(origin)
  if (site === undefined || site === 'none') return true
  return referer !== undefined && URL.canParse(referer) && trusted(new URL(referer).origin)
}

function xor(left: Uint8Array, right: Uint8Array): Buffer {
  return Buffer.from(left.map((byte, index) => byte ^ (right[index] as number)))
}

function equalDigests(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right)
}
