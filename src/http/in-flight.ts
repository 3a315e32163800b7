/**
 * How many requests are being answered at once. More than a process can answer in time only wait longer the more they are, so
 * what is too much is turned away at once (security X17).
 */
import { GatewayError } from '../errors.js'
import type { ExchangeState } from './exchange.js'

export interface InFlight {
  /** Counts one more; the error to answer with, which is one for all, when there are as many as may be. */
  begin(exchange: ExchangeState): GatewayError | undefined
  /** To be called once for each exchange that has begun, also for those that were turned away. */
  end(exchange: ExchangeState): void
  count(): number
}

/** `limit` is `serve.public.limits.in_flight`; 0 is none. */
export function countInFlight(limit: number): InFlight {
  const most = limit === 0 ? Infinity : limit
  const overloaded = new GatewayError('overloaded', { detail: `serve.public.limits.in_flight: ${limit} requests are being answered` })
  let count = 0

  return {
    begin(exchange) {
      if (count >= most) {
        exchange.turnedAway = true
        return overloaded
      }
      count++
      return undefined
    },
    end(exchange) {
      if (exchange.turnedAway === undefined) count--
    },
    count: () => count,
  }
}
