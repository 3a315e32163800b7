/** Many identities in one request, as later Kratos' `PATCH /identities` takes them: each stands or falls by itself. */
import { isDeepStrictEqual } from 'node:util'

import { toGatewayError, type GatewayError } from '../errors.js'
import { errorBody, type ErrorBody } from '../http/error-body.js'
import { jsonReply, type Reply } from '../http/reply.js'
import type { Hasher } from '../identity/password-hash.js'
import type { IdentifierClaim, Identity } from '../store/records.js'
import { conflict, newIdentity, type IdentityService } from './identities.js'
import { readIdentityBody, refused, wantedClaims, type IdentityBody } from './identity-body.js'
import { isSameSecret } from './same-secret.js'

/** Identities in one batch: more would keep others waiting while they are read. */
export const batchLimit = 1000

/** Those among them whose password is in clear: each costs a hash, and the request waits for them. */
export const clearPasswordLimit = 200

/** Bytes of a batch; the rest of the admin API is content with `bodyLimit`. */
export const batchBodyLimit = 4_194_304

/** How many of a batch are stored at the same time: enough to share syncs of the disk, few enough that others get in between. */
const storedAtOnce = 64

interface Patch {
  readonly create: unknown
  readonly patch_id?: string
}

/** What became of one identity. `index` is its place in the batch, from 0. */
type Outcome =
  /** `identity` is absent in a dry run. */
  | { readonly action: 'create', readonly index: number, readonly patch_id?: string, readonly identity?: string }
  /** A 409 has `details`: whose the identifier is, and whether that one is the same account already. */
  | { readonly action: 'error', readonly index: number, readonly patch_id?: string, readonly error: ErrorBody }

/**
 * 200 with what became of each, in order; 400 when the batch as a whole is none. `?dry_run=true` checks everything and
 * stores nothing.
 */
export async function createIdentities(body: unknown, query: URLSearchParams, service: IdentityService): Promise<Reply> {
  const patches = readPatches(body)
  const dryRun = readDryRun(query)
  const outcomes: Outcome[] = []

  async function attempt({ create, patch_id: patchId }: Patch, index: number): Promise<void> {
    const named = { index, ...(patchId === undefined ? {} : { patch_id: patchId }) }
    try {
      const identity = await createOne(readIdentityBody(create, service.schemas, service.hasher), dryRun, service)
      outcomes[index] = { action: 'create', ...named, ...(identity === undefined ? {} : { identity: identity.id }) }
    } catch (thrown) {
      outcomes[index] = { action: 'error', ...named, error: errorBody(toGatewayError(thrown)) }
    }
  }

  const numbered = patches.map((patch, index) => [patch, index] as const)
  const clear = numbered.filter(([{ create }]) => hasClearPassword(create))
  if (clear.length > clearPasswordLimit) throw refused(`A batch has at most ${clearPasswordLimit} identities with a password in clear.`)
  await Promise.all([
    // One by one, so that people who log in meanwhile find room in the queue of hashes.
    inTurn(clear, 1, attempt),
    inTurn(numbered.filter(([{ create }]) => !hasClearPassword(create)), storedAtOnce, attempt),
  ])
  return jsonReply(200, { identities: outcomes })
}

/** Whoever asks for one and misspells it must not find everything stored. */
function readDryRun(query: URLSearchParams): boolean {
  const given = query.getAll('dry_run')
  if (given.some(value => value !== 'true' && value !== 'false') || given.length > 1) throw refused('dry_run is either true or false.')
  return given[0] === 'true'
}

function readPatches(body: unknown): Patch[] {
  const identities = isObject(body) ? body['identities'] : undefined
  if (!Array.isArray(identities)) throw refused('The body must be a JSON object with the member "identities", a list of {"create": {…}}.')
  if (identities.length > batchLimit) throw refused(`A batch has at most ${batchLimit} identities.`)
  return identities.map((patch: unknown, index) => {
    const known = isObject(patch) && patch['create'] !== undefined && Object.keys(patch).every(name => name === 'create' || name === 'patch_id')
    if (!known) throw refused(`identities[${index}] must be an object with the member "create" and, if wanted, "patch_id".`)
    const { create, patch_id: patchId } = patch
    if (patchId !== undefined && (typeof patchId !== 'string' || patchId.length > 64)) throw refused(`identities[${index}].patch_id must be a text of at most 64 characters.`)
    return { create, ...(patchId === undefined ? {} : { patch_id: patchId }) }
  })
}

function hasClearPassword(create: unknown): boolean {
  const { credentials } = (create ?? {}) as { credentials?: { password?: { config?: { password?: unknown } } | null } | null }
  return credentials?.password?.config?.password !== undefined
}

/** The identity that was stored; `undefined` when it only would have been. */
async function createOne(body: IdentityBody, dryRun: boolean, { store, hasher }: IdentityService): Promise<Identity | undefined> {
  const taken = (claim: IdentifierClaim): Promise<GatewayError> =>
    conflict(claim, store, holder => ({ identity: holder.id, same: isSame(body, holder, hasher) }))

  // Before a password is hashed, and all that a dry run asks.
  for (const claim of wantedClaims(body)) {
    if (await store.findIdentityByIdentifier(claim) !== undefined) throw await taken(claim)
  }
  if (dryRun) return undefined

  const identity = await newIdentity(body, hasher)
  const claim = await store.createIdentity(identity)
  if (claim !== undefined) throw await taken(claim)
  return identity
}

/**
 * Whether an account is the one that is to be created, as it was imported or as it is since somebody logged in to it: then
 * its hash is one of ours.
 */
function isSame({ schema, traits, password }: IdentityBody, holder: Identity, hasher: Hasher): boolean {
  if (holder.schemaId !== schema.id || !isDeepStrictEqual(holder.traits, traits)) return false
  const stored = holder.credentials.password?.hash
  if (password === undefined) return true
  if (stored === undefined) return false
  return !hasher.needsRehash(stored) || ('hash' in password && isSameSecret(password.hash, stored))
}

/** Runs a task for each, so many at a time, in order. */
async function inTurn<Item>(items: readonly (readonly [Item, number])[], atOnce: number, task: (item: Item, index: number) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]()
  const worker = async (): Promise<void> => {
    for (const [item, index] of queue) await task(item, index)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
