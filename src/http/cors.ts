/** Cross-origin requests of scripts (`serve.public.cors`): preflights are answered here and reach no rule and no upstream. */
import type { Middleware } from 'koa'

import type { Config } from '../config/schema.js'
import { createOriginList } from './origins.js'

/**
 * Only listed origins get any CORS header; `null` and unlisted ones are answered as if they had not asked (security C10).
 * `*` allows every origin, but never with credentials: such a configuration is refused when it is loaded.
 */
export function answerCors(cors: Config['serve']['public']['cors']): Middleware {
  const everyOrigin = cors.allowed_origins.includes('*')
  const isListed = createOriginList(cors.allowed_origins.filter(origin => origin !== '*'))
  const preflight = {
    'Access-Control-Allow-Methods': cors.allowed_methods.join(', '),
    'Access-Control-Allow-Headers': cors.allowed_headers.join(', '),
    ...(cors.max_age === 0 ? {} : { 'Access-Control-Max-Age': String(cors.max_age) }),
  }

  return async (ctx, next) => {
    const { origin } = ctx.req.headers
    if (!cors.enabled || origin === undefined) return next()

    ctx.vary('Origin')
    const allowed = everyOrigin || isListed(origin)
    if (allowed) {
      ctx.set('Access-Control-Allow-Origin', everyOrigin ? '*' : origin)
      if (cors.allow_credentials) ctx.set('Access-Control-Allow-Credentials', 'true')
    }
    if (ctx.method === 'OPTIONS' && ctx.get('access-control-request-method') !== '') {
      if (allowed) ctx.set(preflight)
      ctx.status = 204
      return
    }
    if (allowed) ctx.set('Access-Control-Expose-Headers', cors.exposed_headers.join(', '))
    return next()
  }
}
