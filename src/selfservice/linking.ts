/**
 * One person, two ways in: an account that a provider's newcomer turns out to have already. The two are never made one
 * because an address is the same, only when somebody has proved both (security O9, A12).
 */
import { GatewayError } from '../errors.js'
import type { Reply } from '../http/reply.js'
import type { Flow, IdentifierClaim, Identity, Method, PendingLink, ProviderProof } from '../store/records.js'
import type { Store } from '../store/store.js'
import { openFlow, originOf, showFlow } from './flow.js'
import type { SelfService } from './service.js'
import { oidcIdentifier } from './strategies/oidc/oidc.js'
import type { Visit } from './visit.js'

/** How often a change of an identity is tried again when others change it at the same time. */
const tries = 5

/** Asks for a login to the account that holds the identifier; the login adds the provider to it. */
export async function askForAccount(flow: Flow, proof: ProviderProof, taken: IdentifierClaim, visit: Visit, service: SelfService): Promise<Reply> {
  const owner = await service.store.findIdentityByIdentifier(taken)
  // Whoever had it has just given it up.
  if (owner === undefined) throw new GatewayError('conflict', { reason: 'Please try again.' })

  const { provider, subject } = proof
  const method: Method = service.password === undefined ? 'oidc' : 'password'
  const opened = await openFlow('login', visit, service, {
    ...originOf(flow),
    link: { provider, subject, identityId: owner.id },
    forms: {
      [method]: {
        problems: [{ code: 'link_account', params: { provider } }],
        values: method === 'password' && taken.method === 'password' ? { identifier: taken.identifier } : {},
      },
    },
  })
  return 'reply' in opened ? opened.reply : showFlow(opened.flow, service, opened.cookies)
}

/** The identity with the provider among its credentials. Rejects with `conflict` when the provider's person is somebody else by now. */
export async function addProvider(identity: Identity, { provider, subject }: PendingLink, store: Store): Promise<Identity> {
  const identifier = oidcIdentifier(provider, subject)
  let current: Identity | undefined = identity
  for (let round = 0; round < tries && current !== undefined; round++) {
    const held: readonly string[] = current.credentials.oidc?.identifiers ?? []
    if (held.includes(identifier)) return current

    const next: Identity = {
      ...current,
      credentials: { ...current.credentials, oidc: { identifiers: [...held, identifier] } },
      updatedAt: Date.now(), version: current.version + 1,
    }
    const refused = await store.updateIdentity(next)
    if (refused === undefined) return next
    if (refused !== 'stale') throw new GatewayError('conflict', { reason: `This ${provider} account belongs to another account here already.` })
    current = await store.findIdentity(identity.id)
  }
  throw new GatewayError('conflict', { reason: 'The account is being changed elsewhere. Please try again.' })
}
