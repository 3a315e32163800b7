/** The authenticator `cookie_session`: who is logged in, by the gateway's own sessions or by those of another service. */
import type { FromSchema } from 'json-schema-to-ts'

import { GatewayError } from '../../errors.js'
import { readCookie } from '../../http/cookies.js'
import type { FoundSession } from '../../store/store.js'
import type { Authenticate, Handler, Services } from '../pipeline.js'
import { createSessionCheck, sessionCheckProperties, type SessionCheckOptions } from '../session-check.js'
import { compileSessionFacts, type SessionFacts } from '../session-facts.js'

const config = {
  type: 'object', additionalProperties: false,
  properties: {
    only: { type: 'array', items: { type: 'string', minLength: 1 }, description: 'Cookies that may hold the session; the first that is there counts. Default: `session.cookie.name`, or any cookie with `check_session_url`.' },
    ...sessionCheckProperties,
    check_session_url: { ...sessionCheckProperties.check_session_url, description: 'Service that is asked instead of the gateway\'s own sessions: 200 with a JSON document, or the cookie is refused. The keys below are for it.' },
    subject_from: { ...sessionCheckProperties.subject_from, description: 'GJSON path of the subject in the session document. Default: `identity.id`, or `subject` with `check_session_url`.' },
    extra_from: { ...sessionCheckProperties.extra_from, description: 'GJSON path of what templates see as `.Extra`. Default: `@this`, or `extra` with `check_session_url`.' },
  },
} as const

type Options = FromSchema<typeof config>

/** Responsible when the cookie is there. A cookie that no session belongs to is refused, never passed on as anonymous. */
export const cookieSession: Handler<Authenticate> = {
  name: 'cookie_session',
  config,
  create(options: Options, services) {
    const { check_session_url, subject_from = 'subject', extra_from = 'extra', only = [] } = options
    if (check_session_url === undefined) return ownSessions(options, services)
    return sessionsElsewhere({ ...options, check_session_url, subject_from, extra_from }, only, services)
  },
}

/** A function call, no network. Two cookies of one name count as none (security C2). */
function ownSessions({ only = [], subject_from = 'identity.id', extra_from = '@this' }: Options, services: Services): Authenticate {
  const { sessions, sessionCookie, sessionDocument } = services
  const names = only.length === 0 ? [sessionCookie] : only
  const factsIn = compileSessionFacts(subject_from, extra_from)
  /** A session that is found again unchanged, as it is as long as it is kept in memory, says the same again. */
  const known = new WeakMap<FoundSession, SessionFacts>()

  function factsOf(found: FoundSession): SessionFacts {
    let facts = known.get(found)
    if (facts === undefined) known.set(found, facts = factsIn(sessionDocument(found)))
    return facts
  }

  return async session => {
    const token = firstCookie(session.match.request.headers.cookie, names)
    if (token === undefined) return undefined

    const found = await sessions.verify(token)
    if (found === undefined) throw new GatewayError('unauthorized', { reason: 'The session is unknown or has ended' })
    const { subject, extra } = factsOf(found)
    return { ...session, subject, extra, stillValid: async () => await sessions.verify(token) !== undefined }
  }
}

/** The service gets the whole `Cookie` field and decides what to make of it; it is not asked when none of the cookies is there. */
function sessionsElsewhere(options: SessionCheckOptions, only: readonly string[], { fetchBounded }: Services): Authenticate {
  const check = createSessionCheck(options, 'cookie', fetchBounded)
  return async session => {
    const { request } = session.match
    const names = cookieNames(request.headers.cookie)
    const responsible = only.length === 0 ? names.length > 0 : only.some(name => names.includes(name))
    return responsible ? { ...session, ...await check(request) } : undefined
  }
}

function firstCookie(header: string | undefined, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = readCookie(header, name)
    if (value !== undefined) return value
  }
  return undefined
}

function cookieNames(header = ''): string[] {
  return header.split(';').flatMap(pair => {
    const equals = pair.indexOf('=')
    return equals === -1 ? [] : [pair.slice(0, equals).trim()]
  })
}
