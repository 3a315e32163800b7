/** The built gateway as a process of its own, which can be killed like one. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

import { prepareGateway, type GatewayOptions, type GatewayPlace, type TestGateway } from './gateway.js'

/** The built command line. */
export const gatewayProgram = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const readyWithinMs = 20_000

export interface GatewayProcess extends Omit<TestGateway, 'logged' | 'stop'> {
  /** Of the process that runs now. */
  readonly pid: number
  /** Everything that was written to standard output and error so far, of all its lives. */
  readonly output: readonly string[]
  /** Sends the signal; resolves to the exit code (null after a kill) when the process is gone. */
  kill(signal: NodeJS.Signals): Promise<number | null>
  /** Starts the process anew; resolves when it is ready. */
  start(): Promise<void>
}

export interface Launch {
  /** Absent: one is prepared from the options. */
  readonly place?: GatewayPlace
  /** A program with its arguments that runs the gateway's command line. */
  readonly through?: readonly string[]
  readonly cwd?: string
}

/** Runs `oathgate serve` until the test ends. Resolves when it is ready. */
export async function startGatewayProcess(t: Test, options: GatewayOptions = {}, launch: Launch = {}): Promise<GatewayProcess> {
  const { file, ...place } = launch.place ?? await prepareGateway(t, options)
  const output: string[] = []
  let child: ChildProcess | undefined

  async function start(): Promise<void> {
    const [program = '', ...args] = [...launch.through ?? [], process.execPath, gatewayProgram, 'serve', '-c', file]
    const started = spawn(program, args, {
      cwd: launch.cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], ...options.env },
    })
    child = started
    for (const stream of [started.stdout, started.stderr]) stream.setEncoding('utf8').on('data', (text: string) => output.push(text))
    const deadline = performance.now() + readyWithinMs
    while (performance.now() < deadline && started.exitCode === null && started.signalCode === null) {
      if (await isReady(place.adminUrl)) return
      await delay(25)
    }
    throw new Error(`the gateway is not ready:\n${output.join('')}`)
  }

  async function kill(signal: NodeJS.Signals): Promise<number | null> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null
    const exited = once(child, 'exit') as Promise<[number | null]>
    child.kill(signal)
    return (await exited)[0]
  }

  t.teardown(() => kill('SIGKILL'))
  await start()
  return { ...place, output, start, kill, get pid() { return child?.pid ?? 0 } }
}

async function isReady(adminUrl: string): Promise<boolean> {
  const answer = await fetch(`${adminUrl}/health/ready`).catch(() => undefined)
  return answer?.ok === true
}
