/** How records are named inside a store. Nothing that a person typed becomes part of a key as it is (security J7). */
import { createHash } from 'node:crypto'

import type { IdentifierClaim, Identity } from './records.js'

const plain = /^[A-Za-z0-9_-]{1,64}$/

/** The part of a key that stands for an id or a token hash: itself when it looks like one of ours, else a hash of it. */
export function idPart(id: string): string {
  return plain.test(id) ? id : `~${digest(id)}`
}

/** The part of a key that stands for a claim. */
export function claimPart(claim: IdentifierClaim): string {
  return digest(`${claim.method}\0${claim.identifier}`)
}

/** Every login name that the identity holds, each once, in the order of its credentials. */
export function claimsOf(identity: Identity): IdentifierClaim[] {
  const { password, oidc } = identity.credentials
  return [
    ...[...new Set(password?.identifiers)].map(identifier => ({ method: 'password' as const, identifier })),
    ...[...new Set(oidc?.identifiers)].map(identifier => ({ method: 'oidc' as const, identifier })),
  ]
}

/** Whether the identity has that login name. */
export function carries(identity: Identity, claim: IdentifierClaim): boolean {
  return identity.credentials[claim.method]?.identifiers.includes(claim.identifier) ?? false
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
