/** What the process says about itself: one JSON object a line, or plain lines for a terminal. Never a secret (security K4). */
import { Writable } from 'node:stream'
import { pino, type DestinationStream, type Logger } from 'pino'

export type Log = Logger

/** Oathkeeper's and Kratos' level names are accepted beside pino's. Without a format, it is what standard output is made for. */
export function createLog(level: string, format: 'json' | 'text' = process.stdout.isTTY ? 'text' : 'json'): Log {
  return format === 'json' ? pino(logOptions(level), jsonLines()) : pino(logOptions(level), plainLines())
}

/** Lines that are waited with; `undefined` when each goes out at once. There is one standard output, whoever writes to it. */
let held: string | undefined

/** All lines that `log` makes go out in one write, when it returns or throws. */
export function inOneWrite(log: () => void): void {
  held = ''
  try {
    log()
  } finally {
    const lines = held
    held = undefined
    if (lines !== '') standardOutput?.write(lines)
  }
}

/** How lines are made, whoever takes them. */
export function logOptions(level: string) {
  return {
    level: levelNames[level] ?? level,
    base: null,
    timestamp,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: (error: unknown) => describeError(error) },
  }
}

let lastMs = 0
let lastTime = ''

/** Many lines are of one millisecond, and a date is a tenth of a line. */
function timestamp(): string {
  const now = Date.now()
  if (now !== lastMs) lastTime = `,"time":"${new Date(now).toISOString()}"`
  lastMs = now
  return lastTime
}

/** From now on; children of the log that exist already keep theirs. */
export function setLevel(log: Log, level: string): void {
  log.level = levelNames[level] ?? level
}

const levelNames: Readonly<Record<string, string>> = { warning: 'warn', panic: 'fatal' }

/**
 * What kind of error it is, where it comes from and what caused it. No other property of it: a refused command of Redis holds its
 * arguments, a failed request its header fields.
 */
function describeError(error: unknown, depth = 0): ErrorLine {
  if (!(error instanceof Error)) return { type: typeof error }
  const { name, message, stack, cause } = error
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  return { type: name, ...code, message, ...(stack === undefined ? {} : { stack }), ...(cause instanceof Error && depth < maxCauses ? { cause: describeError(cause, depth + 1) } : {}) }
}

interface ErrorLine {
  readonly type: string
  readonly code?: string
  readonly message?: string
  readonly stack?: string
  readonly cause?: ErrorLine
}

/** An error may be its own cause. */
const maxCauses = 5

/** Opened when it is first needed. */
let standardOutput: DestinationStream | undefined

/** Written before anything else happens, so that no line is lost with the process. */
function jsonLines(): DestinationStream {
  const output = standardOutput ??= pino.destination({ fd: 1, sync: true })
  return {
    write(line) {
      if (held === undefined) output.write(line)
      else held += line
    },
  }
}

function plainLines(): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const { time, level, msg = '', err, ...rest } = JSON.parse(chunk.toString()) as Record<string, unknown>
      const fields = Object.entries(rest).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
      const lines = [`${String(time).slice(11, 19)} ${String(level).padEnd(5)} ${[msg, ...fields].join(' ')}`]
      for (let error = err as ErrorLine | undefined; error !== undefined; error = error.cause) lines.push(error.stack ?? error.message ?? error.type)
      process.stdout.write(`${lines.join('\n')}\n`, () => { done() })
    },
  })
}
