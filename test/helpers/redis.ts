/** Redis servers of a test's own: on 127.0.0.1, with their own directory, gone when the test is. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Redis } from 'ioredis'
import type { Test } from 'tap'

export interface TestRedis {
  readonly url: string
  readonly port: number
  /** Of the server that runs now. */
  readonly pid: number
  /** Sends the signal; resolves when the process has ended, for those that end it. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Starts the server anew with the same port and directory; resolves when it answers. */
  restart(): Promise<void>
  /** A copy of its directory as it is now, under another name; it is gone when the test is. */
  copy(): string
  /** Replaces the directory of a server that has been killed by a copy of that one, or by an empty one when absent. */
  replace(copy?: string): void
  /** One command, over a connection of its own. */
  command(name: string, ...args: readonly (string | number)[]): Promise<unknown>
}

export interface RedisServerOptions {
  /** Whether the append-only file is on, as our durability check wants; yes when absent. */
  readonly appendonly?: boolean
  /** More arguments of redis-server. */
  readonly args?: readonly string[]
}

/**
 * Why tests that need a redis-server can't run here, for their `skip` option; false when they can. In CI its absence is a
 * failure, and `startRedis` says so.
 */
export const redisSkip: string | false =
  spawnSync('redis-server', ['--version']).status === 0 || process.env.CI !== undefined ? false : 'redis-server is not installed'

/** Starts a server that runs until the test ends. */
export async function startRedis(t: Test, options: RedisServerOptions = {}): Promise<TestRedis> {
  const directory = mkdtempSync(join(tmpdir(), 'oathgate-redis-'))
  let server: ChildProcess | undefined
  t.teardown(async () => {
    await end(server)
    rmSync(directory, { recursive: true, force: true })
  })

  const port = await freePort()
  // A Sentinel insists on a file that it can write to.
  const config = join(directory, 'redis.conf')
  writeFileSync(config, '')
  const start = async (): Promise<void> => {
    server = spawn('redis-server', [
      config, '--bind', '127.0.0.1', '--port', String(port), '--dir', directory, '--save', '',
      '--appendonly', options.appendonly === false ? 'no' : 'yes', ...options.args ?? [],
    ], { stdio: 'ignore' })
    await answering(port, server)
  }
  await start()

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server?.pid as number
    },
    async kill(signal) {
      const ended = signal === 'SIGSTOP' || signal === 'SIGCONT' ? undefined : once(server as ChildProcess, 'exit')
      server?.kill(signal)
      await ended
    },
    async restart() {
      await end(server)
      await start()
    },
    copy() {
      const copy = mkdtempSync(join(tmpdir(), 'oathgate-redis-copy-'))
      t.teardown(() => { rmSync(copy, { recursive: true, force: true }) })
      cpSync(directory, copy, { recursive: true })
      return copy
    },
    replace(copy) {
      rmSync(directory, { recursive: true })
      mkdirSync(directory)
      writeFileSync(config, '')
      if (copy !== undefined) cpSync(copy, directory, { recursive: true })
    },
    command: (name, ...args) => ask(port, name, args),
  }
}

/** Three servers that form a Redis Cluster, each with a third of the slots; resolves when all of it answers. */
export async function startCluster(t: Test): Promise<{ readonly url: string, readonly nodes: readonly TestRedis[] }> {
  const nodes = await Promise.all([0, 1, 2].map(() => startRedis(t, { args: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000'] })))
  const first = nodes[0] as TestRedis
  await Promise.all(nodes.map((node, index) =>
    node.command('CLUSTER', 'ADDSLOTSRANGE', Math.ceil(index * 16384 / 3), Math.ceil((index + 1) * 16384 / 3) - 1)))
  for (const node of nodes.slice(1)) await node.command('CLUSTER', 'MEET', '127.0.0.1', first.port)
  await Promise.all(nodes.map(node => until(async () => {
    const info = String(await node.command('CLUSTER', 'INFO'))
    return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3')
  })))
  return { url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`, nodes }
}

/** Moves a slot with its keys as `redis-cli --cluster reshard` does, key by key; `each` is called before the first and after every one. */
export async function moveSlot(nodes: readonly TestRedis[], slot: number, to: TestRedis, each: () => Promise<void> = async () => undefined): Promise<void> {
  const from = await ownerOf(nodes, slot)
  const [fromId, toId] = await Promise.all([from, to].map(node => node.command('CLUSTER', 'MYID'))) as [string, string]
  await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
  await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
  await each()
  for (const key of await from.command('CLUSTER', 'GETKEYSINSLOT', slot, 1_000) as string[]) {
    await from.command('MIGRATE', '127.0.0.1', to.port, key, 0, 1_000)
    await each()
  }
  for (const node of [to, from, ...nodes]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
}

/** The node of a cluster that has the slot. */
export async function ownerOf(nodes: readonly TestRedis[], slot: number): Promise<TestRedis> {
  const ranges = await nodes[0]?.command('CLUSTER', 'SLOTS') as [number, number, [string, number]][]
  const port = ranges.find(([first, last]) => first <= slot && slot <= last)?.[2][1]
  const owner = nodes.find(node => node.port === port)
  if (owner === undefined) throw new Error(`nobody has slot ${slot}`)
  return owner
}

/** A Sentinel that watches the server under that name. */
export async function startSentinel(t: Test, master: TestRedis, name: string): Promise<{ readonly url: string }> {
  const sentinel = await startRedis(t, { appendonly: false, args: ['--sentinel'] })
  await sentinel.command('SENTINEL', 'MONITOR', name, '127.0.0.1', master.port, 1)
  return { url: `redis+sentinel://127.0.0.1:${sentinel.port}/${name}` }
}

/** Showing nothing of ours, it may take its time. */
const replicationWithinMs = 30_000

/** Makes one server the replica of another; resolves when it has everything. */
export async function followed(server: TestRedis, master: TestRedis): Promise<void> {
  await until(() => server.command('REPLICAOF', '127.0.0.1', master.port).then(() => true, () => false), replicationWithinMs)
  await until(async () => {
    const [here, there] = await Promise.all([server, master].map(async one => String(await one.command('INFO', 'replication'))))
    return /^master_link_status:up/m.test(here ?? '') && new RegExp(`^slave.*port=${server.port},state=online`, 'm').test(there ?? '')
  }, replicationWithinMs)
}

/** Resolves when the condition holds; rejects when it has not after so long. */
export async function until(condition: () => Promise<boolean> | boolean, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error('the condition never held')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

async function ask(port: number, name: string, args: readonly (string | number)[]): Promise<unknown> {
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: null, enableReadyCheck: false })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await client.call(name, ...args)
  } finally {
    client.disconnect()
  }
}

async function answering(port: number, server: ChildProcess): Promise<void> {
  let failure: string | undefined
  server.once('error', error => { failure = error.message }).once('exit', code => { failure = `exit code ${code}` })
  await until(() => {
    if (failure !== undefined) throw new Error(`redis-server did not start: ${failure}`)
    return isAnswering(port)
  })
}

/** Whether something that is not still loading its data says anything, be it that it wants a password. */
async function isAnswering(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1').on('error', () => socket.destroy())
  try {
    socket.write('PING\r\n')
    const [data] = await once(socket, 'data', { signal: AbortSignal.timeout(1_000) }) as [Buffer]
    return !data.toString().startsWith('-LOADING')
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function end(server: ChildProcess | undefined): Promise<void> {
  if (server === undefined || server.pid === undefined || server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  server.kill('SIGKILL')
  await exited
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  // A cluster node also takes the port 10000 above its own.
  return port > 55_000 ? freePort() : port
}
