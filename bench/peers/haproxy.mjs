/** HAProxy as a plain proxy, one thread. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { findProgram } from '../machine.mjs'
import { freePort, startProgram } from '../processes.mjs'

/** @param {import('../bench.mjs').Bench} bench */
export async function startHaproxy(bench) {
  const port = await freePort()
  const folder = join(bench.folder, 'haproxy')
  mkdirSync(folder, { recursive: true })
  const config = join(folder, 'haproxy.cfg')
  writeFileSync(config, `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  option forwardfor
  http-reuse always
  timeout connect 5s
  timeout client 120s
  timeout server 120s
frontend front
  bind 127.0.0.1:${port}
  default_backend behind
backend behind
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
  http-request set-header X-Forwarded-Proto http
  server one 127.0.0.1:${bench.upstreamPort}\n`)
  const command = [findProgram('haproxy') ?? 'haproxy', '-f', config]
  return { program: await startProgram({ name: 'haproxy', command, cores: bench.cores?.proxy, port, log: join(folder, 'output.log') }), port }
}
