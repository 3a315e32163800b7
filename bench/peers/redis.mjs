/** A Redis that keeps what it is told, as the gateway demands. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { findProgram } from '../machine.mjs'
import { freePort, startProgram } from '../processes.mjs'

/** @param {import('../bench.mjs').Bench} bench */
export async function startRedis(bench) {
  const port = await freePort()
  const folder = join(bench.folder, 'redis')
  mkdirSync(folder, { recursive: true })
  const command = [
    findProgram('redis-server') ?? 'redis-server', '--bind', '127.0.0.1', '--port', String(port), '--dir', folder,
    '--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction',
  ]
  await startProgram({ name: 'redis', command, cores: bench.cores?.load, port, log: join(folder, 'output.log') })
  return port
}
