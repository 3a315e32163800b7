/** Logout: ends the session everywhere, not only in this browser (contract 1.10, security C6). */
import { GatewayError } from '../errors.js'
import { isTrustedOrigin, newCsrfCookie } from '../http/csrf.js'
import { redirectTo, type Reply } from '../http/reply.js'
import type { SelfService } from './service.js'
import type { Visit } from './visit.js'

/**
 * Works without a session too. A link is enough, as in the predecessor, but only one on our own or a trusted page:
 * another site's link or form can't log anybody out.
 */
export async function logOut(visit: Visit, service: SelfService): Promise<Reply> {
  const { sessions, cookies, urls } = service
  if (!isTrustedOrigin(visit.request.headers, urls.trustedOrigins)) {
    throw new GatewayError('forbidden', { reason: 'Another site can not log you out. Please use the link of this site.' })
  }
  if (visit.sessionToken !== undefined) await sessions.revoke(visit.sessionToken)
  return redirectTo(urls.afterLogout, [cookies.endSession(), cookies.csrf(newCsrfCookie())])
}
