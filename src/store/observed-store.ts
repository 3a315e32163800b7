/** A store whose every operation is told of: which, how long it took, how it failed. */
import { GatewayError } from '../errors.js'
import type { Store } from './store.js'

/** What is told of, by the name of the method. */
export type StoreOperation = Exclude<keyof Store, 'invalidations' | 'close'>

/** `code` is that of the error the operation rejected with; absent when it succeeded. */
export type ObserveStore = (operation: StoreOperation, durationMs: number, code: string | undefined) => void

/** Complete by its type: an operation that is added to the interface and not here does not compile. */
const operations: Readonly<Record<StoreOperation, true>> = {
  createIdentity: true, findIdentity: true, findIdentityByIdentifier: true, updateIdentity: true, deleteIdentity: true, listIdentities: true, countIdentities: true,
  saveFlow: true, findFlow: true, consumeFlow: true, releaseFlow: true,
  saveAttempt: true, takeAttempt: true,
  createSession: true, findSession: true, findSessionById: true, touchSession: true, endIdleSession: true, deleteSession: true, deleteSessionsOf: true, listSessionsOf: true,
  countSessions: true,
  saveError: true, findError: true,
  takeToken: true,
  saveShared: true, findShared: true, takeLease: true, releaseLease: true,
  ping: true,
}

/** The same store. */
export function observedStore(store: Store, observe: ObserveStore): Store {
  const observed = (Object.keys(operations) as StoreOperation[]).map(operation => [operation, observedOperation(store, operation, observe)])
  return { ...store, ...Object.fromEntries(observed) as Pick<Store, StoreOperation> }
}

function observedOperation(store: Store, operation: StoreOperation, observe: ObserveStore): (...args: unknown[]) => Promise<unknown> {
  const run = store[operation] as (...args: unknown[]) => Promise<unknown>
  return async (...args) => {
    const startedAt = performance.now()
    try {
      const result = await run(...args)
      observe(operation, performance.now() - startedAt, undefined)
      return result
    } catch (error) {
      observe(operation, performance.now() - startedAt, codeOf(error))
      throw error
    }
  }
}

/** An error without a code of ours is a defect; whatever it is called must not become a label. */
function codeOf(error: unknown): string {
  return error instanceof GatewayError ? error.code : 'internal_error'
}
