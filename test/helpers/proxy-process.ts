/** Starts the proxy in a child process, before a recorder in this one. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import type { ProxyOptions } from './proxy-harness.js'
import { startRecorder, type Recorder } from './recorder.js'

export interface ProxyProcess {
  readonly port: number
  readonly recorder: Recorder
  /** Throws with what it wrote last when the process is gone. */
  assertAlive(): void
  /** Bytes of resident memory, after a collection. */
  rss(): Promise<number>
  close(): Promise<void>
}

/** `env` is added to the child's environment. */
export async function startProcess(options: ProxyOptions = {}, env: Readonly<Record<string, string>> = {}): Promise<ProxyProcess> {
  const recorder = await startRecorder()
  const child = fork(fileURLToPath(new URL('proxy-main.ts', import.meta.url)), {
    execArgv: [...process.execArgv, '--expose-gc'],
    env: { ...process.env, ...env, PROXY_OPTIONS: JSON.stringify({ ...options, upstream: { origin: recorder.origin, ...options.upstream } }) },
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  let complaint = ''
  child.stderr?.on('data', chunk => { complaint = `${complaint}${String(chunk)}`.slice(-4000) })

  const [{ port }] = await once(child, 'message') as [{ port: number }]
  return {
    port,
    recorder,
    assertAlive() {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the proxy died: ${complaint}`)
    },
    async rss() {
      child.send('rss')
      const [{ rss }] = await once(child, 'message') as [{ rss: number }]
      return rss
    },
    async close() {
      if (child.connected) child.disconnect()
      if (child.exitCode === null) await once(child, 'exit')
      await recorder.close()
    },
  }
}
