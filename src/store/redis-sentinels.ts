/**
 * Whom the Sentinels name as the master, asked over and over. The master of before may be alive and take commands, with
 * sessions that were ended since, for many seconds until a Sentinel makes a replica of it: whoever is connected to it has to
 * leave it himself. (ioredis would, told of `failoverDetector`: but a failover that is announced while it dials ends it for good.)
 */
import { Redis } from 'ioredis'

import type { RedisAddress } from './dsn.js'
import { outliveErrors } from './outlive-errors.js'

/** What is heard of the Sentinels. */
export interface Sentinels {
  /** Called with `host:port` when a Sentinel names another master than it did before: once by each of them, so be it. */
  onSwitch(listener: (master: string) => void): void
  close(): void
}

/** How long a former master may be taken for the master: far less than the second in which a revocation has to hold. */
const askEveryMs = 200

/** Begins to ask; never fails: a Sentinel that does not answer is asked again. `undefined` where there are none. */
export function watchSentinels(address: RedisAddress, timeoutMs: number): Sentinels | undefined {
  if (address.topology !== 'sentinel') return undefined
  const listeners: ((master: string) => void)[] = []
  const clients = address.hosts.map(host => sentinelClient(address, host, timeoutMs))
  const named = new Map<Redis, string>()

  async function ask(client: Redis): Promise<void> {
    const answer = await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', address.name as string) as string[] | null
    if (answer === null) return
    const master = answer.join(':')
    const before = named.get(client)
    named.set(client, master)
    if (before !== undefined && before !== master) listeners.forEach(listener => { listener(master) })
  }

  const asking = setInterval(() => {
    for (const client of clients) if (client.status === 'ready') ask(client).catch(() => undefined)
  }, askEveryMs).unref()

  return {
    onSwitch: listener => void listeners.push(listener),
    close() {
      clearInterval(asking)
      for (const client of clients) client.disconnect()
    },
  }
}

/** Makes the client dial anew, which begins with asking a Sentinel, when another server than the one it is connected to is named. */
export function leaveFormerMaster(client: Redis, sentinels: Sentinels): void {
  let named: string | undefined
  const leave = (): void => {
    // Where Sentinels give names instead of addresses, it leaves once too often.
    if (named !== undefined && named !== `${client.stream.remoteAddress}:${client.stream.remotePort}`) client.stream.destroy()
  }
  client.on('connecting', () => { named = undefined })
  // Who was dialling already may have been sent to the master of before.
  client.on('connect', leave)
  sentinels.onSwitch(master => {
    named = master
    if (client.status === 'connect' || client.status === 'ready') leave()
  })
}

function sentinelClient(
  { tls, sentinelUsername, sentinelPassword }: RedisAddress, host: RedisAddress['hosts'][number], timeoutMs: number,
): Redis {
  const client = new Redis({
    ...host,
    username: sentinelUsername,
    password: sentinelPassword,
    ...tls && { tls: {} },
    protocol: 2,
    connectTimeout: Math.max(timeoutMs, 1000),
    commandTimeout: timeoutMs,
    socketTimeout: 2 * timeoutMs,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    retryStrategy: attempt => Math.min(50 * attempt, 1000),
  })
  return outliveErrors(client)
}
