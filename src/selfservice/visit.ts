/** One request of a browser to a self-service endpoint, with what it proves about itself. */
import { GatewayError } from '../errors.js'
import type { AccessRequest } from '../http/access-request.js'
import { readCookie } from '../http/cookies.js'
import { readCsrfCookie } from '../http/csrf.js'
import { prefersJson } from '../http/error-body.js'
import type { Sessions } from '../session/sessions.js'
import type { FoundSession } from '../store/store.js'
import type { BrowserCookies } from './browser-cookies.js'
import { deviceCookieName } from './known-device.js'

export interface Visit {
  readonly request: AccessRequest
  readonly query: URLSearchParams
  /** Absent when the browser has none yet. */
  readonly csrfCookie: string | undefined
  /** The value of the session cookie, valid or not. */
  readonly sessionToken: string | undefined
  /** Names the browser among those that have logged in before; absent when it has not. */
  readonly deviceCookie: string | undefined
  /** Whether the client asks for JSON rather than for a page. */
  readonly wantsJson: boolean
}

/** Reads cookies, query and `Accept`; asks no store. */
export function readVisit(request: AccessRequest, names: Pick<BrowserCookies, 'sessionName' | 'csrfName'>): Visit {
  const { cookie, accept } = request.headers
  return {
    request,
    query: new URLSearchParams(request.query),
    csrfCookie: readCsrfCookie(cookie, names.csrfName),
    sessionToken: readCookie(cookie, names.sessionName),
    deviceCookie: readCookie(cookie, deviceCookieName),
    wantsJson: prefersJson(accept),
  }
}

/** Who the browser is logged in as; `undefined` for nobody. */
export async function visitorSession(visit: Visit, sessions: Sessions): Promise<FoundSession | undefined> {
  return visit.sessionToken === undefined ? undefined : sessions.verify(visit.sessionToken)
}

/** A query parameter that is a UUID; throws `bad_request` with that reason when it is absent or anything else. */
export function requiredId(visit: Visit, name: string, reason: string): string {
  const id = visit.query.get(name)
  if (id === null || !isUuid(id)) throw new GatewayError('bad_request', { reason })
  return id.toLowerCase()
}

/** Whether a text is written as a UUID. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}
