/** `revoke_active_sessions`: ends every session the identity has, on all devices. List it before `session`. */
import type { Identity } from '../../store/records.js'
import type { Job } from './job.js'

const config = { type: 'object', additionalProperties: false, properties: {} } as const

export const revokeActiveSessionsJob: Job = {
  name: 'revoke_active_sessions',
  places: ['registration.after', 'login.after'],
  telling: true,
  config,
  create: (_config: never, { sessions }) => async ({ identity }) => {
    await sessions.revokeAll((identity as Identity).id)
    return {}
  },
}
