/** Reads one answer after another from the bytes of a connection, in whatever pieces they come. */
import { createChunkDecoder } from './chunked.js'
import { invalid, parseResponseHead, type BodyEnd, type ResponseHead } from './response-head.js'

export interface ResponseSink {
  /** The real answer's head; interim ones go nowhere. */
  onHead(head: ResponseHead): void
  /** A piece of the body: a view of the bytes that are being read. */
  onData(piece: Buffer): void
  /** The answer is whole. */
  onEnd(): void
}

export interface ResponseParser {
  /** An answer to a request of this method is expected from now on. */
  begin(method: string): void
  /** Reads until the answer or the piece ends, and returns where; what follows is nobody's. Throws `upstream_invalid`. */
  read(piece: Buffer): number
  /** The connection has ended, regularly. True when that is the end of an answer, too. */
  end(): boolean
  /** Nothing more is expected. */
  stop(): void
}

/** Bytes of a head, interim or not (security S21). */
const maxHeadBytes = 32_768
/** Interim answers before the real one; a stream of them would never end (security S21). */
const maxInterim = 20

const lineStart = Buffer.from('HTTP/1.')

/** A parser for a new connection. `sink` may call `stop` at any time. */
export function createResponseParser(sink: ResponseSink): ResponseParser {
  let phase: 'idle' | 'head' | 'body' = 'idle'
  let method = ''
  let interim = 0
  /** What has come of a head; a copy. */
  let partial: Buffer | undefined
  let bodyEnd: BodyEnd = 0
  let left = 0
  const chunks = createChunkDecoder(piece => { sink.onData(piece) })

  function readHead(piece: Buffer, at: number): number {
    const before = partial?.length ?? 0
    const bytes = partial === undefined ? (at === 0 ? piece : piece.subarray(at)) : Buffer.concat([partial, piece.subarray(at)])
    const end = bytes.indexOf('\r\n\r\n', Math.max(0, before - 3), 'latin1')
    if ((end === -1 ? bytes.length : end) > maxHeadBytes) throw invalid('the response head is too large')
    if (end === -1) {
      checkBeginning(bytes, before)
      partial = before === 0 ? Buffer.from(bytes) : bytes
      return piece.length
    }
    partial = undefined
    onHead(parseResponseHead(bytes.toString('latin1', 0, end + 2), method))
    return at + end + 4 - before
  }

  function onHead(head: ResponseHead): void {
    if (head.status < 200) {
      if (head.status === 101) throw invalid('an upgrade that nobody asked for')
      if (++interim > maxInterim) throw invalid('too many interim answers')
      return
    }
    phase = 'body'
    bodyEnd = head.bodyEnd
    if (bodyEnd === 'last_chunk') chunks.begin()
    else left = bodyEnd === 'close' ? Infinity : bodyEnd
    sink.onHead(head)
    if (bodyEnd === 0) finish()
  }

  function readBody(piece: Buffer, at: number): number {
    if (bodyEnd === 'last_chunk') {
      const next = chunks.read(piece, at)
      if (chunks.isOver()) finish()
      return next
    }
    const end = Math.min(piece.length, at + left)
    left -= end - at
    sink.onData(at === 0 && end === piece.length ? piece : piece.subarray(at, end))
    if (left === 0) finish()
    return end
  }

  function finish(): void {
    if (phase !== 'body') return
    phase = 'idle'
    sink.onEnd()
  }

  return {
    begin(requestMethod) {
      phase = 'head'
      method = requestMethod
      interim = 0
      partial = undefined
    },
    read(piece) {
      let at = 0
      while (at < piece.length && phase !== 'idle') at = phase === 'head' ? readHead(piece, at) : readBody(piece, at)
      return at
    },
    end() {
      if (phase !== 'body' || bodyEnd !== 'close') return false
      finish()
      return true
    },
    stop() {
      phase = 'idle'
    },
  }
}

/** What can't become a head any more is refused at once, not when it has been waited for in vain. */
function checkBeginning(bytes: Buffer, checked: number): void {
  const known = Math.min(bytes.length, lineStart.length)
  if (bytes.compare(lineStart, 0, known, 0, known) !== 0) throw invalid('this is no HTTP/1')
  for (let at = bytes.indexOf(0x0a, checked); at !== -1; at = bytes.indexOf(0x0a, at + 1)) {
    if (bytes[at - 1] !== 0x0d) throw invalid('a bare LF in the response head')
  }
}
