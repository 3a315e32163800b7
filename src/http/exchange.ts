/** What is found out about a request on its way; in Koa apps it is `ctx.state`. */
import type { Context } from 'koa'

import type { GatewayError } from '../errors.js'
import type { AccessRequest } from './access-request.js'

export interface ExchangeState {
  /** By which it is known in the log, in the bodies of errors and to the upstream. */
  requestId: string
  /** The request as rules see it; absent when it was refused before that. */
  request?: AccessRequest
  /** What went wrong, for the log; set also when the browser was sent to an error page. */
  failure?: GatewayError
  /** What the client was told below HTTP, because its body was malformed or did not come; what else went wrong follows from it. */
  refusal?: GatewayError
  /** Set when it was one too many, see `in-flight.ts`. */
  turnedAway?: true
  /** The rule that the request met. */
  ruleId?: string
  /** Who was asking, as far as that was found out before it was denied; empty for nobody. */
  subject?: string
  /** Set when the gateway itself serves what was asked for. */
  selfService?: true
  /** The route of what the gateway itself serves, with its parameters as names. */
  route?: string
  /** The trace that it is part of; absent when it is not traced. */
  traceId?: string
  /** What access rules said; absent where they were not asked. `denied` covers all that keeps a request from its upstream. */
  decision?: 'granted' | 'denied'
  /** How the upstream did; absent when the request never went there. */
  upstream?: {
    /** Absent when no answer came. */
    readonly status?: number
    /** From handing it the request to the end of the exchange, whichever side ended it. */
    readonly ms: number
  }
}

/** The state of an exchange in a Koa app, typed. */
export function stateOf(ctx: Context): ExchangeState {
  return ctx.state as ExchangeState
}
