/** The `password` method: traits and a password make an identity; an identifier and a password find one. */
import { randomUUID } from 'node:crypto'

import { GatewayError } from '../../errors.js'
import { submittedText, type Submission } from '../../http/submission.js'
import { canonicalIdentifier } from '../../identity/identifiers.js'
import type { IdentitySchema } from '../../identity/identity-schema.js'
import type { Hasher } from '../../identity/password-hash.js'
import type { PasswordPolicy } from '../../identity/password-policy.js'
import { flattenTraits } from '../../identity/traits.js'
import type { Identity, JsonObject, JsonValue, Problem } from '../../store/records.js'
import type { Store } from '../../store/store.js'
import type { PasswordStrategy, Recognised, Refused } from './strategy.js'
import { submittedTraits } from './submitted-traits.js'

export interface PasswordStrategyOptions {
  readonly store: Store
  /** The default schema; it alone drives registration. */
  readonly schema: IdentitySchema
  readonly policy: PasswordPolicy
  readonly hasher: Hasher
}

/** Problems are told all at once, except the policy's: it can only be judged once the identifiers are known. */
export function createPasswordStrategy({ store, schema, policy, hasher }: PasswordStrategyOptions): PasswordStrategy {
  return {
    async register(submission, admit) {
      if (submission.kind === 'unreadable') return refused([submission.problem])

      const { traits, problems } = submittedTraits(submission, schema)
      const values = traitValues(traits)
      const password = submittedText(submission, 'password') ?? ''
      const missing: Problem[] = password === '' ? [{ code: 'password_required', field: 'password' }] : []
      const all = [...givenTwice(submission, 'password'), ...missing, ...problems, ...schema.validate(traits)]
      if (all.length > 0) return refused(all, values)

      const identifiers = schema.identifiers(traits)
      if (identifiers.length === 0) throw noIdentifiers()
      const weakness = await policy(password, identifiers, admit)
      if (weakness !== undefined) return refused([weakness], values)

      return { values, identity: () => newIdentity(traits, identifiers, password, hasher) }
    },

    async login(submission) {
      if (submission.kind === 'unreadable') return refused([submission.problem])

      const typed = submittedText(submission, 'identifier') ?? ''
      const password = submittedText(submission, 'password') ?? ''
      const values = typed === '' ? {} : { identifier: typed }
      const problems = [...givenTwice(submission, 'identifier'), ...givenTwice(submission, 'password')]
      if (typed === '') problems.push({ code: 'identifier_required', field: 'identifier' })
      if (password === '') problems.push({ code: 'password_required', field: 'password' })
      if (problems.length > 0) return refused(problems, values)

      const recognised = await recognise(typed, password, store, hasher)
      return recognised ?? refused([{ code: 'invalid_credentials' }], values)
    },
  }
}

function refused(problems: readonly Problem[], values: Refused['values'] = {}): Refused {
  return { problems, values }
}

/** Which of two values is meant nobody can tell, least of all whoever stands between (security J3). */
function givenTwice(submission: Submission, field: string): Problem[] {
  const count = submission.kind === 'form' ? submission.pairs.filter(([name]) => name === field).length : 0
  return count > 1 ? [{ code: 'given_twice', field, params: { property: field } }] : []
}

function traitValues(traits: JsonObject): { [field: string]: JsonValue } {
  return Object.fromEntries(flattenTraits(traits).map(([name, value]) => [`traits.${name}`, value]))
}

async function newIdentity(traits: JsonObject, identifiers: readonly string[], password: string, hasher: Hasher): Promise<Identity> {
  const hash = await hasher.hash(password)
  const at = Date.now()
  return {
    id: randomUUID(), schemaId: 'default', traits, credentials: { password: { identifiers, hash } },
    createdAt: at, updatedAt: at, version: 1,
  }
}

/** Takes the same time and asks the same questions whether or not anybody has that identifier (security A2). */
async function recognise(typed: string, password: string, store: Store, hasher: Hasher): Promise<Recognised | undefined> {
  const identifier = canonicalIdentifier(typed, 'identifier')
  const identity = typeof identifier === 'string' ? await store.findIdentityByIdentifier({ method: 'password', identifier }) : undefined
  const hash = identity?.credentials.password?.hash
  if (!await hasher.verify(hash, password) || identity === undefined || hash === undefined) return undefined
  return { identity: hasher.needsRehash(hash) ? await rehashed(identity, password, store, hasher) : identity }
}

/** The password is known only now, so now is when an old hash, or one that was imported, can be made anew (security A8). */
async function rehashed(identity: Identity, password: string, store: Store, hasher: Hasher): Promise<Identity> {
  // Too much to do: the person is right all the same.
  const hash = await hasher.hash(password).catch(() => undefined)
  if (hash === undefined) return identity
  const next: Identity = {
    ...identity,
    credentials: {
      ...identity.credentials,
      password: { identifiers: identity.credentials.password?.identifiers ?? [], hash },
    },
    updatedAt: Date.now(),
    version: identity.version + 1,
  }
  // Stale: somebody else changed the identity meanwhile. Whatever the reason, the next login tries again.
  return await store.updateIdentity(next).catch(() => 'failed') === undefined ? next : identity
}

function noIdentifiers(): GatewayError {
  return new GatewayError('internal_error', {
    reason: 'No login identifiers (e.g. email, phone number, username) were set. Contact an administrator, the identity schema is misconfigured.',
  })
}
