/** The HTTP/1.1 client that requests are forwarded with: a pool for each upstream and way of connecting, shared by all rules. */
import type { Upstream } from '../../access/pipeline.js'
import { GatewayError } from '../../errors.js'
import type { RefusePeer } from '../own-listeners.js'
import { targetOf } from './dial.js'
import type { Exchange } from './exchange.js'
import { createPool, type Pool } from './pool.js'
import { createTicking } from './ticks.js'

export interface ClientOptions {
  /** Connections to one origin. */
  readonly connections: number
  /** Milliseconds an idle connection is kept; 0: none is. */
  readonly keepAliveMs: number
  /** Milliseconds that connecting may take when the rule does not say. */
  readonly connectMs: number
  readonly refusePeer: RefusePeer
}

export interface Client {
  /** Whether requests to this upstream leave their connection open for the next. */
  keepsAlive(upstream: Upstream): boolean
  /** Begins an exchange. Throws `overloaded` when too many wait for this upstream, `upstream_unreachable` once closed. */
  send(upstream: Upstream, exchange: Exchange): void
  /** The same on a new connection, for the one repetition of a request. */
  sendAnew(upstream: Upstream, exchange: Exchange): void
  /** Lets what is under way or waiting finish, then ends every connection. */
  close(): Promise<void>
}

/** Connects when first asked. */
export function createClient(options: ClientOptions): Client {
  const pools = new Map<string, Pool>()
  let byUpstream = new WeakMap<Upstream, Pool>()
  let closed = false
  const ticking = createTicking(() => {
    for (const [key, pool] of pools) {
      if (pool.tick()) continue
      pools.delete(key)
      byUpstream = new WeakMap() // a rule that is still there finds its upstream anew
    }
  })

  function keepsAlive(upstream: Upstream): boolean {
    return upstream.keepAlive && options.keepAliveMs > 0
  }

  function poolOf(upstream: Upstream): Pool {
    if (closed) throw new GatewayError('upstream_unreachable', { detail: 'the client is closed' })
    const known = byUpstream.get(upstream)
    if (known !== undefined) return known

    const { origin, timeout, tls } = upstream
    const connectMs = timeout?.connect ?? options.connectMs
    const key = `${origin} ${connectMs} ${keepsAlive(upstream)} ${tls?.id ?? ''}`
    const pool = pools.get(key) ?? createPool({
      target: targetOf(origin, tls, options.refusePeer), connections: options.connections, connectMs,
      keepAliveMs: keepsAlive(upstream) ? options.keepAliveMs : 0,
    })
    pools.set(key, pool)
    byUpstream.set(upstream, pool)
    ticking.start()
    return pool
  }

  return {
    keepsAlive,
    send: (upstream, exchange) => { poolOf(upstream).send(exchange) },
    sendAnew: (upstream, exchange) => { poolOf(upstream).send(exchange, true) },
    async close() {
      closed = true
      await Promise.all([...pools.values()].map(pool => pool.close()))
      ticking.stop()
    },
  }
}
