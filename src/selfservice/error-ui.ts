/** Errors of a browser's visit: kept, shown by the company's own error page, fetched by that page (contract 1.4, 1.12). */
import { randomUUID } from 'node:crypto'

import { GatewayError } from '../errors.js'
import { csrfBinding, isBoundTo, newCsrfCookie } from '../http/csrf.js'
import { errorBody } from '../http/error-body.js'
import type { JsonObject, StoredError } from '../store/records.js'
import { jsonReply, redirectTo, withParameter, type Reply } from '../http/reply.js'
import type { SelfService } from './service.js'
import { isUuid, type Visit } from './visit.js'

/**
 * Stores the error and sends the browser to `urls.error_ui`, with a CSRF cookie if it has none: it is what the error can be
 * read with. Rejects with `store_unavailable` when the error can't be stored, and with `too_many_requests` for an address
 * that makes errors faster than it may begin flows: each of them takes room in the store (security D11).
 */
export async function showError(error: GatewayError, visit: Visit, { store, urls, cookies, limits }: SelfService): Promise<Reply> {
  await limits.beginFlow(visit.request.clientAddress)
  const cookie = visit.csrfCookie ?? newCsrfCookie()
  const stored: StoredError = {
    id: randomUUID(),
    errors: [errorBody(error, visit.request.requestId) as unknown as JsonObject],
    csrfBinding: csrfBinding(cookie),
    createdAt: Date.now(),
  }
  await store.saveError(stored)
  return redirectTo(withParameter(urls.errorUi, 'error', stored.id), visit.csrfCookie === undefined ? [cookies.csrf(cookie)] : [])
}

/** The errors as a bare list, the seed's day's shape. 404 when unknown. */
export async function readErrors(id: string, service: SelfService): Promise<Reply> {
  const stored = isUuid(id) ? await service.store.findError(id.toLowerCase()) : undefined
  if (stored === undefined) throw new GatewayError('unknown_resource')
  return jsonReply(200, stored.errors)
}

/** The errors as `{ id, errors }`, the later shape, for the browser they happened to. */
export async function readErrorInBrowser(id: string, visit: Visit, service: SelfService): Promise<Reply> {
  const stored = isUuid(id) ? await service.store.findError(id.toLowerCase()) : undefined
  if (stored?.csrfBinding === undefined || !isBoundTo(stored.csrfBinding, visit.csrfCookie)) {
    throw new GatewayError('csrf_unbound', { reason: 'A request failed due to a missing or invalid csrf_token value.' })
  }
  return jsonReply(200, { id: stored.id, errors: stored.errors })
}

/** As `readErrorInBrowser`, for the app's own server: no cookie, 404 when unknown. */
export async function readErrorAsAdmin(id: string, service: SelfService): Promise<Reply> {
  const stored = isUuid(id) ? await service.store.findError(id.toLowerCase()) : undefined
  if (stored === undefined) throw new GatewayError('unknown_resource')
  return jsonReply(200, { id: stored.id, errors: stored.errors })
}
