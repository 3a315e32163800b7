/** One connection to an upstream: it carries one exchange at a time, and is destroyed whenever there is doubt about the next. */
import { GatewayError } from '../../errors.js'
import { atTurnsEnd } from '../../http/turns-end.js'
import { dial, type Target } from './dial.js'
import type { Carrier, Exchange } from './exchange.js'
import { createRequestWriter } from './request-writer.js'
import { createResponseParser } from './response-parser.js'
import { ticksOf } from './ticks.js'

export interface ConnectionOptions {
  readonly target: Target
  readonly connectMs: number
  /** Milliseconds that it may be idle; 0: it serves one exchange. */
  readonly keepAliveMs: number
  /** It is idle, and may carry another exchange. */
  readonly onIdle: (connection: Connection) => void
  /** It is of no more use. Called once, before its exchange hears of it. */
  readonly onGone: (connection: Connection) => void
}

export interface Connection {
  /** Begins an exchange: at once, or when connected. Only for one that is new or idle. */
  send(exchange: Exchange): void
  /** Whether an idle one is to be trusted with another request; ends it when not. */
  isFresh(): boolean
  tick(): void
  /** Ends it now, when idle, or after its exchange. */
  close(): void
}

/** An upstream that says how long it waits may hang up at the very moment that we write; so much earlier we do. */
const hangUpMarginMs = 1000

/** Connects at once. */
export function createConnection({ target, connectMs, keepAliveMs, onIdle, onGone }: ConnectionOptions): Connection {
  let exchange: Exchange | undefined
  let ready = false
  let gone = false
  let closing = keepAliveMs === 0
  let hasServed = false
  let begun = false
  let inBody = false
  let paused = false
  let staysOpen = false
  let idleMs = keepAliveMs
  let idleSince = 0
  let ticksLeft = ticksOf(connectMs)

  const parser = createResponseParser({
    onHead(head) {
      inBody = true
      staysOpen = head.keepAlive
      if (head.idleMs !== undefined) idleMs = Math.min(keepAliveMs, head.idleMs - hangUpMarginMs)
      exchange?.onHead(head)
    },
    onData(piece) {
      if (exchange?.onData(piece) === false) paused = true
    },
    onEnd() {
      const done = exchange
      exchange = undefined
      paused = false
      hasServed = true
      if (writer.isUploading()) { // an early answer: the rest of the request would be taken for another one
        staysOpen = false
        done?.upload?.stop()
      }
      done?.onEnd()
      if (done !== undefined) done.carrier = undefined
    },
  })

  const { socket, keep } = dial(target, {
    onReady() {
      ready = true
      if (exchange !== undefined) write(exchange)
    },
    onRead(bytes) {
      receive(bytes)
      return !paused
    },
  })
  socket.on('error', lost).on('end', ended).on('close', () => lost(undefined)).on('drain', drained)

  const carrier: Carrier = {
    drop(dropped) {
      if (dropped !== exchange) return
      exchange = undefined
      dropped.carrier = undefined
      dropped.upload?.stop()
      destroy()
    },
    resume() {
      if (!paused) return
      paused = false
      if (exchange !== undefined) ticksLeft = ticksOf(exchange.bodyMs)
      socket.resume()
    },
    keep,
  }

  const writer = createRequestWriter(socket, error => { fail(error, false) })

  function write(next: Exchange): void {
    ticksLeft = ticksOf(next.responseMs)
    writer.write(next)
  }

  function receive(bytes: Buffer): void {
    if (exchange === undefined) { // nobody asked: whoever comes next must not get it (response desynchronisation)
      destroy()
      return
    }
    if (writer.isUnsent()) { // nor can this be an answer to what has not been said
      lost(undefined)
      return
    }
    begun = true
    let end
    try {
      end = parser.read(bytes)
    } catch (thrown) {
      fail(thrown instanceof Error ? thrown : new GatewayError('internal_error', { cause: thrown }), false)
      return
    }
    const current = exchange as Exchange | undefined // the parser may have ended it
    if (current !== undefined) {
      if (inBody) ticksLeft = ticksOf(current.bodyMs)
      if (!current.onPause()) paused = true
      return
    }
    if (gone) return
    if (!staysOpen || closing || idleMs <= 0 || end < bytes.length) {
      destroy()
      return
    }
    idleSince = performance.now()
    // TLS hands over its records one by one, so behind this one may be more than was asked for; and it tells late what it has written.
    if (target.isTls) atTurnsEnd(rest)
    else rest()
  }

  function rest(): void {
    if (gone) return
    if (socket.writableLength > 0) destroy() // an early answer, too
    else onIdle(connection)
  }

  function drained(): void {
    if (exchange === undefined || inBody) return
    ticksLeft = ticksOf(exchange.responseMs)
    if (writer.isUploading()) exchange.upload?.resume()
  }

  function ended(): void {
    if (exchange !== undefined && parser.end()) destroy()
    else lost(undefined)
  }

  function lost(error: Error | undefined): void {
    if (gone) return
    fail(error ?? Object.assign(new Error('the upstream hung up'), { code: 'HUNG_UP' }), true)
  }

  function fail(error: Error, isLost: boolean): void {
    const failed = exchange
    exchange = undefined
    destroy()
    if (failed === undefined) return
    failed.carrier = undefined
    failed.upload?.stop()
    failed.onError(error, { begun, tooOld: isLost && hasServed })
  }

  function destroy(): void {
    if (gone) return
    gone = true
    parser.stop()
    writer.stop()
    socket.destroy()
    onGone(connection)
  }

  const connection: Connection = {
    send(next) {
      exchange = next
      next.carrier = carrier
      begun = inBody = paused = false
      parser.begin(next.method)
      if (ready) write(next)
    },

    isFresh() {
      if (!gone && performance.now() - idleSince < idleMs) return true
      destroy()
      return false
    },

    tick() {
      if (!ready) {
        if (--ticksLeft <= 0) fail(new GatewayError('upstream_unreachable', { detail: 'connecting took too long' }), false)
      } else if (exchange === undefined) {
        connection.isFresh()
      } else if (inBody) {
        if (!paused && --ticksLeft <= 0) fail(new GatewayError('upstream_timeout', { detail: 'the answer does not go on' }), false)
      } else if (writer.isUploading() && !socket.writableNeedDrain) {
        ticksLeft = ticksOf(exchange.responseMs) // it is the client who is waited for
      } else if (--ticksLeft <= 0) {
        fail(new GatewayError('upstream_timeout', { detail: 'no answer' }), false)
      }
    },

    close() {
      closing = true
      if (exchange === undefined) destroy()
    },
  }
  return connection
}
