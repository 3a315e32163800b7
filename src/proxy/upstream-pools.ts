/** Connections to upstreams: one pool per origin and way of connecting, shared by all rules. */
import { isIP, type Socket } from 'node:net'
import { buildConnector, Pool, type Dispatcher } from 'undici'

import type { Upstream, UpstreamTls } from '../access/pipeline.js'
import { GatewayError } from '../errors.js'
import { hearOut } from './early-answer.js'

export interface PoolOptions {
  /** Connections to one origin. */
  readonly connections: number
  /** Milliseconds an idle connection is kept; 0: none is. */
  readonly keepAliveMs: number
  /** Milliseconds that connecting may take when the rule does not say. */
  readonly connectMs: number
}

export interface UpstreamPools {
  /**
   * Gives a request to undici, which calls `handler.onComplete` or `handler.onError` once. Throws `overloaded` when too many wait
   * for a connection to that upstream.
   */
  dispatch(upstream: Upstream, request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void
  /** The same on a new connection, for the one repetition of a request. Never throws. */
  dispatchAnew(upstream: Upstream, request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void
  /** Whether the connection that failed this way had served a request before, so that it may just have been too old. */
  diedInPool(error: Error): boolean
  /** Ends idle connections at once, others after their request. */
  close(): Promise<void>
}

/** Requests to one origin that may be under way or waiting, for each connection that they may use. */
const pendingPerConnection = 8
/** Response heads beyond this are `upstream_invalid` (security S21). */
const maxHeaderBytes = 32_768

export function createUpstreamPools(options: PoolOptions): UpstreamPools {
  const pools = new Map<string, CountedPool>()
  const byUpstream = new WeakMap<Upstream, CountedPool>()
  const diedInPool = new WeakSet<Error>()

  function open({ origin, timeout, tls }: Upstream, keepAlive: boolean): CountedPool {
    const connectMs = timeout?.connect ?? options.connectMs
    const key = `${origin} ${connectMs} ${keepAlive} ${tls?.id ?? ''}`
    const opened = pools.get(key)
    if (opened !== undefined) return opened

    const pool = new Pool(origin, {
      connections: options.connections,
      pipelining: keepAlive ? 1 : 0,
      ...(keepAlive && { keepAliveTimeout: options.keepAliveMs, keepAliveMaxTimeout: options.keepAliveMs }),
      keepAliveTimeoutThreshold: 1000,
      maxHeaderSize: maxHeaderBytes,
      connect: connector(connectMs, tls, diedInPool),
    })
    const counted = { pool, pending: 0 }
    pools.set(key, counted)
    return counted
  }

  function poolOf(upstream: Upstream): CountedPool {
    const known = byUpstream.get(upstream)
    if (known !== undefined) return known
    const pool = open(upstream, upstream.keepAlive && options.keepAliveMs > 0)
    byUpstream.set(upstream, pool)
    return pool
  }

  return {
    dispatch(upstream, request, handler) {
      const counted = poolOf(upstream)
      if (counted.pending >= options.connections * pendingPerConnection) {
        throw new GatewayError('overloaded', { detail: 'too many requests wait for this upstream' })
      }
      dispatchCounted(counted, request, handler)
    },
    dispatchAnew: (upstream, request, handler) => dispatchCounted(open(upstream, false), request, handler),
    diedInPool: error => diedInPool.has(error),
    close: async () => {
      await Promise.all([...pools.values()].map(({ pool }) => pool.close()))
    },
  }
}

interface CountedPool {
  readonly pool: Pool
  /** Requests that undici has not finished; those whose client has gone wait on in its queue, which takes any number. */
  pending: number
}

function dispatchCounted(counted: CountedPool, request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
  counted.pending++
  counted.pool.dispatch(request, {
    ...handler,
    onComplete(trailers) {
      counted.pending--
      handler.onComplete?.(trailers)
    },
    onError(error) {
      counted.pending--
      handler.onError?.(error)
    },
  })
}

/** undici's, with the upstream's own name for TLS whatever `Host` says, and with an eye on how connections end. */
function connector(timeout: number, tls: UpstreamTls | undefined, diedInPool: WeakSet<Error>): buildConnector.connector {
  const connect = buildConnector({ timeout, ...(tls !== undefined && { secureContext: tls.context, rejectUnauthorized: tls.verify }) })

  return (target, callback) => {
    const host = target.hostname
    const options = { ...target, servername: tls?.serverName ?? (isIP(host) === 0 ? host : '') }
    connect(options, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null)
        return
      }
      watch(socket, diedInPool)
      hearOut(socket)
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
