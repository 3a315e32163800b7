/** The authenticator `cookie_session`: who is logged in, by the gateway's own sessions. No other service is asked. */
import type { FromSchema } from 'json-schema-to-ts'

import { GatewayError } from '../../errors.js'
import { readCookie } from '../../http/cookies.js'
import { ConfigMistake } from '../config-mistake.js'
import { compileJsonPath } from '../json-path.js'
import { isJsonObject } from '../json.js'
import type { Authenticate, Handler } from '../pipeline.js'

const config = {
  type: 'object', additionalProperties: false,
  properties: {
    only: { type: 'array', items: { type: 'string', minLength: 1 }, description: 'Cookies that may hold the session; the first that is there counts. Default: `session.cookie.name`.' },
    subject_from: { type: 'string', default: 'identity.id', description: 'GJSON path of the subject in the session document.' },
    extra_from: { type: 'string', default: '@this', description: 'GJSON path of what templates see as `.Extra`.' },
  },
} as const

/** Responsible when the cookie is there once. A cookie that no session belongs to is refused, never passed on as anonymous. */
export const cookieSession: Handler<Authenticate> = {
  name: 'cookie_session',
  config,
  create({ only = [], subject_from, extra_from }: FromSchema<typeof config>, { sessions, sessionCookie, sessionDocument }) {
    const names = only.length === 0 ? [sessionCookie] : only
    const subjectIn = ConfigMistake.at(['subject_from'], () => compileJsonPath(subject_from))
    const extraIn = ConfigMistake.at(['extra_from'], () => compileJsonPath(extra_from))

    return async session => {
      const token = firstCookie(session.match.request.headers.cookie, names)
      if (token === undefined) return undefined

      const found = await sessions.verify(token)
      if (found === undefined) throw new GatewayError('unauthorized', { reason: 'The session is unknown or has ended' })

      const document = sessionDocument(found)
      const subject = subjectIn(document) ?? ''
      const extra = extraIn(document) ?? undefined
      if (typeof subject !== 'string') throw new GatewayError('forbidden', { detail: `${subject_from} of the session is no text` })
      if (extra !== undefined && !isJsonObject(extra)) throw new GatewayError('forbidden', { detail: `${extra_from} of the session is no object` })
      return { ...session, subject, extra }
    }
  },
}

function firstCookie(header: string | undefined, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = readCookie(header, name)
    if (value !== undefined) return value
  }
  return undefined
}
