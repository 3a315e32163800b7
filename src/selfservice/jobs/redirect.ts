/** `redirect`: sends the browser on, to where the person asked to go if that is allowed (contract 1.13). */
import type { FromSchema } from 'json-schema-to-ts'

import { resolveReturnTo } from '../../http/return-to.js'
import type { Job } from './job.js'

const config = {
  type: 'object', additionalProperties: false, required: ['default_redirect_url'],
  properties: {
    default_redirect_url: { type: 'string', format: 'http-url', description: 'Where the browser goes.' },
    allow_user_defined_redirect: { type: 'boolean', default: false, description: 'Whether a `return_to` given when the flow began is followed instead.' },
  },
} as const

/** A `return_to` was checked when the flow began; a path stays on the host of `default_redirect_url`. */
export const redirectJob: Job = {
  name: 'redirect',
  places: ['registration.before', 'registration.after', 'login.before', 'login.after'],
  config,
  create: (settings: FromSchema<typeof config>) => ({ flow }) => {
    const target = settings.default_redirect_url
    if (!settings.allow_user_defined_redirect || flow.returnTo === undefined) return { redirect: target }
    return { redirect: resolveReturnTo(flow.returnTo, target) }
  },
}
