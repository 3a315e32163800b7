/** A raw TCP upstream: stores every byte, parses strictly, and answers 200 or however it is told to. */
import { createServer, type AddressInfo, type Socket } from 'node:net'

export interface RecordedRequest {
  readonly method: string
  readonly target: string
  readonly version: string
  /** As sent, in order. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly body: string
  /** Trailer section, without its last empty line. */
  readonly trailers: string
  /** Which connection it came on, counted from 0. */
  readonly connection: number
}

/** Answers one request on its socket; `head` is called before the body has come. */
export interface Behaviour {
  readonly head?: (socket: Socket, request: Omit<RecordedRequest, 'body' | 'trailers'>) => void
  readonly answer?: (socket: Socket, request: RecordedRequest) => void
}

export interface Recorder {
  readonly port: number
  readonly origin: string
  /** Whole, well-framed requests. */
  readonly requests: readonly RecordedRequest[]
  /** All bytes, by connection, as latin1. */
  readonly bytes: readonly string[]
  /** What is no well-framed request: what could never become one, and what was left when a connection ended. */
  readonly leftovers: readonly string[]
  /** The former only. */
  readonly malformed: readonly string[]
  /** Connections open now that have carried anything. */
  openConnections(): number
  behave(behaviour: Behaviour): void
  reset(): void
  /** Resolves when this many whole requests have come; rejects after five seconds. */
  received(count: number): Promise<void>
  /** Resolves when no such connection is left; rejects after five seconds. */
  disconnected(): Promise<void>
  /** The fields of the last request with this name, case ignored. */
  field(name: string): string[]
  close(): Promise<void>
}

const ok: NonNullable<Behaviour['answer']> = socket => {
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
}

/** Reads the head of a request and then nothing for so long; answers 200. */
export function takesNothingFor(ms: number): Behaviour {
  return {
    head(socket) {
      socket.pause()
      setTimeout(() => { socket.resume() }, ms)
    },
    answer: ok,
  }
}

export async function startRecorder(): Promise<Recorder> {
  let requests: RecordedRequest[] = []
  let bytes: string[] = []
  let leftovers: string[] = []
  let malformed: string[] = []
  let behaviour: Behaviour = {}
  let connections = 0
  const sockets = new Set<Socket>()
  const used = new Set<Socket>()

  const server = createServer(socket => {
    const connection = connections++
    let buffer = ''
    let headSeen = false
    let needed = 0 // bytes of the buffer, before it is worth looking at again
    sockets.add(socket)
    socket.setNoDelay(true)
    bytes[connection] = ''
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      sockets.delete(socket)
      used.delete(socket)
      if (buffer !== '') leftovers.push(buffer)
    })
    socket.on('data', chunk => {
      used.add(socket)
      bytes[connection] += chunk.toString('latin1')
      buffer += chunk.toString('latin1')
      while (buffer.length >= needed) {
        const parsed = parse(buffer)
        if (parsed === 'bad') {
          leftovers.push(buffer)
          malformed.push(buffer)
          buffer = ''
          socket.destroy()
          return
        }
        if (parsed.head !== undefined && !headSeen) {
          headSeen = true
          behaviour.head?.(socket, { ...parsed.head, connection })
        }
        needed = parsed.needed ?? 0
        if (parsed.whole === undefined) return
        buffer = buffer.slice(parsed.whole.length)
        headSeen = false
        const request = { ...parsed.whole.request, connection }
        requests.push(request)
        ;(behaviour.answer ?? (behaviour.head === undefined ? ok : undefined))?.(socket, request)
      }
    })
  })
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo

  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    get requests() { return requests },
    get bytes() { return bytes },
    get leftovers() { return leftovers },
    get malformed() { return malformed },
    openConnections: () => used.size,
    behave: how => { behaviour = how },
    reset() {
      requests = []
      bytes = bytes.map(() => '')
      leftovers = []
      malformed = []
      behaviour = {}
    },
    received: count => until(() => requests.length >= count, () => `${requests.length} of ${count} requests came`),
    disconnected: () => until(() => used.size === 0, () => `${used.size} connections are left`),
    field: name => requests.at(-1)?.fields.filter(([sent]) => sent.toLowerCase() === name).map(([, value]) => value) ?? [],
    close: () => new Promise(closed => {
      for (const socket of sockets) socket.destroy()
      server.close(() => closed())
    }),
  }
}

async function until(condition: () => boolean, complaint: () => string): Promise<void> {
  const deadline = Date.now() + 5000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(complaint())
    await new Promise(next => setTimeout(next, 2))
  }
}

type Head = Omit<RecordedRequest, 'body' | 'trailers' | 'connection'>
interface Parsed {
  readonly head?: Head
  /** Length of the whole, when it is known and not there yet. */
  readonly needed?: number
  readonly whole?: { readonly length: number, readonly request: Omit<RecordedRequest, 'connection'> }
}

const fieldLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/

/** RFC 9112 to the letter and nothing beyond it. */
function parse(text: string): Parsed | 'bad' {
  if (text === '') return {}
  const end = text.indexOf('\r\n\r\n')
  const lines = (end === -1 ? text : text.slice(0, end)).split('\r\n')
  if (lines.some(line => /[\r\n\0]/.test(end === -1 ? line.replace(/\r$/, '') : line))) return 'bad'
  if (end === -1) return {}

  const start = /^([A-Z-]+) (\/[!-~]*|\*) (HTTP\/1\.1)$/.exec(lines[0] as string)
  const fields = lines.slice(1).map(line => fieldLine.exec(line))
  if (start === null || fields.some(field => field === null)) return 'bad'

  const pairs = fields.map(field => [field?.[1] as string, field?.[2] as string] as const)
  const valuesOf = (name: string): string[] => pairs.filter(([sent]) => sent.toLowerCase() === name).map(([, value]) => value)
  const head: Head = { method: start[1] as string, target: start[2] as string, version: start[3] as string, fields: pairs }
  const [encoding, length] = [valuesOf('transfer-encoding'), valuesOf('content-length')]
  if (valuesOf('host').length !== 1 || encoding.length + length.length > 1) return 'bad'
  if (encoding.length === 1 && encoding[0] !== 'chunked') return 'bad'
  if (length.length === 1 && !/^\d+$/.test(length[0] as string)) return 'bad'

  const from = end + 4
  if (encoding.length === 1) return parseChunked(text, from, head)
  const to = from + Number(length[0] ?? 0)
  if (text.length < to) return { head, needed: to }
  return { head, whole: { length: to, request: { ...head, body: text.slice(from, to), trailers: '' } } }
}

function parseChunked(text: string, from: number, head: Head): Parsed | 'bad' {
  let body = ''
  for (let at = from; ;) {
    const line = text.indexOf('\r\n', at)
    if (line === -1) return { head }
    const digits = text.slice(at, line)
    if (!/^[0-9a-fA-F]{1,8}$/.test(digits)) return 'bad'
    const size = parseInt(digits, 16)
    if (size === 0) {
      const end = text.startsWith('\r\n', line + 2) ? line + 2 : text.indexOf('\r\n\r\n', line + 2) + 2
      if (end < line + 2 || text.length < end + 2) return { head }
      return { head, whole: { length: end + 2, request: { ...head, body, trailers: text.slice(line + 2, end) } } }
    }
    if (text.length < line + 2 + size + 2) return { head }
    body += text.slice(line + 2, line + 2 + size)
    if (text.slice(line + 2 + size, line + 4 + size) !== '\r\n') return 'bad'
    at = line + 4 + size
  }
}
