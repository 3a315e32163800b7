/** How handlers reach other services: one client, one cache and one set of keys for all rules, so that a reload keeps them. */
import { createKeySets, type KeySets } from './key-sets.js'
import { createOutgoing, type FetchBounded } from './outgoing.js'
import { createResponseCache, type ResponseCache } from './response-cache.js'

export interface RemoteAccess {
  readonly fetchBounded: FetchBounded
  readonly responses: ResponseCache
  readonly keySets: KeySets
  /** Where relative names of files in rules start. */
  readonly baseDir: string
}

/** `baseDir` is where relative `file://` URLs of key sets start. Nothing is opened before a handler asks for something. */
export function createRemoteAccess(baseDir: string): RemoteAccess & { close(): Promise<void> } {
  const { fetchBounded, close } = createOutgoing()
  return { fetchBounded, responses: createResponseCache(), keySets: createKeySets(baseDir, fetchBounded), baseDir, close }
}
