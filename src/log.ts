/** What the process says about itself: one JSON object a line, or plain lines for a terminal. Never a secret (security K4). */
import { Writable } from 'node:stream'
import { pino, type Logger } from 'pino'

export type Log = Logger

/** Oathkeeper's and Kratos' level names are accepted beside pino's. */
export function createLog(level: string, format: 'json' | 'text'): Log {
  const options = {
    level: levelNames[level] ?? level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return format === 'json' ? pino(options) : pino(options, plainLines())
}

const levelNames: Readonly<Record<string, string>> = { warning: 'warn', panic: 'fatal' }

function plainLines(): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const { time, level, msg = '', err, ...rest } = JSON.parse(chunk.toString()) as Record<string, unknown>
      const fields = Object.entries(rest).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
      const stack = (err as { stack?: string } | undefined)?.stack
      const lines = [`${String(time).slice(11, 19)} ${String(level).padEnd(5)} ${[msg, ...fields].join(' ')}`]
      if (stack !== undefined) lines.push(stack)
      process.stdout.write(`${lines.join('\n')}\n`, () => { done() })
    },
  })
}
