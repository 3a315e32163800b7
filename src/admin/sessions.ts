/** Who is logged in, for operators: sessions by their public ids. Neither the token nor its hash is ever shown. */
import { GatewayError } from '../errors.js'
import { jsonReply, type Reply } from '../http/reply.js'
import { isUuid } from '../selfservice/visit.js'
import type { ListedSession, Sessions } from '../session/sessions.js'
import type { JsonObject } from '../store/records.js'
import type { Store } from '../store/store.js'
import { refused } from './identity-body.js'

export interface SessionService {
  readonly store: Store
  readonly sessions: Sessions
}

/** `?identity=ID`: as `readSessionsOf`; 400 without, since nobody reads a list of everybody's. */
export async function listSessions(query: URLSearchParams, service: SessionService): Promise<Reply> {
  const id = query.get('identity')
  if (id === null || id === '') throw refused('Say whose sessions: ?identity=ID.')
  return readSessionsOf(id, service)
}

/** 200 with those that have not expired, oldest first; 404 for an unknown identity. */
export async function readSessionsOf(identityId: string, { store, sessions }: SessionService): Promise<Reply> {
  const id = await existing(identityId, store)
  return jsonReply(200, (await sessions.list(id)).map(sessionEntry))
}

/** 404 when there is none, or when it has expired. */
export async function readSession(id: string, { sessions }: SessionService): Promise<Reply> {
  const found = isUuid(id) ? await sessions.find(id.toLowerCase()) : undefined
  if (found === undefined) throw new GatewayError('unknown_resource')
  return jsonReply(200, sessionEntry(found))
}

/** 204: it is over on every replica within a second, and its WebSockets are closed within five. */
export async function revokeSession(id: string, { sessions }: SessionService): Promise<Reply> {
  if (!isUuid(id) || !await sessions.revokeById(id.toLowerCase())) throw new GatewayError('unknown_resource')
  return { status: 204 }
}

/** 204, also when there were none; 404 for an unknown identity. */
export async function revokeSessionsOf(identityId: string, { store, sessions }: SessionService): Promise<Reply> {
  await sessions.revokeAll(await existing(identityId, store))
  return { status: 204 }
}

async function existing(identityId: string, store: Store): Promise<string> {
  const id = identityId.toLowerCase()
  if (!isUuid(id) || await store.findIdentity(id) === undefined) throw new GatewayError('unknown_resource')
  return id
}

function sessionEntry({ session, active }: ListedSession): JsonObject {
  const instant = (at: number): string => new Date(at).toISOString()
  return {
    id: session.id,
    identity_id: session.identityId,
    active,
    authenticated_at: instant(session.authenticatedAt),
    issued_at: instant(session.issuedAt),
    expires_at: instant(session.expiresAt),
    last_seen_at: instant(session.lastSeenAt),
  }
}
