/**
 * The Redis keys that more than one part of the store uses. What is in braces decides the cluster slot: an identity, its
 * unfinished changes and the index of its sessions must lie together, everything else lies where its own name puts it.
 */
import { idPart } from './keys.js'

/** The identity's JSON document. */
export function identityKey(keyPrefix: string, id: string): string {
  return `${keyPrefix}identity:{${idPart(id)}}`
}

/** Says that a change of the identity (see `redis-identities.ts`) may still be committed. */
export function intentKey(keyPrefix: string, id: string, nonce: string): string {
  return `${keyPrefix}intent:{${idPart(id)}}:${nonce}`
}

/** The identity's sessions: token hashes by their ends. */
export function sessionIndexKey(keyPrefix: string, identityId: string): string {
  return `${keyPrefix}sessions-of:{${idPart(identityId)}}`
}

/** The token hash of the session with that id; expires with the session. */
export function sessionIdKey(keyPrefix: string, id: string): string {
  return `${keyPrefix}session-id:${idPart(id)}`
}

/** The ends of all sessions, by token hash: what they are counted by. */
export function sessionEndsKey(keyPrefix: string): string {
  return `${keyPrefix}session-ends`
}

/** A hash: `doc`, the session's JSON document as it was issued; `seen`, when it was last used. */
export function sessionKey(keyPrefix: string, tokenHash: string): string {
  return `${keyPrefix}session:${idPart(tokenHash)}`
}
