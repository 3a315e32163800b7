/** An upstream's answer on its way to the client: undici's handler, writing raw fields and bytes straight to the response. */
import type { ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'

import { GatewayError } from '../errors.js'
import { clientGone, isClientGone } from './transport-error.js'

export interface ResponseHandlerOptions {
  readonly res: ServerResponse
  /** The answer's header fields for the client, flat. */
  readonly fieldsFor: (status: number, raw: readonly Buffer[]) => string[]
  /** The answer was passed on whole. */
  readonly onComplete: (status: number) => void
  /** The client went away first; the upstream request has been aborted. */
  readonly onClientGone: () => void
  /**
   * The exchange failed. `begun` says whether a byte of an answer has come; when its head has already been passed on, the
   * connection to the client is destroyed, so that nobody takes half an answer for a whole one (security P2).
   */
  readonly onFailure: (error: Error, begun: boolean) => void
}

/** Interim answers that an upstream may send before the real one; a stream of them would never end (security S21). */
const maxInterim = 20

/** Bytes of a body up to which Node joins it with its head faster as a string than as a buffer. */
const maxJoined = 16_384

/** Serves one request; may be dispatched again after `onFailure` when nothing had begun. */
export function createResponseHandler(options: ResponseHandlerOptions): Dispatcher.DispatchHandler {
  const { res } = options
  let abort: ((error?: Error) => void) | undefined
  let resumeUpstream = (): void => undefined
  let over = false
  let begun = false
  let interim = 0
  /** The first piece of the body, for as long as it may turn out to be all of it: then head and body are one write. */
  let held: Buffer | undefined
  let flushed = false

  function giveUp(): void {
    if (over) return
    over = true
    abort?.(clientGone())
    options.onClientGone()
  }

  res.on('close', giveUp)

  /** Once everything that came in one piece has been looked at: an event stream shows its head before it has anything to say. */
  function flush(): void {
    flushed = true
    if (over) return
    if (held === undefined) res.flushHeaders()
    else res.write(held)
    held = undefined
  }

  return {
    onConnect(doAbort) {
      abort = doAbort
      if (over) doAbort(clientGone())
    },

    onResponseStarted() {
      begun = true
    },

    onHeaders(status, raw, resume, reason) {
      if (status < 200) {
        if (++interim > maxInterim) throw new GatewayError('upstream_invalid', { detail: 'too many interim answers' })
        return true
      }
      if (over) return false
      writeHead(res, status, reason, options.fieldsFor(status, raw))
      resumeUpstream = resume
      process.nextTick(flush)
      return true
    },

    onData(chunk) {
      if (!flushed && held === undefined) {
        held = chunk
        return true
      }
      if (held !== undefined) res.write(held)
      held = undefined
      if (res.write(chunk)) return true
      res.once('drain', resumeUpstream)
      return false
    },

    onComplete() {
      if (over) return
      over = true
      if (held === undefined) res.end()
      else if (held.length > maxJoined) res.end(held)
      else res.end(held.toString('latin1'), 'latin1')
      options.onComplete(res.statusCode)
    },

    onError(error) {
      if (over) return
      if (isClientGone(error)) {
        giveUp()
        return
      }
      if (res.headersSent) {
        over = true
        cut(res)
      }
      options.onFailure(error, begun)
    },
  }
}

/** Repeated fields stay repeated. What the gateway has set itself (CORS) stands; an upstream adds to it only where fields add up. */
function writeHead(res: ServerResponse, status: number, reason: string, fields: string[]): void {
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(reason)) throw new GatewayError('upstream_invalid', { detail: 'control character in the reason phrase' })
  const phrase = /^[\t -~]+$/.test(reason) ? reason : undefined

  if (res.getHeaderNames().length === 0) {
    if (phrase === undefined) res.writeHead(status, fields)
    else res.writeHead(status, phrase, fields)
    return
  }
  const own = new Set(res.getHeaderNames())
  for (let at = 0; at < fields.length; at += 2) {
    const [name, value] = [fields[at] as string, fields[at + 1] as string]
    if (!own.has(name.toLowerCase()) || /^(?:vary|set-cookie)$/i.test(name)) res.appendHeader(name, value)
  }
  if (phrase === undefined) res.writeHead(status)
  else res.writeHead(status, phrase)
}

/** To HTTP/1.0 a closed connection is the regular end of an answer, so there it has to be a reset; TLS has an end of its own, which is left out. */
function cut(res: ServerResponse): void {
  if (res.req.httpVersion === '1.0' && !('encrypted' in res.req.socket)) res.socket?.resetAndDestroy()
  else res.destroy()
}
