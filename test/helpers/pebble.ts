/** An ACME authority of a test's own: pebble, and a name server that says 127.0.0.1 whatever it is asked. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

import { makeCertificate } from './certificates.js'
import { freePort } from './gateway.js'
import { until } from './redis.js'

export interface Pebble {
  readonly directoryUrl: string
  /** PEM file that the directory's own certificate is checked with. */
  readonly caFile: string
  /** What it has written so far. */
  readonly output: readonly string[]
  /** How many certificates it has issued. */
  issued(): number
  stop(): Promise<void>
}

/** Why tests that need pebble can't run here, for their `skip` option; in CI its absence is a failure. */
export const pebbleSkip: string | false =
  spawnSync('pebble', ['-h']).error === undefined || process.env.CI !== undefined ? false : 'pebble is not installed'

/** Starts one that asks for HTTP-01 tokens at that port, until the test ends. */
export async function startPebble(t: Test, httpPort: number): Promise<Pebble> {
  const folder = mkdtempSync(join(tmpdir(), 'oathgate-pebble-'))
  const [port, managementPort, dnsPort, dnsManagementPort] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const { cert, key } = makeCertificate(folder, 'pebble', ['localhost', '127.0.0.1'])
  const config = join(folder, 'pebble.json')
  writeFileSync(config, JSON.stringify({ pebble: {
    listenAddress: `127.0.0.1:${port}`, managementListenAddress: `127.0.0.1:${managementPort}`, certificate: cert, privateKey: key,
    httpPort, tlsPort: 1, ocspResponderURL: '', externalAccountBindingRequired: false,
  } }))

  const output: string[] = []
  const run = (program: string, args: readonly string[]): ChildProcess => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], PEBBLE_VA_NOSLEEP: '1' } })
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => output.push(text))
    return child
  }
  const children = [
    run('pebble-challtestsrv', [
      '-defaultIPv4', '127.0.0.1', '-defaultIPv6', '', '-dns01', `127.0.0.1:${dnsPort}`, '-http01', '', '-https01', '', '-tlsalpn01', '',
      '-management', `127.0.0.1:${dnsManagementPort}`,
    ]),
    run('pebble', ['-config', config, '-dnsserver', `127.0.0.1:${dnsPort}`]),
  ]
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(async child => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    }))
  }
  t.teardown(async () => {
    await stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const directoryUrl = `https://localhost:${port}/dir`
  await until(() => answers(`https://127.0.0.1:${port}/dir`))
  return { directoryUrl, caFile: cert, output, stop, issued: () => output.join('').match(/Issued certificate serial/g)?.length ?? 0 }
}

function answers(url: string): Promise<boolean> {
  return new Promise(resolve => {
    request(url, { rejectUnauthorized: false, agent: false }, res => {
      res.resume()
      resolve(res.statusCode === 200)
    }).on('error', () => { resolve(false) }).end()
  })
}
