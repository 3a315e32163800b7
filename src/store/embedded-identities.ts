/** Identities in the embedded store. A write is one transaction, so an identity and its claims are never seen apart. */
import { GatewayError } from '../errors.js'
import type { EmbeddedDatabase, Tables } from './embedded-database.js'
import { carries, claimPart, claimsOf, idPart } from './keys.js'
import type { IdentifierClaim, Identity } from './records.js'
import type { Store } from './store.js'

type Identities = Pick<Store,
  'createIdentity' | 'findIdentity' | 'findIdentityByIdentifier' | 'updateIdentity' | 'deleteIdentity' | 'listIdentities' | 'countIdentities'>

/** The part of the store that keeps identities and their claims. */
export function embeddedIdentities({ read, writeThrough }: EmbeddedDatabase): Identities {
  return {
    createIdentity: identity => writeThrough(tables => {
      const key = idPart(identity.id)
      if (tables.identities.doesExist(key)) throw new GatewayError('conflict', { detail: `identity ${identity.id} exists already` })
      const taken = firstTaken(tables, claimsOf(identity))
      if (taken !== undefined) return taken

      tables.created.putSync([identity.createdAt, key], true)
      put(tables, identity)
      return undefined
    }),

    findIdentity: id => read(({ identities }) => identities.get(idPart(id))),

    findIdentityByIdentifier: claim => read(({ claims, identities }) => {
      const id = claims.get(claimPart(claim))
      return id === undefined ? undefined : identities.get(id)
    }),

    updateIdentity: next => writeThrough(tables => {
      const stored = tables.identities.get(idPart(next.id))
      if (stored === undefined || next.version !== stored.version + 1) return 'stale'
      const taken = firstTaken(tables, claimsOf(next).filter(claim => !carries(stored, claim)))
      if (taken !== undefined) return taken

      removeClaims(tables, stored)
      put(tables, next)
      return undefined
    }),

    deleteIdentity: id => writeThrough(tables => {
      const key = idPart(id)
      const stored = tables.identities.get(key)
      if (stored === undefined) return false

      removeClaims(tables, stored)
      removeSessions(tables, key)
      tables.created.removeSync([stored.createdAt, key])
      tables.identities.removeSync(key)
      return true
    }),

    countIdentities: instants => read(({ created }) => instants.slice(1).map((until, at) =>
      created.getKeysCount({ start: [instants[at] as number, ''], end: [until, ''] }))),

    listIdentities: ({ limit, offset }) => read(({ created, identities }) =>
      [...created.getKeys({ limit, offset })].flatMap(([, key]) => identities.get(key) ?? [])),
  }
}

function firstTaken({ claims }: Tables, wanted: readonly IdentifierClaim[]): IdentifierClaim | undefined {
  return wanted.find(claim => claims.doesExist(claimPart(claim)))
}

function put({ claims, identities }: Tables, identity: Identity): void {
  const key = idPart(identity.id)
  for (const claim of claimsOf(identity)) claims.putSync(claimPart(claim), key)
  identities.putSync(key, identity)
}

function removeClaims({ claims }: Tables, identity: Identity): void {
  for (const claim of claimsOf(identity)) claims.removeSync(claimPart(claim))
}

function removeSessions({ sessions, sessionIds, sessionsOf }: Tables, identityKey: string): void {
  for (const entry of [...sessionsOf.getKeys(underneath(identityKey))]) {
    const session = sessions.get(entry[1])
    if (session !== undefined) sessionIds.removeSync(idPart(session.id))
    sessions.removeSync(entry[1])
    sessionsOf.removeSync(entry)
  }
}

/** The range of all two-part keys that begin with `first`. */
export function underneath(first: string): { start: [string, string], end: [string, string] } {
  return { start: [first, ''], end: [first, '\u{10ffff}'] }
}
