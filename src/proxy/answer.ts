/** An upstream's answer on its way to the client: raw fields and bytes straight to the response, at the client's pace. */
import type { ServerResponse } from 'node:http'

import { atTurnsEnd } from '../http/turns-end.js'
import type { Circumstances, Exchange } from './client/exchange.js'
import type { ResponseHead } from './client/response-head.js'

/** What is to be asked, and for whom. */
export interface Question extends Pick<Exchange, 'method' | 'head' | 'body' | 'upload' | 'responseMs' | 'bodyMs'> {
  readonly res: ServerResponse
  /** The answer's header fields for the client, flat. */
  readonly fieldsFor: (head: ResponseHead) => string[]
}

/** Who hears what became of it. */
export interface Outcome {
  /** The answer was passed on whole. */
  readonly onComplete: (status: number) => void
  /** The client went away first; the upstream request has been dropped. */
  readonly onClientGone: () => void
  /**
   * The exchange failed. When the head of an answer has already been passed on, the connection to the client is destroyed, so
   * that nobody takes half an answer for a whole one (security P2); else the same exchange may be sent again.
   */
  readonly onFailure: (error: Error, circumstances: Circumstances) => void
}

/** Bytes up to which Node writes a string faster than a buffer: it is joined with the head, or with what frames a chunk. */
const maxJoined = 16_384

/** An exchange for the client to carry. */
export function createAnswer(question: Question, outcome: Outcome): Exchange {
  const { res } = question
  let over = false
  /** The first piece of the body, for as long as it may turn out to be all of it: then head and body are one write. */
  let held: Buffer | undefined
  let flushed = false
  let isAwaited = false
  /** A whole body, to be written when the turn ends. */
  let whole = ''

  res.on('close', () => {
    if (over) return
    over = true
    exchange.carrier?.drop(exchange)
    outcome.onClientGone()
  })

  /** False: the client takes its time, and the rest will be asked for when it has. */
  function write(piece: Buffer): boolean {
    const goesOn = piece.length <= maxJoined ? res.write(piece.toString('latin1'), 'latin1') : res.write(piece, exchange.carrier?.keep())
    if (!goesOn && !isAwaited) { // the pieces of one read may be many
      isAwaited = true
      res.once('drain', resume)
    }
    return goesOn
  }

  function endWhole(): void {
    if (over) return
    over = true
    res.end(whole, 'latin1')
    outcome.onComplete(res.statusCode)
  }

  function resume(): void {
    isAwaited = false
    exchange.carrier?.resume()
  }

  const exchange: Exchange = {
    method: question.method, head: question.head, body: question.body, upload: question.upload,
    responseMs: question.responseMs, bodyMs: question.bodyMs,
    carrier: undefined,

    onHead(head) {
      if (!over) writeHead(res, head, question.fieldsFor(head))
    },

    onData(piece) {
      if (!flushed && held === undefined) {
        held = piece
        return true
      }
      if (held !== undefined) write(held)
      held = undefined
      flushed = true
      return write(piece)
    },

    onPause() {
      if (!res.headersSent || flushed) return true // nothing but interim answers yet, or nothing that is held back
      flushed = true
      const first = held
      held = undefined
      if (first !== undefined) return write(first)
      res.flushHeaders() // an event stream shows its head before it has anything to say
      return true
    },

    onEnd() {
      if (over) return
      if (flushed || (held !== undefined && held.length > maxJoined)) {
        over = true
        if (held === undefined) res.end()
        else res.end(held, exchange.carrier?.keep())
        outcome.onComplete(res.statusCode)
        return
      }
      whole = held === undefined ? '' : held.toString('latin1')
      atTurnsEnd(endWhole)
    },

    onError(error, circumstances) {
      if (over) return
      if (res.headersSent) {
        over = true
        cut(res)
      }
      outcome.onFailure(error, circumstances)
    },
  }
  return exchange
}

/** Repeated fields stay repeated. What the gateway has set itself (CORS) stands; an upstream adds to it only where fields add up. */
function writeHead(res: ServerResponse, { status, reason }: ResponseHead, fields: string[]): void {
  const phrase = /^[\t -~]+$/.test(reason) ? reason : undefined
  const own = res.getHeaderNames()
  if (own.length === 0) {
    if (phrase === undefined) res.writeHead(status, fields)
    else res.writeHead(status, phrase, fields)
    return
  }
  for (let at = 0; at < fields.length; at += 2) {
    const [name, value] = [fields[at] as string, fields[at + 1] as string]
    if (!own.includes(name.toLowerCase()) || /^(?:vary|set-cookie)$/i.test(name)) res.appendHeader(name, value)
  }
  if (phrase === undefined) res.writeHead(status)
  else res.writeHead(status, phrase)
}

/** To HTTP/1.0 a closed connection is the regular end of an answer, so there it has to be a reset; TLS has an end of its own, which is left out. */
function cut(res: ServerResponse): void {
  if (res.req.httpVersion === '1.0' && !('encrypted' in res.req.socket)) res.socket?.resetAndDestroy()
  else res.destroy()
}
