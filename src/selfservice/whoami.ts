/** The session check that apps may ask themselves (contract 8). */
import { GatewayError } from '../errors.js'
import { sessionDocument } from '../session/document.js'
import { jsonReply, type Reply } from '../http/reply.js'
import type { SelfService } from './service.js'
import { visitorSession, type Visit } from './visit.js'

/** 200 with the session document; 401 when the cookie names no session, and the cookie is taken away then. */
export async function whoAmI(visit: Visit, service: SelfService): Promise<Reply> {
  const found = await visitorSession(visit, service.sessions)
  if (found === undefined) {
    throw new GatewayError('unauthorized', {
      reason: 'No valid session cookie found.',
      ...(visit.sessionToken === undefined ? {} : { headers: { 'Set-Cookie': service.cookies.endSession() } }),
    })
  }
  return jsonReply(200, sessionDocument(found, service.urls.public))
}
