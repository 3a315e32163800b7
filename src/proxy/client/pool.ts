/** The connections to one upstream, as many as it may have, and the requests that wait for one of them. */
import { GatewayError } from '../../errors.js'
import { createLiveSet } from '../../http/live-set.js'
import { createConnection, type Connection } from './connection.js'
import type { Target } from './dial.js'
import type { Carrier, Exchange } from './exchange.js'
import { ticksOf } from './ticks.js'

export interface PoolOptions {
  readonly target: Target
  readonly connections: number
  /** Milliseconds that connecting may take; 0 is no limit. */
  readonly connectMs: number
  /** Milliseconds that an idle connection is kept; 0: each serves one request. */
  readonly keepAliveMs: number
}

export interface Pool {
  /**
   * Begins an exchange, at once or when it is its turn. Throws `overloaded` when too many wait, and what waits for longer than an
   * answer may take fails with that. `anew`: not on a connection that has been used.
   */
  send(exchange: Exchange, anew?: boolean): void
  /** Keeps the time. False once there has been no connection for so long that nobody will miss it. */
  tick(): boolean
  /** Ends what is idle; resolves when everything under way and waiting has ended, too. */
  close(): Promise<void>
}

/** Requests that may be under way or waiting, for each connection that they may use. */
const pendingPerConnection = 8

/** How long an upstream without connections is remembered, with its TLS session; the rules that name it may be gone for good. */
const rememberedMs = 60_000

/** No connection is opened yet. */
export function createPool({ target, connections, connectMs, keepAliveMs }: PoolOptions): Pool {
  const open = createLiveSet<Connection>()
  /** The last one used is the next one to be: the others may grow old and end. */
  const idle: Connection[] = []
  const waiting = new Map<Exchange, { ticksLeft: number }>()
  let whenEmpty: (() => void) | undefined
  let emptyTicksLeft = ticksOf(rememberedMs)

  const queue: Carrier = {
    drop(exchange) {
      waiting.delete(exchange)
      exchange.carrier = undefined
      exchange.upload?.stop()
    },
    resume: () => undefined,
    keep: () => () => undefined,
  }

  function connect(exchange: Exchange): void {
    emptyTicksLeft = ticksOf(rememberedMs)
    const connection = createConnection({ target, connectMs, keepAliveMs, onIdle, onGone })
    open.add(connection)
    connection.send(exchange)
    if (whenEmpty !== undefined) connection.close()
  }

  function onIdle(connection: Connection): void {
    const next = nextWaiting()
    if (next !== undefined) connection.send(next)
    else idle.push(connection)
  }

  function onGone(connection: Connection): void {
    open.delete(connection)
    const at = idle.indexOf(connection)
    if (at !== -1) idle.splice(at, 1)
    const next = open.size < connections ? nextWaiting() : undefined
    if (next !== undefined) connect(next)
    else if (open.size === 0) whenEmpty?.()
  }

  function nextWaiting(): Exchange | undefined {
    if (waiting.size === 0) return undefined
    const [next] = waiting.keys()
    if (next !== undefined) waiting.delete(next)
    return next
  }

  function takeIdle(): Connection | undefined {
    for (;;) {
      const connection = idle.pop()
      if (connection === undefined || connection.isFresh()) return connection
    }
  }

  return {
    send(exchange, anew = false) {
      if (open.size - idle.length + waiting.size >= connections * pendingPerConnection) {
        throw new GatewayError('overloaded', { detail: 'too many requests wait for this upstream' })
      }
      const connection = anew ? undefined : takeIdle()
      if (connection !== undefined) {
        connection.send(exchange)
        return
      }
      if (open.size >= connections) idle[0]?.close()
      if (open.size < connections) {
        connect(exchange)
        return
      }
      exchange.carrier = queue
      waiting.set(exchange, { ticksLeft: ticksOf(exchange.responseMs) })
    },

    tick() {
      if (open.size === 0) return --emptyTicksLeft > 0 // then nobody waits either
      for (const connection of open) connection.tick()
      for (const [exchange, wait] of waiting) {
        if (--wait.ticksLeft > 0) continue
        queue.drop(exchange)
        exchange.onError(new GatewayError('overloaded', { detail: 'no connection to this upstream became free' }), { begun: false, tooOld: false })
      }
      return true
    },

    async close() {
      const emptied = new Promise<void>(resolve => { whenEmpty = resolve })
      for (const connection of open) connection.close()
      if (open.size > 0) await emptied
    },
  }
}
