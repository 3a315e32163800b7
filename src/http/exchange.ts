/** What is found out about a request on its way; in Koa apps it is `ctx.state`. */
import type { Context } from 'koa'

import type { GatewayError } from '../errors.js'
import type { AccessRequest } from './access-request.js'

export interface ExchangeState {
  /** The request as rules see it; absent when it was refused before that. */
  request?: AccessRequest
  /** What went wrong, for the log; set also when the browser was sent to an error page. */
  failure?: GatewayError
  /** The rule that the request met. */
  ruleId?: string
  /** On whose behalf the request went to the upstream. */
  subject?: string
}

/** The state of an exchange in a Koa app, typed. */
export function stateOf(ctx: Context): ExchangeState {
  return ctx.state as ExchangeState
}
