/** A session and an identity as the outside sees them: whoami, the admin API and templates share one shape (contract 2, 8). */
import type { Identity, JsonObject } from '../store/records.js'
import type { FoundSession } from '../store/store.js'

/** An identity without its credentials. `publicUrl` is `urls.self.public`. */
export function identityDocument(identity: Identity, publicUrl: string): JsonObject {
  return {
    id: identity.id,
    traits_schema_id: identity.schemaId,
    traits_schema_url: `${publicUrl}/schemas/${encodeURIComponent(identity.schemaId)}`,
    traits: identity.traits,
  }
}

/** The session document of `/sessions/whoami`. */
export function sessionDocument({ session, identity }: FoundSession, publicUrl: string): JsonObject {
  return {
    sid: session.id,
    expires_at: new Date(session.expiresAt).toISOString(),
    authenticated_at: new Date(session.authenticatedAt).toISOString(),
    issued_at: new Date(session.issuedAt).toISOString(),
    identity: identityDocument(identity, publicUrl),
  }
}
