/** Cross-origin requests of scripts (`serve.public.cors`): preflights are answered here and reach no rule and no upstream. */
import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Config } from '../config/schema.js'
import { createOriginList } from './origins.js'

/**
 * Only listed origins get any CORS header; `null` and unlisted ones are answered as if they had not asked (security C10).
 * `*` allows every origin, but never with credentials: such a configuration is refused when it is loaded. The function made
 * answers preflights, which it tells; to other requests' answers it adds what scripts need.
 */
export function createCors(cors: Config['serve']['public']['cors']): (req: IncomingMessage, res: ServerResponse) => boolean {
  const everyOrigin = cors.allowed_origins.includes('*')
  const isListed = createOriginList(cors.allowed_origins.filter(origin => origin !== '*'))
  const preflight = {
    'Access-Control-Allow-Methods': cors.allowed_methods.join(', '),
    'Access-Control-Allow-Headers': cors.allowed_headers.join(', '),
    ...(cors.max_age === 0 ? {} : { 'Access-Control-Max-Age': String(cors.max_age) }),
  }

  return (req, res) => {
    const { origin } = req.headers
    if (!cors.enabled || origin === undefined) return false

    res.setHeader('Vary', 'Origin')
    const allowed = everyOrigin || isListed(origin)
    if (allowed) {
      res.setHeader('Access-Control-Allow-Origin', everyOrigin ? '*' : origin)
      if (cors.allow_credentials) res.setHeader('Access-Control-Allow-Credentials', 'true')
    }
    if (req.method === 'OPTIONS' && (req.headers['access-control-request-method'] ?? '') !== '') {
      res.writeHead(204, allowed ? preflight : {}).end()
      return true
    }
    if (allowed) res.setHeader('Access-Control-Expose-Headers', cors.exposed_headers.join(', '))
    return false
  }
}
