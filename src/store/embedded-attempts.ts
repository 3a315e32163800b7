/** Journeys to providers in the embedded store. */
import type { EmbeddedDatabase } from './embedded-database.js'
import { expireAt } from './embedded-expiry.js'
import { idPart } from './keys.js'
import type { Store } from './store.js'

type Attempts = Pick<Store, 'saveAttempt' | 'takeAttempt'>

/** The part of the store that keeps them. */
export function embeddedAttempts({ write }: EmbeddedDatabase, now: () => number): Attempts {
  return {
    saveAttempt: attempt => write(tables => {
      const key = idPart(attempt.key)
      tables.attempts.putSync(key, attempt)
      expireAt(tables, attempt.expiresAt, 'attempts', key)
    }),

    takeAttempt: key => write(({ attempts }) => {
      const attempt = attempts.get(idPart(key))
      if (attempt !== undefined) attempts.removeSync(idPart(key))
      return attempt === undefined || attempt.expiresAt <= now() ? undefined : attempt
    }),
  }
}
