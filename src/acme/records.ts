/** What replicas share of one certificate authority, in the store. Another directory URL is another authority, with nothing in common. */
import { createHash } from 'node:crypto'

import type { Store } from '../store/store.js'
import { createSealing } from './sealing.js'

export type SharedStore = Pick<Store, 'saveShared' | 'findShared' | 'takeLease' | 'releaseLease'>

/** A certificate and its key, PEM. */
export interface IssuedCertificate {
  readonly cert: string
  readonly key: string
}

/** What went wrong last: how often in a row, and when to try again (milliseconds since 1970). */
export interface Failure {
  readonly count: number
  readonly retryAt: number
}

/** How long an authority may take to ask for a token. */
const challengeMs = 600_000
/** A failure that nothing has followed for this long says nothing any more. */
const failureMs = 86_400_000

export interface AcmeRecords {
  findAccountKey(): Promise<string | undefined>
  saveAccountKey(pem: string): Promise<void>
  findCertificate(domain: string): Promise<IssuedCertificate | undefined>
  saveCertificate(domain: string, issued: IssuedCertificate): Promise<void>
  findFailure(domain: string): Promise<Failure | undefined>
  /** `undefined` forgets it. */
  saveFailure(domain: string, failure: Failure | undefined): Promise<void>
  findChallenge(token: string): Promise<string | undefined>
  saveChallenge(token: string, answer: string): Promise<void>
  /** The right to ask the authority; for one process at a time. */
  takeTurn(holder: string, forMs: number): Promise<boolean>
  endTurn(holder: string): Promise<void>
}

/** Keys are sealed; what can't be opened with these secrets counts as not there. */
export function acmeRecords(store: SharedStore, secrets: readonly string[], directoryUrl: string): AcmeRecords {
  const sealing = createSealing(secrets)
  const authority = createHash('sha256').update(directoryUrl).digest('base64url')
  const nameOf = (...parts: readonly string[]): string => ['acme', authority, ...parts].join(' ')

  async function findSealed(name: string): Promise<string | undefined> {
    const sealed = await store.findShared(name)
    return sealed === undefined ? undefined : sealing.open(name, sealed)
  }
  const saveSealed = (name: string, text: string): Promise<void> => store.saveShared(name, sealing.seal(name, text))

  return {
    findAccountKey: () => findSealed(nameOf('account')),
    saveAccountKey: pem => saveSealed(nameOf('account'), pem),
    async findCertificate(domain) {
      const text = await findSealed(nameOf('certificate', domain))
      return text === undefined ? undefined : JSON.parse(text) as IssuedCertificate
    },
    saveCertificate: (domain, issued) => saveSealed(nameOf('certificate', domain), JSON.stringify(issued)),
    async findFailure(domain) {
      const text = await store.findShared(nameOf('failure', domain))
      return text === undefined ? undefined : JSON.parse(text) as Failure
    },
    saveFailure: (domain, failure) => store.saveShared(
      nameOf('failure', domain), JSON.stringify(failure ?? { count: 0, retryAt: 0 }), Date.now() + (failure === undefined ? 1 : failureMs),
    ),
    // What the authority is told is no secret, and useless without the account's key.
    findChallenge: token => store.findShared(nameOf('challenge', token)),
    saveChallenge: (token, answer) => store.saveShared(nameOf('challenge', token), answer, Date.now() + challengeMs),
    takeTurn: (holder, forMs) => store.takeLease(nameOf('turn'), holder, forMs),
    endTurn: holder => store.releaseLease(nameOf('turn'), holder),
  }
}
