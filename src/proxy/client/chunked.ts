/** The chunked transfer coding, read strictly (RFC 9112 7.1): sizes in hex alone, CRLF where it belongs, everything limited. */
import { invalid, isTrailerField } from './response-head.js'

export interface ChunkDecoder {
  /** To be called before each body. */
  begin(): void
  /**
   * Reads on from `at` until the body or the piece ends, and returns where. Data goes out in views of the piece; extensions and
   * trailers go nowhere. Throws `upstream_invalid`.
   */
  read(piece: Buffer, at: number): number
  /** Whether the last chunk and its trailer section have been read. */
  isOver(): boolean
}

/** Bytes of one size line, and of all extensions and of the trailer section of a body. */
const maxLineBytes = 4096
const maxExtensionBytes = 16_384
const maxTrailerBytes = 16_384

const token = '[!#$%&\'*+.^_`|~0-9A-Za-z-]+'
const sizeLine = new RegExp(`^([0-9A-Fa-f]{1,12})((?:;${token}(?:=(?:${token}|"[\\t !#-\\[\\]-~]*"))?)*)\\r\\n$`)

const cr = 0x0d
const lf = 0x0a

/** A decoder for one body after another. */
export function createChunkDecoder(onData: (piece: Buffer) => void): ChunkDecoder {
  let state: 'size' | 'data' | 'data_cr' | 'data_lf' | 'trailer' | 'over' = 'over'
  /** What has come of a line. */
  let line = ''
  let left = 0
  let extensionBytes = 0
  let trailerBytes = 0

  function readSize(piece: Buffer, at: number): number {
    const next = readLine(piece, at)
    if (next === undefined) return piece.length
    const [, digits = '', extensions = ''] = sizeLine.exec(line) ?? []
    if (digits === '') throw invalid('malformed chunk size')
    extensionBytes += extensions.length
    if (extensionBytes > maxExtensionBytes) throw invalid('chunk extensions are too large')
    line = ''
    left = parseInt(digits, 16)
    state = left === 0 ? 'trailer' : 'data'
    return next
  }

  function readData(piece: Buffer, at: number): number {
    const end = Math.min(piece.length, at + left)
    left -= end - at
    if (left === 0) state = 'data_cr'
    onData(at === 0 && end === piece.length ? piece : piece.subarray(at, end))
    return end
  }

  function readTrailer(piece: Buffer, at: number): number {
    const next = readLine(piece, at)
    if (next === undefined) return piece.length
    if (line === '\r\n') state = 'over'
    else if (!isTrailerField(line)) throw invalid('malformed trailer section')
    trailerBytes += line.length
    if (trailerBytes > maxTrailerBytes) throw invalid('the trailer section is too large')
    line = ''
    return next
  }

  /** Adds to `line` what belongs to it. Where the next line begins, or `undefined` when the piece ends before. */
  function readLine(piece: Buffer, at: number): number | undefined {
    const end = piece.indexOf(lf, at)
    const to = end === -1 ? piece.length : end + 1
    if (line.length + to - at > maxLineBytes) throw invalid('a line between chunks is too long')
    line += piece.toString('latin1', at, to)
    return end === -1 ? undefined : to
  }

  function expect(piece: Buffer, at: number, byte: number, next: typeof state): number {
    if (piece[at] !== byte) throw invalid('a chunk does not end where it said')
    state = next
    return at + 1
  }

  return {
    begin() {
      state = 'size'
      line = ''
      extensionBytes = trailerBytes = 0
    },
    read(piece, from) {
      let at = from
      while (at < piece.length && state !== 'over') {
        if (state === 'size') at = readSize(piece, at)
        else if (state === 'data') at = readData(piece, at)
        else if (state === 'data_cr') at = expect(piece, at, cr, 'data_lf')
        else if (state === 'data_lf') at = expect(piece, at, lf, 'size')
        else at = readTrailer(piece, at)
      }
      return at
    },
    isOver: () => state === 'over',
  }
}
