/** A store for tests that need one but are not about it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Test } from 'tap'

import { openStore } from '../../src/store/open.js'
import type { Store } from '../../src/store/store.js'

/** A directory that is gone when the test is. */
export function temporaryDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'oathgate-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** An empty embedded store that is closed and removed when the test ends. */
export async function temporaryStore(t: Test, now?: () => number): Promise<Store> {
  const store = await openStore({
    dsn: `embedded://${temporaryDirectory(t)}`,
    timeoutMs: 10_000,
    keyPrefix: '',
    durability: 'none',
    warn: message => t.comment(message),
    ...now && { now },
  })
  t.teardown(store.close)
  return store
}
