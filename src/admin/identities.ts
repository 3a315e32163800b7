/** Identities on the admin listener (contract 2). Credentials are never shown. */
import { randomUUID } from 'node:crypto'

import { GatewayError } from '../errors.js'
import { jsonReply, type Reply } from '../http/reply.js'
import { canonicalIdentifier } from '../identity/identifiers.js'
import type { IdentitySchemas } from '../identity/identity-schema.js'
import type { Hasher } from '../identity/password-hash.js'
import { isUuid } from '../selfservice/visit.js'
import { identityDocument } from '../session/document.js'
import type { IdentifierClaim, Identity } from '../store/records.js'
import type { Store } from '../store/store.js'
import { readIdentityBody, type IdentityBody } from './identity-body.js'
import { readPage } from './page.js'

export interface IdentityService {
  readonly store: Store
  readonly schemas: IdentitySchemas
  readonly hasher: Hasher
  /** `urls.self.public` and `urls.self.admin`, without trailing slashes. */
  readonly publicUrl: string
  readonly adminUrl: string
}

/**
 * Oldest first; `limit` 100 at first and 500 at most, `offset` 0. What can't be read as a number counts as absent. With
 * `credentials_identifier`, as later Kratos has it, the one who logs in with that, in whatever spelling, or nobody.
 */
export async function listIdentities(query: URLSearchParams, { store, publicUrl }: IdentityService): Promise<Reply> {
  const typed = query.get('credentials_identifier')
  if (typed !== null) {
    const identifier = canonicalIdentifier(typed, 'credentials_identifier')
    const found = typeof identifier === 'string' ? await store.findIdentityByIdentifier({ method: 'password', identifier }) : undefined
    return jsonReply(200, found === undefined ? [] : [identityDocument(found, publicUrl)])
  }
  const identities = await store.listIdentities(readPage(query, { normal: 100, most: 500 }))
  return jsonReply(200, identities.map(identity => identityDocument(identity, publicUrl)))
}

/** 404 when there is none. */
export async function readIdentity(id: string, { store, publicUrl }: IdentityService): Promise<Reply> {
  return jsonReply(200, identityDocument(await existing(id, store), publicUrl))
}

/** 201 and its place; 400 for what the schema refuses, 409 when somebody has one of its identifiers. */
export async function createIdentity(body: unknown, service: IdentityService): Promise<Reply> {
  const identity = await newIdentity(readIdentityBody(body, service.schemas, service.hasher), service.hasher)
  const taken = await service.store.createIdentity(identity)
  if (taken !== undefined) throw await conflict(taken, service.store)
  return {
    ...jsonReply(201, identityDocument(identity, service.publicUrl)),
    headers: { location: `${service.adminUrl}/identities/${identity.id}` },
  }
}

/** What a body describes, with an id of ours; a password in clear is hashed now. Not stored yet. */
export async function newIdentity(body: IdentityBody, hasher: Hasher): Promise<Identity> {
  const at = Date.now()
  return {
    id: randomUUID(), schemaId: body.schema.id, traits: body.traits, credentials: await credentialsOf(body, {}, hasher),
    createdAt: at, updatedAt: at, version: 1,
  }
}

/** Whose an identifier (or sign-in) is that somebody else was to get; `details` are said to programs. */
export async function conflict(
  claim: IdentifierClaim, store: Store, details?: (holder: Identity) => Readonly<Record<string, unknown>>,
): Promise<GatewayError> {
  const holder = await store.findIdentityByIdentifier(claim)
  if (holder === undefined) return new GatewayError('conflict')
  return new GatewayError('conflict', { reason: `${JSON.stringify(claim.identifier)} belongs to the identity ${holder.id}.`, details: details?.(holder) })
}

/** Replaces schema and traits; identifiers follow the traits, credentials that the body does not name stay. */
export async function replaceIdentity(id: string, body: unknown, { store, schemas, hasher, publicUrl }: IdentityService): Promise<Reply> {
  const before = await existing(id, store)
  const next = readIdentityBody(body, schemas, hasher)
  const identity: Identity = {
    ...before,
    schemaId: next.schema.id,
    traits: next.traits,
    credentials: await credentialsOf(next, before.credentials, hasher),
    updatedAt: Date.now(),
    version: before.version + 1,
  }
  const outcome = await store.updateIdentity(identity)
  if (outcome === 'stale') throw new GatewayError('conflict', { reason: 'The identity was changed at the same time; read it again.' })
  if (outcome !== undefined) throw await conflict(outcome, store)
  return jsonReply(200, identityDocument(identity, publicUrl))
}

/** 204; its sessions end with it. */
export async function deleteIdentity(id: string, { store }: IdentityService): Promise<Reply> {
  if (!isUuid(id) || !await store.deleteIdentity(id.toLowerCase())) throw new GatewayError('unknown_resource')
  return { status: 204 }
}

async function existing(id: string, store: Store): Promise<Identity> {
  const identity = isUuid(id) ? await store.findIdentity(id.toLowerCase()) : undefined
  if (identity === undefined) throw new GatewayError('unknown_resource')
  return identity
}

async function credentialsOf({ identifiers, password, oidc }: IdentityBody, before: Identity['credentials'], hasher: Hasher): Promise<Identity['credentials']> {
  const hash = password === undefined ? before.password?.hash : 'hash' in password ? password.hash : await hasher.hash(password.clear)
  return {
    ...before,
    ...(identifiers.length === 0 && hash === undefined ? {} : { password: { identifiers, ...(hash === undefined ? {} : { hash }) } }),
    ...(oidc === undefined ? {} : { oidc: { identifiers: oidc } }),
  }
}
