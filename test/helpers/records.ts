/** Records as the stores keep them, for tests. */
import { createHash, randomBytes, randomUUID } from 'node:crypto'

import type { Flow, IdentifierClaim, Identity, JsonObject, Session, SignInAttempt } from '../../src/store/records.js'

const hour = 3_600_000

/** An identity with these identifiers. */
export function newIdentity(options: {
  readonly password?: readonly string[]
  readonly oidc?: readonly string[]
  readonly traits?: JsonObject
  readonly createdAt?: number
}): Identity {
  const { password, oidc, traits = { email: 'someone@example.org' }, createdAt = Date.now() } = options
  return {
    id: randomUUID(),
    schemaId: 'default',
    traits,
    credentials: { ...password && { password: { identifiers: password, hash: '$argon2id$' } }, ...oidc && { oidc: { identifiers: oidc } } },
    createdAt,
    updatedAt: createdAt,
    version: 1,
  }
}

/** A session of the identity that began now and lasts an hour. */
export function newSession(identity: Identity, options: Partial<Session> = {}): Session {
  const now = Date.now()
  return {
    id: randomUUID(), tokenHash: newHash(), identityId: identity.id,
    authenticatedAt: now, issuedAt: now, expiresAt: now + hour, lastSeenAt: now, ...options,
  }
}

/** A login flow that began now and lasts an hour. */
export function newFlow(options: Partial<Flow> = {}): Flow {
  const now = Date.now()
  return {
    id: randomUUID(), kind: 'login', type: 'browser', issuedAt: now, expiresAt: now + hour,
    requestUrl: 'https://example.org/?a=b', csrfBinding: newHash(), csrfToken: 'token', forms: {}, ...options,
  }
}

/** What a token or a CSRF cookie is stored as. */
export function newHash(): string {
  return createHash('sha256').update(randomBytes(32)).digest('base64url')
}

/** Every identifier of the identity. */
export function claimsIn({ credentials: { password, oidc } }: Identity): IdentifierClaim[] {
  return [
    ...(password?.identifiers ?? []).map(identifier => ({ method: 'password' as const, identifier })),
    ...(oidc?.identifiers ?? []).map(identifier => ({ method: 'oidc' as const, identifier })),
  ]
}

/** A journey to a provider that began now and may take ten minutes. */
export function newAttempt(options: Partial<SignInAttempt> = {}): SignInAttempt {
  return {
    key: newHash(), provider: 'acme', flowId: randomUUID(), nonce: newHash(), codeVerifier: newHash(), traits: {},
    expiresAt: Date.now() + 600_000, ...options,
  }
}
