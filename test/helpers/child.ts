/** A TypeScript program of the tests' own, as a process that can be killed. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

import type { Test } from 'tap'

export interface Child {
  readonly pid: number
  /** What it has printed so far, by lines. */
  readonly lines: readonly string[]
  /** Resolves to its first line; rejects when it ends without one. */
  firstLine(): Promise<string>
  /** Sends the signal and resolves when it has ended and all it printed is in `lines`. */
  end(signal?: NodeJS.Signals): Promise<void>
}

/** Starts the program; it is killed when the test ends, if not before. */
export function startChild(t: Test, file: URL, args: readonly string[], command: readonly string[] = []): Child {
  const loader = process.execArgv.filter(argument => argument.includes('@tapjs/typescript'))
  const [program = process.execPath, ...before] = [...command, process.execPath, ...loader, file.pathname, ...args]
  const child: ChildProcess = spawn(program, before, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  const output = createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', line => lines.push(line))
  const closed = once(output, 'close')
  const end = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    child.kill(signal)
    await closed
  }
  t.teardown(() => end())

  return {
    pid: child.pid as number,
    lines,
    async firstLine() {
      if (lines.length === 0) await Promise.race([once(output, 'line'), closed])
      if (lines[0] === undefined) throw new Error(`${file.pathname} ended without a word`)
      return lines[0]
    },
    end,
  }
}

/** Whether the process is there; one that has ended and that nobody has asked about yet counts, too. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
