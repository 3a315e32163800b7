/** One request to an upstream and its answer, between whoever forwards it and the connection that carries it. */
import type { ResponseHead } from './response-head.js'

/** What the connection hears of. Nothing is called any more after `onEnd`, `onError` or `drop`. */
export interface Exchange {
  readonly method: string
  /** As `requestHead` makes it. */
  readonly head: string
  /** A whole body, or one that is still to come; at most one of them. */
  readonly body?: Buffer | undefined
  readonly upload?: Upload | undefined
  /** Milliseconds to wait for the answer's head once the request is out, and for each piece of its body; 0 is no limit. */
  readonly responseMs: number
  readonly bodyMs: number
  /** Whoever carries it at the moment; set by the client alone. */
  carrier: Carrier | undefined

  /** The head of the answer. What it throws is what the exchange fails with. */
  onHead(head: ResponseHead): void
  /** A piece of the body. It must not be kept beyond the call, unless `carrier.keep` is told. False: no more until `carrier.resume`. */
  onData(piece: Buffer): boolean
  /** All that came in one read has been handed on, and there is more to come. False: as with `onData`. */
  onPause(): boolean
  /** The answer is whole. */
  onEnd(): void
  /** It failed. */
  onError(error: Error, circumstances: Circumstances): void
}

/** How far an exchange had got that failed. */
export interface Circumstances {
  /** A byte of an answer had come. */
  readonly begun: boolean
  /** The connection was lost, and had served a request before: it may just have been too old. */
  readonly tooOld: boolean
}

/** Where an exchange is: in the queue, or on a connection. */
export interface Carrier {
  /** Gives it up. On a connection, that is the end of the connection. */
  drop(exchange: Exchange): void
  /** The next piece of its answer is wanted. */
  resume(): void
  /** The piece that `onData` has been given stays as it is until the function returned is called: with an error, for good. */
  keep(): (error?: Error | null) => void
}

/** A request body that is still to come. */
export interface Upload {
  /** Bytes, when that is known. */
  readonly length: number | undefined
  /** Begins to read; called once, when the upstream is there. */
  start(sink: UploadSink): void
  /** The upstream takes more again. */
  resume(): void
  /** Nobody wants the rest; nothing is written any more. */
  stop(): void
}

export interface UploadSink {
  /** False: no more until `resume`. */
  write(piece: Buffer): boolean
  end(): void
  fail(error: Error): void
}
