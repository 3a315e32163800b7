/** How far a long command is, on standard error: one line that changes on a terminal, now and then a line elsewhere. */
import type { Writable } from 'node:stream'

export interface Progress {
  /** A line for good, such as a failure. */
  say(line: string): void
  /** Takes the changing line away. */
  end(): void
}

const terminalEveryMs = 200
const logEveryMs = 10_000

/** Asks for the line whenever it shows one. */
export function showProgress(stream: Writable & { readonly isTTY?: boolean }, line: () => string): Progress {
  const onTerminal = stream.isTTY === true
  const clear = onTerminal ? '\r\u001b[K' : ''
  const show = (): void => { stream.write(onTerminal ? `${clear}${line()}` : `${line()}\n`) }
  const timer = setInterval(show, onTerminal ? terminalEveryMs : logEveryMs).unref()
  return {
    say(text) { stream.write(`${clear}${text}\n`) },
    end() {
      clearInterval(timer)
      stream.write(clear)
    },
  }
}
