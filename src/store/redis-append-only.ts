/**
 * Whether Redis has written what it acknowledged. With `appendfsync everysec` (the default) it puts writes off for up to
 * two seconds while a sync to a slow disk is under way, and acknowledges commands meanwhile: a kill -9 then loses them.
 */
import { setTimeout as delay } from 'node:timers/promises'

import { GatewayError } from '../errors.js'
import type { RedisConnection } from './redis-connection.js'

const pollMs = 10
/** Longer than Redis ever puts a write off. */
const patienceMs = 4_000

/**
 * Resolves when every master has handed what it acknowledged so far to its operating system; rejects with
 * `store_unavailable` when one does not.
 */
export async function appended(connection: Pick<RedisConnection, 'callEach'>): Promise<void> {
  const deadline = performance.now() + patienceMs
  let waiting = await appendOnlyFiles(connection)
  const goals = waiting.map(({ size, buffered }) => size + buffered)
  const sizes = waiting.map(({ size }) => size)

  // Smaller than before: the file was written anew, with all that was acknowledged by then.
  while (waiting.some(({ size, buffered }, index) => buffered > 0 && size < (goals[index] ?? 0) && size >= (sizes[index] ?? 0))) {
    if (performance.now() > deadline) throw new GatewayError('store_unavailable', { detail: 'redis: the append-only file is not being written' })
    await delay(pollMs)
    waiting = await appendOnlyFiles(connection)
  }
}

async function appendOnlyFiles(connection: Pick<RedisConnection, 'callEach'>): Promise<{ size: number, buffered: number }[]> {
  const infos = await connection.callEach('INFO', 'persistence')
  return infos.map(info => ({ size: field(String(info), 'aof_current_size'), buffered: field(String(info), 'aof_buffer_length') }))
}

function field(info: string, name: string): number {
  return Number(new RegExp(`^${name}:([0-9]+)`, 'm').exec(info)?.[1] ?? 0)
}
