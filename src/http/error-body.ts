/** The JSON error envelope that both predecessors answer with (contract 1.2), and who wants JSON at all (contract 1.3). */
import { STATUS_CODES } from 'node:http'

import type { GatewayError } from '../errors.js'

/** Members in the order in which they are written; empty ones are left out. */
export interface ErrorBody {
  readonly code: number
  readonly status?: string
  readonly request?: string
  readonly reason?: string
  readonly details?: Readonly<Record<string, unknown>>
  readonly message: string
}

/** An error as clients see it. `requestId` is how its cause is found in the log. */
export function errorBody(error: GatewayError, requestId?: string): ErrorBody {
  const status = STATUS_CODES[error.status]
  return {
    code: error.status,
    ...(status === undefined ? {} : { status }),
    ...(requestId === undefined ? {} : { request: requestId }),
    ...(error.reason === undefined ? {} : { reason: error.reason }),
    ...(error.details === undefined ? {} : { details: error.details }),
    message: error.message,
  }
}

/**
 * Whether an `Accept` header asks for JSON rather than a page: negotiated among `application/json`, `text/html`,
 * `text/*` and everything; the higher `q` wins, then the more specific range, then the order of that list.
 */
export function prefersJson(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === '') return false

  const json = preference(accept, 'application', 'json')
  const html = preference(accept, 'text', 'html')
  if (json === undefined) return false
  if (html === undefined) return json.q > 0
  if (json.q !== html.q) return json.q > html.q
  return json.q > 0 && json.specificity >= html.specificity
}

interface Preference { readonly q: number, readonly specificity: number }

function preference(accept: string, type: string, subtype: string): Preference | undefined {
  let best: Preference | undefined
  for (const range of accept.split(',')) {
    const [media = '', ...params] = range.split(';').map(part => part.trim().toLowerCase())
    const specificity = media === `${type}/${subtype}` ? 2 : media === `${type}/*` ? 1 : media === '*/*' ? 0 : -1
    if (specificity === -1 || (best !== undefined && specificity <= best.specificity)) continue
    const q = params.find(param => param.startsWith('q='))
    best = { q: q === undefined ? 1 : Number(q.slice(2)) || 0, specificity }
  }
  return best
}
