/** Where a store under contract lives, and how a promise of the contract is written down. */
import type { Test } from 'tap'

import type { Store } from '../../../src/store/store.js'

/** An empty place of a test's own, gone with the test. */
export interface Place {
  /** Opens it; what is still open when the test ends is closed. */
  open(): Promise<Store>
  /** Moves the clock that its stores go by. */
  advanceClock(ms: number): void
}

/** Names a promise and says how it is seen to hold; the store is open and its place is empty. */
export type Contract = (name: string, holds: (t: Test, store: Store, place: Place) => Promise<void>) => void

export const hour = 3_600_000
