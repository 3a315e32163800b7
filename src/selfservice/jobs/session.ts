/** `session`: logs the person in on this browser. */
import type { Identity } from '../../store/records.js'
import type { Job } from './job.js'

const config = { type: 'object', additionalProperties: false, properties: {} } as const

export const sessionJob: Job = {
  name: 'session',
  places: ['registration.after', 'login.after'],
  telling: true,
  config,
  create: (_config: never, { sessions, cookies }) => async ({ identity }) => {
    const { session, token } = await sessions.issue(identity as Identity)
    return { cookies: [cookies.session(token, session.expiresAt)], sessionToken: token }
  },
}
