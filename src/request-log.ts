/** One line per request: who asked what, which rule it met, what came of it. Never a query value, a cookie or a body (security K4). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import type { GatewayError } from './errors.js'
import type { ExchangeState } from './http/exchange.js'
import { atTurnsEnd } from './http/turns-end.js'
import { inOneWrite, type Log } from './log.js'

/** Learns what became of a request. `status` is absent when the client went away before its answer was whole. */
export type OnEnd = (exchange: ExchangeState, status: number | undefined, ms: number) => void

/**
 * Writes the line when the response is done or broken off; server-side failures are written as errors, with their cause. `onEnd`
 * learns of it too, whether or not lines are written.
 */
export function logExchange(log: Log, req: IncomingMessage, res: ServerResponse, exchange: ExchangeState, onEnd?: OnEnd): void {
  const startedAt = performance.now()
  const { remoteAddress } = req.socket // which it forgets when it is closed
  res.on('close', () => {
    const ms = performance.now() - startedAt
    afterItsEnd(() => {
      const status = statusOf(res, exchange)
      onEnd?.(exchange, status, ms)
      write(log, req, exchange, { status: status ?? 499, ms, remoteAddress }, 'request')
    })
  })
}

let ended: (() => void)[] = []

/** Whoever waits for the end of an exchange may have more to note, and is told after its last event. */
function afterItsEnd(note: () => void): void {
  if (ended.push(note) === 1) atTurnsEnd(noteEnded)
}

function noteEnded(): void {
  const notes = ended
  ended = []
  inOneWrite(() => { for (const note of notes) note() })
}

/** Makes the function that writes the line of a WebSocket handshake, once it is known what became of it, and tells `onEnd`. */
export function logUpgrade(log: Log, req: IncomingMessage, exchange: ExchangeState, onEnd: OnEnd): (status: number | undefined) => void {
  const startedAt = performance.now()
  const { remoteAddress } = req.socket
  return status => {
    const ms = performance.now() - startedAt
    onEnd(exchange, status, ms)
    write(log, req, exchange, { status: status ?? 499, ms, remoteAddress }, status === 101 ? 'upgraded' : 'upgrade refused')
  }
}

/** The line of what was refused before it was a request. */
export function logRefused(log: Log, error: GatewayError, requestId: string, socket: Socket): void {
  log.info({ request_id: requestId, client: socket.remoteAddress, status: error.status, ...failureFields(error) }, 'request refused')
}

interface Outcome { readonly status: number, readonly ms: number, readonly remoteAddress: string | undefined }

function write(log: Log, req: IncomingMessage, exchange: ExchangeState, { status, ms, remoteAddress }: Outcome, message: string): void {
  const { request, ruleId, decision, subject, upstream } = exchange
  const failure = exchange.refusal ?? exchange.failure
  // A refusal that the rule's error handlers make a 500 of is a mistake of the rule.
  const failed = failure !== undefined && (failure.status >= 500 || (status >= 500 && upstream === undefined))
  const level = failed ? 'error' : 'info'
  if (!log.isLevelEnabled(level)) return

  log[level]({
    request_id: exchange.requestId,
    trace_id: exchange.traceId,
    method: req.method,
    host: request?.host ?? req.headers.host,
    // Of a request that was refused before it was read, and on the admin listener: as it was sent, without the query.
    path: request?.path ?? req.url?.split('?', 1)[0],
    client: request?.clientAddress ?? remoteAddress,
    rule_id: ruleId,
    decision,
    subject: subject === '' ? undefined : subject,
    status,
    upstream_status: upstream?.status,
    duration_ms: inTenths(ms),
    upstream_ms: upstream === undefined ? undefined : inTenths(upstream.ms),
    ...failureFields(failure),
  }, level === 'error' ? 'request failed' : message)
}

/** Absent, written as 499: the client went away before its answer was complete. An answer that the upstream broke off keeps its status. */
function statusOf(res: ServerResponse, { refusal, failure }: ExchangeState): number | undefined {
  if (refusal !== undefined) return refusal.status
  return res.writableFinished || (failure !== undefined && res.headersSent) ? res.statusCode : undefined
}

function inTenths(ms: number): number {
  return Math.round(ms * 10) / 10
}

function failureFields(failure: GatewayError | undefined): object {
  if (failure === undefined) return {}
  const { code, reason, detail, cause } = failure
  return { error: code, reason, detail, ...(cause instanceof Error ? { err: cause } : {}) }
}
