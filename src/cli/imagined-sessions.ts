/** Sessions for questions on the command line: the store is the running gateway's, so whoever shows a session cookie is imagined. */
import type { Sessions } from '../session/sessions.js'
import type { JsonObject } from '../store/records.js'

/** Every token is somebody's: a person with these traits, logged in just now. */
export function imaginedSessions(traits: JsonObject): Sessions {
  const at = Date.now()
  const identityId = '00000000-0000-4000-8000-000000000000'
  const never = (): Promise<never> => Promise.reject(new Error('nobody logs in or out on the command line'))
  return {
    verify: () => Promise.resolve({
      identity: { id: identityId, schemaId: 'default', traits, credentials: {}, createdAt: at, updatedAt: at, version: 1 },
      session: {
        id: identityId, tokenHash: '', identityId, authenticatedAt: at, issuedAt: at, expiresAt: at + 3_600_000, lastSeenAt: at,
      },
    }),
    issue: never,
    revoke: never,
    revokeAll: never,
    list: never,
    find: never,
    revokeById: never,
  }
}
