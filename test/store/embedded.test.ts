/** The embedded driver: the contract, one process per directory, and its own ends. */
import t from 'tap'

import { openEmbeddedStore } from '../../src/store/embedded.js'
import { temporaryDirectory } from '../helpers/store.js'
import { storeContract } from './contract.js'

t.test('the store contract', async t => storeContract(t, async t => {
  const path = temporaryDirectory(t)
  let offset = 0
  return {
    async open() {
      const store = await openEmbeddedStore({ path, timeoutMs: 10_000, durability: 'required', now: () => Date.now() + offset })
      t.teardown(store.close)
      return store
    },
    advanceClock(ms) {
      offset += ms
    },
  }
}))
