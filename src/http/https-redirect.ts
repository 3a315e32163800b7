/** From http to the same URL in https. */
import type { IncomingMessage, ServerResponse } from 'node:http'

import { GatewayError } from '../errors.js'
import type { AccessRequest } from './access-request.js'

export interface HttpsRedirectOptions {
  /** The port that https has for browsers. */
  readonly httpsPort: number
  /** Whether https answers under that host name: nobody is sent anywhere else, whatever Host says. */
  readonly isServed: (host: string) => boolean
}

/** Answers 308, which keeps method and body, with the target as it was sent. Throws `bad_request` for a host that is not served. */
export function createHttpsRedirect({ httpsPort, isServed }: HttpsRedirectOptions): (request: AccessRequest, req: IncomingMessage, res: ServerResponse) => void {
  const port = httpsPort === 443 ? '' : `:${httpsPort}`

  return ({ host: authority }, req, res) => {
    const host = authority.replace(/:\d+$/, '')
    if (!isServed(host.replace(/^\[|\]$/g, ''))) throw new GatewayError('bad_request', { reason: 'the host is not served here' })

    const target = (req.url ?? '').replace(/^[a-z]+:\/\/[^/?]*/i, '') // of an absolute one, which names the same host
    const location = `https://${host}${port}${target.startsWith('/') ? target : `/${target}`}`
    res.writeHead(308, { location, 'content-length': 0 }).end()
  }
}
