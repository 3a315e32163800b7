/** Connections to upstreams: one pool per origin and way of connecting, shared by all rules. */
import { isIP, type Socket } from 'node:net'
import { buildConnector, Pool } from 'undici'

import type { Upstream } from '../access/pipeline.js'

export interface PoolOptions {
  /** Connections to one origin. */
  readonly connections: number
  /** Milliseconds an idle connection is kept; 0: none is. */
  readonly keepAliveMs: number
  /** Milliseconds that connecting may take when the rule does not say. */
  readonly connectMs: number
}

export interface UpstreamPools {
  /** The pool for a rule's upstream. */
  poolOf(upstream: Upstream): Pool
  /** One that opens a new connection for every request. */
  freshPoolOf(upstream: Upstream): Pool
  /** Whether the connection that failed this way had served a request before, so that it may just have been too old. */
  diedInPool(error: Error): boolean
  /** Ends idle connections at once, others after their request. */
  close(): Promise<void>
}

/** Response heads beyond this are `upstream_invalid` (security S21). */
const maxHeaderBytes = 32_768

export function createUpstreamPools(options: PoolOptions): UpstreamPools {
  const pools = new Map<string, Pool>()
  const byUpstream = new WeakMap<Upstream, Pool>()
  const diedInPool = new WeakSet<Error>()

  function open({ origin, timeout }: Upstream, keepAlive: boolean): Pool {
    const connectMs = timeout?.connect ?? options.connectMs
    const key = `${origin} ${connectMs} ${keepAlive}`
    const opened = pools.get(key)
    if (opened !== undefined) return opened

    const pool = new Pool(origin, {
      connections: options.connections,
      pipelining: keepAlive ? 1 : 0,
      ...(keepAlive && { keepAliveTimeout: options.keepAliveMs, keepAliveMaxTimeout: options.keepAliveMs }),
      keepAliveTimeoutThreshold: 1000,
      maxHeaderSize: maxHeaderBytes,
      connect: connector(connectMs, diedInPool),
    })
    pools.set(key, pool)
    return pool
  }

  return {
    poolOf(upstream) {
      const known = byUpstream.get(upstream)
      if (known !== undefined) return known
      const pool = open(upstream, upstream.keepAlive && options.keepAliveMs > 0)
      byUpstream.set(upstream, pool)
      return pool
    },
    freshPoolOf: upstream => open(upstream, false),
    diedInPool: error => diedInPool.has(error),
    close: async () => {
      await Promise.all([...pools.values()].map(pool => pool.close()))
    },
  }
}

/** undici's, with the upstream's own name for TLS whatever `Host` says, and with an eye on how connections end. */
function connector(timeout: number, diedInPool: WeakSet<Error>): buildConnector.connector {
  const connect = buildConnector({ timeout })

  return (target, callback) => {
    const host = target.hostname
    const options = { ...target, servername: isIP(host) === 0 ? host : '' }
    connect(options, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null)
        return
      }
      watch(socket, diedInPool)
      callback(null, socket)
    })
  }
}

function watch(socket: Socket, diedInPool: WeakSet<Error>): void {
  const before = socket.bytesRead
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (socket.bytesRead > before) diedInPool.add(error)
    // By its own name undici takes a reset for the end of an answer that is delimited by nothing else (security P2).
    if (error.code === 'ECONNRESET') error.code = 'UPSTREAM_RESET'
  })
}
