/** A Redis that fails over: a master, its replica, and Sentinels who watch them. */
import type { Test } from 'tap'

import { followed, startRedis, until, type TestRedis } from './redis.js'

/** A master, its replica and three Sentinels who replace a master that has been gone for `downAfterMs`. */
export interface Watched {
  readonly url: string
  readonly downAfterMs: number
  /** Resolves when all Sentinels name the same master: that one, the other server, and the epoch of the failover that made it so. */
  roles(): Promise<Roles>
  /** Resolves when all Sentinels name another master than that one. */
  failedOver(former: TestRedis): Promise<Roles>
  /** Makes the server a replica of the master; resolves when it has what the master has, and the Sentinels know. */
  follow(server: TestRedis): Promise<void>
}

export interface Roles {
  readonly master: TestRedis
  readonly replica: TestRedis
  readonly epoch: number
}

/** Of the Sentinels. Whose election fails is given another for twice as long. */
export const failoverTimeoutMs = 1_000

/** Those who wait for servers to find each other have time: they show nothing of ours. */
const patienceMs = 30_000

/** Starts all five; resolves when the Sentinels know of each other and of the replica. */
export async function startWatched(t: Test, downAfterMs = 1_000): Promise<Watched> {
  const args = ['--repl-diskless-sync-delay', '0']
  const [first, second] = await Promise.all([startRedis(t, { args }), startRedis(t, { args })])
  await followed(second, first)

  const sentinels = await Promise.all([0, 1, 2].map(() => startRedis(t, { appendonly: false, args: ['--sentinel'] })))
  const tell = (...args: readonly (string | number)[]): Promise<unknown> => Promise.all(sentinels.map(sentinel => sentinel.command('SENTINEL', ...args)))
  await tell('MONITOR', 'mymaster', '127.0.0.1', first.port, 2)
  await tell('SET', 'mymaster', 'down-after-milliseconds', downAfterMs, 'failover-timeout', failoverTimeoutMs)
  // They look every ten seconds by default, and promote nobody whom they have not seen in good health.
  await tell('DEBUG', 'info-period', 200)
  await tell('DEBUG', 'publish-period', 200)
  await Promise.all(sentinels.map(sentinel => until(async () => {
    const known = await masterOf(sentinel)
    return known['num-slaves'] === '1' && known['num-other-sentinels'] === '2'
  }, patienceMs)))
  // As it is by default from here on: a former master that comes back is left alone for four of these periods.
  await tell('DEBUG', 'publish-period', 2_000)

  async function named(accept: (port: number) => boolean): Promise<Roles> {
    let epoch = 0
    let port = 0
    await until(async () => {
      const masters = await Promise.all(sentinels.map(masterOf))
      port = Number(masters[0]?.['port'])
      epoch = Number(masters[0]?.['config-epoch'])
      return accept(port) && masters.every(master => Number(master['port']) === port)
    }, patienceMs)
    return port === first.port ? { master: first, replica: second, epoch } : { master: second, replica: first, epoch }
  }
  const roles = (): Promise<Roles> => named(() => true)

  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/mymaster`,
    downAfterMs,
    roles,
    failedOver: former => named(port => port !== former.port),
    async follow(server) {
      await followed(server, (await roles()).master)
      await Promise.all(sentinels.map(sentinel => until(async () => {
        const [replica] = await sentinel.command('SENTINEL', 'REPLICAS', 'mymaster') as string[][]
        return / flags slave .* role-reported slave .* master-link-status ok /.test(replica?.join(' ') ?? '')
      }, patienceMs)))
    },
  }
}

/** What a Sentinel knows of the master. */
async function masterOf(sentinel: TestRedis): Promise<Readonly<Record<string, string>>> {
  const fields = await sentinel.command('SENTINEL', 'MASTER', 'mymaster') as string[]
  return Object.fromEntries(fields.flatMap((field, at) => at % 2 === 0 ? [[field, fields[at + 1] ?? '']] : []))
}
