/** The memory of a gateway process, through Node's inspector: what is left of it when its garbage has been collected. */
import { once } from 'node:events'
import type { Test } from 'tap'
import WebSocket from 'ws'

import type { GatewayProcess } from './gateway-process.js'

export interface Memory {
  /** Bytes. */
  readonly rss: number
  /** Bytes of live objects and what they hold outside the heap. */
  readonly live: number
  /** Sockets, timers and whatever else keeps a process alive. */
  readonly resources: number
}

/** The environment that a process needs to be looked into. */
export const inspected = { NODE_OPTIONS: '--inspect=127.0.0.1:0' }

const reading = `(({ rss, heapUsed, external }) => ({ rss, live: heapUsed + external, resources: process.getActiveResourcesInfo().length }))(process.memoryUsage())`

/** Opens the inspector of a process that was started with `inspected`, until the test ends. */
export async function openInspector(t: Test, { output }: GatewayProcess): Promise<{ memory(): Promise<Memory> }> {
  const url = /^Debugger listening on (ws:\S+)/m.exec(output.join(''))?.[1]
  if (url === undefined) throw new Error('the process was not started with its inspector')
  const socket = new WebSocket(url)
  t.teardown(() => { socket.terminate() })
  await once(socket, 'open')
  let last = 0

  async function ask(method: string, params: object = {}): Promise<unknown> {
    const id = ++last
    socket.send(JSON.stringify({ id, method, params }))
    for (;;) {
      const [data] = await once(socket, 'message') as [Buffer]
      const answer = JSON.parse(data.toString()) as { id?: number, result?: unknown }
      if (answer.id === id) return answer.result
    }
  }

  return {
    async memory() {
      for (let times = 0; times < 2; times++) await ask('HeapProfiler.collectGarbage')
      const { result } = await ask('Runtime.evaluate', { expression: reading, returnByValue: true }) as { result: { value: Memory } }
      return result.value
    },
  }
}
