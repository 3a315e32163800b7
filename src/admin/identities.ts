/** Identities on the admin listener (contract 2). Credentials are never shown. */
import { randomUUID } from 'node:crypto'

import { GatewayError } from '../errors.js'
import { jsonReply, type Reply } from '../http/reply.js'
import type { IdentitySchema, IdentitySchemas } from '../identity/identity-schema.js'
import { problemMessage } from '../selfservice/messages.js'
import { isUuid } from '../selfservice/visit.js'
import { identityDocument } from '../session/document.js'
import type { Identity, JsonObject } from '../store/records.js'
import type { Store } from '../store/store.js'
import { readPage } from './page.js'

export interface IdentityService {
  readonly store: Store
  readonly schemas: IdentitySchemas
  /** `urls.self.public` and `urls.self.admin`, without trailing slashes. */
  readonly publicUrl: string
  readonly adminUrl: string
}

/** Oldest first; `limit` 100 at first and 500 at most, `offset` 0. What can't be read as a number counts as absent. */
export async function listIdentities(query: URLSearchParams, { store, publicUrl }: IdentityService): Promise<Reply> {
  const identities = await store.listIdentities(readPage(query, { normal: 100, most: 500 }))
  return jsonReply(200, identities.map(identity => identityDocument(identity, publicUrl)))
}

/** 404 when there is none. */
export async function readIdentity(id: string, { store, publicUrl }: IdentityService): Promise<Reply> {
  return jsonReply(200, identityDocument(await existing(id, store), publicUrl))
}

/** 201 and its place; 400 for what the schema refuses, 409 when somebody has one of its identifiers. It has no password yet. */
export async function createIdentity(body: unknown, { store, schemas, publicUrl, adminUrl }: IdentityService): Promise<Reply> {
  const { schema, traits } = readIdentityBody(body, schemas)
  const at = Date.now()
  const identity: Identity = {
    id: randomUUID(), schemaId: schema.id, traits, credentials: passwordCredentials(schema, traits), createdAt: at, updatedAt: at, version: 1,
  }
  if (await store.createIdentity(identity) !== undefined) throw new GatewayError('conflict')
  return {
    ...jsonReply(201, identityDocument(identity, publicUrl)),
    headers: { location: `${adminUrl}/identities/${identity.id}` },
  }
}

/** Replaces schema and traits; identifiers follow the traits, the password stays. */
export async function replaceIdentity(id: string, body: unknown, service: IdentityService): Promise<Reply> {
  const { store, schemas, publicUrl } = service
  const before = await existing(id, store)
  const { schema, traits } = readIdentityBody(body, schemas)
  const hash = before.credentials.password?.hash
  const { password } = passwordCredentials(schema, traits)
  const identity: Identity = {
    ...before,
    schemaId: schema.id,
    traits,
    credentials: {
      ...before.credentials,
      ...(password === undefined && hash === undefined ? {} : { password: { identifiers: password?.identifiers ?? [], ...(hash === undefined ? {} : { hash }) } }),
    },
    updatedAt: Date.now(),
    version: before.version + 1,
  }
  const refused = await store.updateIdentity(identity)
  if (refused === 'stale') throw new GatewayError('conflict', { reason: 'The identity was changed at the same time; read it again.' })
  if (refused !== undefined) throw new GatewayError('conflict')
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

const members = new Set(['id', 'traits', 'traits_schema_id', 'traits_schema_url'])

function readIdentityBody(body: unknown, schemas: IdentitySchemas): { schema: IdentitySchema, traits: JsonObject } {
  if (!isObject(body)) throw refused('The body must be a JSON object with the members "traits" and, if not "default", "traits_schema_id".')
  const unknown = Object.keys(body).find(name => !members.has(name))
  if (unknown !== undefined) throw refused(`The member "${unknown}" is not known; known are ${[...members].join(', ')}.`)
  if (body['traits_schema_url'] !== undefined) throw refused('Use the traits_schema_id to set a traits schema.')

  const schemaId = body['traits_schema_id'] === undefined || body['traits_schema_id'] === '' ? 'default' : body['traits_schema_id']
  const schema = typeof schemaId === 'string' ? schemas.get(schemaId) : undefined
  if (schema === undefined) throw refused(`The traits schema "${String(schemaId)}" is not configured.`)

  const traits = body['traits'] ?? {}
  if (!isObject(traits)) throw refused('The member "traits" must be an object.')
  const problem = schema.validate(traits as JsonObject)[0]
  if (problem !== undefined) throw refused(beginningLower(problemMessage(problem)))
  return { schema, traits: traits as JsonObject }
}

/** As the predecessor's API words it (contract I4); what is quoted from the schema keeps its case. */
function beginningLower(message: string): string {
  return message.replace(/^(traits\S*: )?([A-Z])/, (_, field: string = '', letter: string) => field + letter.toLowerCase())
}

function passwordCredentials(schema: IdentitySchema, traits: JsonObject): Identity['credentials'] {
  const identifiers = schema.identifiers(traits)
  return identifiers.length === 0 ? {} : { password: { identifiers } }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refused(reason: string): GatewayError {
  return new GatewayError('bad_request', { reason })
}
