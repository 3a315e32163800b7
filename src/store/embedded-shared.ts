/** Texts by name in the embedded store, and leases. It serves one process, so leases live in its memory. */
import type { EmbeddedDatabase } from './embedded-database.js'
import { expireAt } from './embedded-expiry.js'
import { idPart } from './keys.js'
import type { Store } from './store.js'

type Shared = Pick<Store, 'saveShared' | 'findShared' | 'takeLease' | 'releaseLease'>

/** The part of the store that keeps them. */
export function embeddedShared({ read, write, writeThrough }: EmbeddedDatabase, now: () => number): Shared {
  const leases = new Map<string, { readonly holder: string, readonly endsAt: number }>()

  return {
    saveShared(name, text, expiresAt) {
      const key = idPart(name)
      // What has an end is soon worthless; what has none is not to be had again for nothing.
      if (expiresAt === undefined) return writeThrough(tables => { tables.shared.putSync(key, { text }) })
      return write(tables => {
        tables.shared.putSync(key, { text, expiresAt })
        expireAt(tables, expiresAt, 'shared', key)
      })
    },

    findShared: name => read(({ shared }) => {
      const found = shared.get(idPart(name))
      return found === undefined || (found.expiresAt ?? Infinity) <= now() ? undefined : found.text
    }),

    takeLease(name, holder, forMs) {
      const held = leases.get(name)
      if (held !== undefined && held.holder !== holder && held.endsAt > now()) return Promise.resolve(false)
      leases.set(name, { holder, endsAt: now() + forMs })
      return Promise.resolve(true)
    },

    releaseLease(name, holder) {
      if (leases.get(name)?.holder === holder) leases.delete(name)
      return Promise.resolve()
    },
  }
}
