/** Bytes to a server and whatever comes back, with nothing in between that would tidy either up. */
import { connect } from 'node:net'

export interface RawAnswer {
  /** Everything received, as latin1. */
  readonly text: string
  /** Of the first answer; 0 when there was none. */
  readonly status: number
  /** Of every answer in the order they came, interim ones included. */
  readonly statuses: readonly number[]
  /** How the connection ended: `open` when it was still there at the end of the wait. */
  readonly end: 'end' | 'reset' | 'open'
}

export interface RawOptions {
  /** Milliseconds to wait for the server to end the connection. */
  readonly waitMs?: number
  /** Stop waiting once this says so of what has come so far. */
  readonly until?: (text: string) => boolean
  /** Ends our side after sending; else it stays open. */
  readonly end?: boolean
}

/** Sends the bytes (latin1 when a string; several pieces go out as several segments) and collects the answer. */
export function sendRaw(port: number, pieces: string | Buffer | readonly (string | Buffer)[], options: RawOptions = {}): Promise<RawAnswer> {
  return new Promise(resolve => {
    let text = ''
    let reset = false
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })

    const finish = (end: RawAnswer['end']): void => {
      clearTimeout(timer)
      socket.destroy()
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
      resolve({ text, status: statuses[0] ?? 0, statuses, end })
    }
    const timer = setTimeout(() => finish('open'), options.waitMs ?? 5000)

    socket.on('data', chunk => {
      text += chunk.toString('latin1')
      if (options.until?.(text)) finish('open')
    })
    socket.on('error', () => { reset = true })
    socket.on('end', () => { if (!reset) finish('end') })
    socket.on('close', () => finish(reset ? 'reset' : 'end'))
    socket.on('connect', () => void send())

    async function send(): Promise<void> {
      const list = typeof pieces === 'string' || Buffer.isBuffer(pieces) ? [pieces] : pieces
      for (const [index, piece] of list.entries()) {
        if (index > 0) await new Promise(next => setImmediate(next))
        if (socket.destroyed) return
        socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)
      }
      if (options.end) socket.end()
    }
  })
}

/** True once one whole answer with `Content-Length` or without a body has come. */
export function oneAnswer(text: string): boolean {
  const at = text.indexOf('\r\n\r\n')
  if (at === -1) return false
  const length = /^content-length: (\d+)/im.exec(text.slice(0, at))?.[1]
  return text.length - at - 4 >= Number(length ?? 0)
}
