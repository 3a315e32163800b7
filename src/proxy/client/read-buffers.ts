/** The memory that upstreams' bytes are read into: used again once nobody needs what is in it, since new memory costs more than the copy. */

export interface ReadBuffer {
  readonly bytes: Buffer
  /** Writes under way of what is in it; it must not be read into meanwhile. */
  writes: number
  /** Whether it comes back by itself, after those. */
  lent: boolean
}

/** So that a head and 64 KiB come in one read. Only what has been written to takes memory. */
const bufferBytes = 131_072
/** Beyond these the collector gets them. */
const maxFree = 64

const free: ReadBuffer[] = []

/** Holds nothing that anybody needs. */
export function takeReadBuffer(): ReadBuffer {
  const buffer = free.pop() ?? { bytes: Buffer.allocUnsafeSlow(bufferBytes), writes: 0, lent: false }
  buffer.lent = false
  return buffer
}

/** To be called when nobody will read into it any more, once. One that has been lent comes back when it is written. */
export function returnReadBuffer(buffer: ReadBuffer): void {
  if (!buffer.lent) keep(buffer)
}

/**
 * To be called when a part of it is about to be written; what is returned is for the write to call when it is done. A buffer whose
 * last write is done is used again by whoever takes one next, so nobody may read into it from now on. After a failed write nobody
 * can tell who still holds it: then it never is.
 */
export function lendReadBuffer(buffer: ReadBuffer): (error?: Error | null) => void {
  buffer.writes++
  buffer.lent = true
  return error => {
    if (error) return
    buffer.writes--
    if (buffer.writes === 0) keep(buffer)
  }
}

function keep(buffer: ReadBuffer): void {
  if (free.length < maxFree) free.push(buffer)
}
