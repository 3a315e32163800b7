/** Upstreams that answer before they have taken the whole request, and hang up: what they said is heard out (security S20). */
import type { Socket } from 'node:net'

type Done = (error?: Error | null) => void

/** How long a connection that can no longer be written to is read from. */
const graceMs = 200

/**
 * A write that fails because the peer has closed would end the connection at once, with the peer's answer unread in it (a 413,
 * mostly). The failure is held back until that has been read.
 */
export function hearOut(socket: Socket): void {
  const write = socket._write.bind(socket)
  const writev = socket._writev?.bind(socket)

  function afterReading(error: Error | null | undefined, done: Done): void {
    if (!isHangUp(error)) {
      done(error)
      return
    }
    const timer = setTimeout(finish, graceMs)
    function finish(): void {
      clearTimeout(timer)
      socket.off('close', finish)
      done(error)
    }
    socket.on('close', finish)
  }

  socket._write = (chunk, encoding, done) => write(chunk, encoding, error => afterReading(error, done))
  if (writev !== undefined) socket._writev = (chunks, done) => writev(chunks, error => afterReading(error, done))
}

function isHangUp(error: Error | null | undefined): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EPIPE' || error.code === 'ECONNRESET')
}
