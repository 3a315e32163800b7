/** Two sockets joined: bytes both ways at the slower side's pace, and neither outlives the other (security W8). */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** How long one direction may stay open after the other has ended. */
const halfOpenMs = 10_000
/** A peer that vanished without a word is noticed by TCP itself; a tunnel that is merely idle is never cut. */
const keepAliveMs = 60_000

/** Joins them. The function ends the tunnel at once; `onClose` is called when both are gone. */
export function joinSockets(client: Socket, upstream: Socket, onClose: () => void): () => void {
  let halfOpen: NodeJS.Timeout | undefined

  function end(): void {
    client.destroy()
    upstream.destroy()
  }
  function onEnd(): void {
    halfOpen ??= setTimeout(end, halfOpenMs)
  }
  function onSocketClose(): void {
    end()
    if (!client.closed || !upstream.closed) return
    clearTimeout(halfOpen)
    onClose()
  }

  for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
    from.setTimeout(0)
    from.setNoDelay(true)
    from.setKeepAlive(true, keepAliveMs)
    from.on('error', end).on('end', onEnd).on('close', onSocketClose)
    ;(from as Duplex).pipe(to)
  }
  if (client.destroyed || upstream.destroyed) end()
  return end
}
