/** The decision API: the same decision as for a proxied request, told to another proxy instead of carried out. */
import type { Middleware } from 'koa'

import { decide } from '../access/decide.js'
import type { RuleSet } from '../access/rules.js'
import { stateOf, type ExchangeState } from '../http/exchange.js'
import { decisionsPath, readForwardedRequest } from '../http/forwarded-request.js'

/**
 * Answers `/decisions` and everything below it, for any method. 200 with the header fields that the rule's mutators set for
 * the upstream, and only those: nothing that the client sent comes back. A refusal is answered as it would be at the proxy.
 * `onDecided` learns of each answer, refusals included.
 */
export function answerDecisions(rules: () => RuleSet, pathBytes: number, onDecided: (exchange: ExchangeState) => void): Middleware {
  return async (ctx, next) => {
    if (!isDecision(ctx.path)) return next()

    const state = stateOf(ctx)
    ctx.res.once('close', () => { onDecided(state) })
    const request = state.request = readForwardedRequest(ctx.req, pathBytes, state.requestId)
    state.requestId = request.requestId
    const { session } = await decide(request, rules(), state)
    ctx.status = 200
    ctx.body = ''
    ctx.remove('Content-Type')
    ctx.set({ 'Cache-Control': 'no-store', ...session.header })
  }
}

/** Whether a path of the admin listener asks for a decision. */
export function isDecision(path: string): boolean {
  return path === decisionsPath || path.startsWith(`${decisionsPath}/`)
}
