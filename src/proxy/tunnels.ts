/** The tunnels that are open, and the end of those whose session ends before them (security W9). */
import type { Socket } from 'node:net'

import type { AuthenticationSession } from '../access/pipeline.js'
import { joinSockets } from './tunnel.js'

export interface Tunnels {
  /** Joins the sockets, until either side ends it or the session is over. An open tunnel counts as use of its session. */
  open(client: Socket, upstream: Socket, session: AuthenticationSession): void
  /** How many are open. */
  count(): number
  /** Ends all of them at once. */
  close(): void
}

/** A tunnel asks again this long after its last answer: what is revoked is closed within five seconds, replicas included. */
const askAgainMs = 2_000

/** None is open yet. */
export function createTunnels(): Tunnels {
  const ends = new Set<() => void>()

  return {
    open(client, upstream, { stillValid }) {
      const stopAsking = stillValid === undefined ? undefined : whenOver(stillValid, () => { end() })
      const end = joinSockets(client, upstream, () => {
        stopAsking?.()
        ends.delete(end)
      })
      ends.add(end)
    },

    count: () => ends.size,

    close() {
      for (const end of [...ends]) end()
    },
  }
}

/** Calls when the answer is no. The function returned ends the asking. */
function whenOver(stillValid: () => Promise<boolean>, call: () => void): () => void {
  let stopped = false
  let timer: NodeJS.Timeout

  function askLater(): void {
    timer = setTimeout(() => void ask(), askAgainMs).unref()
  }
  async function ask(): Promise<void> {
    // No answer is no "no": a store that is down cuts nobody's tunnel.
    const valid = await stillValid().catch(() => true)
    if (stopped) return
    if (valid) askLater()
    else call()
  }

  askLater()
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
