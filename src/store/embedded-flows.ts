/** Flows and errors of flows in the embedded store. */
import type { EmbeddedDatabase, Tables } from './embedded-database.js'
import { expireAt, markExpired } from './embedded-expiry.js'
import { idPart } from './keys.js'
import { errorRetentionMs, flowRetentionMs } from './retention.js'
import type { Store } from './store.js'

type StoredFlow = NonNullable<ReturnType<Tables['flows']['get']>>
type Flows = Pick<Store, 'saveFlow' | 'findFlow' | 'consumeFlow' | 'releaseFlow' | 'saveError' | 'findError'>

/** The part of the store that keeps flows and errors. */
export function embeddedFlows({ read, write }: EmbeddedDatabase, now: () => number): Flows {
  const kept = ({ flows }: Tables, id: string): StoredFlow | undefined => {
    const found = flows.get(idPart(id))
    return found === undefined || found.flow.expiresAt + flowRetentionMs <= now() ? undefined : found
  }

  return {
    saveFlow: flow => write(tables => {
      const key = idPart(flow.id)
      tables.flows.putSync(key, { consumed: false, ...kept(tables, flow.id), flow })
      expireAt(tables, flow.expiresAt, 'flows', key)
      expireAt(tables, flow.expiresAt + flowRetentionMs, 'flows', key)
    }),

    async findFlow(id) {
      const found = await read(tables => kept(tables, id))
      if (found === undefined) return undefined
      const expired = found.expired === true || found.flow.expiresAt <= now()
      // What was seen to be over stays so. A disk that can't be written to is learnt of elsewhere.
      if (expired && found.expired === undefined) await write(tables => { markExpired(tables, idPart(id), now()) }).catch(() => undefined)
      return { flow: found.flow, consumed: found.consumed, expired }
    },

    consumeFlow: id => write(tables => {
      const found = kept(tables, id)
      if (found === undefined || found.consumed) return false
      tables.flows.putSync(idPart(id), { ...found, consumed: true })
      return true
    }),

    releaseFlow: id => write(tables => {
      const found = kept(tables, id)
      if (found !== undefined) tables.flows.putSync(idPart(id), { ...found, consumed: false })
    }),

    saveError: error => write(tables => {
      const key = idPart(error.id)
      tables.errors.putSync(key, error)
      expireAt(tables, error.createdAt + errorRetentionMs, 'errors', key)
    }),

    findError: id => read(({ errors }) => {
      const error = errors.get(idPart(id))
      return error === undefined || error.createdAt + errorRetentionMs <= now() ? undefined : error
    }),
  }
}
