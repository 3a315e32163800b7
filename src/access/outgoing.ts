/** Requests that the gateway makes on its own behalf, to services that rules name: bounded in time, size and number. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Agent, Dispatcher } from 'undici'

export interface OutgoingRequest {
  /** `http(s)://`; from configuration, but for the path and query where a rule says so. */
  readonly url: string
  readonly method: string
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Buffer | undefined
  /** From the call to the last byte of the answer. */
  readonly timeoutMs: number
  /** Of the answer's body; absent: 1 MiB. */
  readonly maxBytes?: number
}

export interface OutgoingAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** As sent: nothing is decompressed. */
  readonly body: Buffer
}

/** Why there is no answer. `message` is for the log: it names the service, never what was sent. */
export class OutgoingError extends Error {
  override readonly name = 'OutgoingError'
  readonly kind: 'unreachable' | 'timeout' | 'too_large' | 'overloaded'

  constructor(kind: OutgoingError['kind'], service: string, cause?: unknown) {
    super(`${service}: ${reasons[kind]}${cause instanceof Error ? ` (${codeOf(cause)})` : ''}`, cause === undefined ? undefined : { cause })
    this.kind = kind
  }
}

/** The answer, whatever its status; redirects are answers like others. Throws `OutgoingError` only. */
export type FetchBounded = (request: OutgoingRequest) => Promise<OutgoingAnswer>

export interface Outgoing {
  readonly fetchBounded: FetchBounded
  /** Cuts requests in flight and closes every connection. */
  close(): Promise<void>
}

export interface OutgoingOptions {
  /** To one origin; absent: 64. */
  readonly connections?: number
  /** Requests to one origin at a time, those that wait for a connection included; absent: 512. More of them fail at once. */
  readonly requests?: number
}

/** The process' one client for such requests. It follows no redirects and knows no proxies from the environment. */
export function createOutgoing({ connections = 64, requests = 512 }: OutgoingOptions = {}): Outgoing {
  let agent: Promise<Agent> | undefined
  const inFlight = new Map<string, number>()

  async function fetchBounded(request: OutgoingRequest): Promise<OutgoingAnswer> {
    const { origin, pathname, search } = new URL(request.url)
    const service = origin + pathname
    const before = inFlight.get(origin) ?? 0
    if (before >= requests) throw new OutgoingError('overloaded', service)

    inFlight.set(origin, before + 1)
    try {
      return await exchange(await (agent ??= createAgent(connections)), { ...request, origin, path: pathname + search, service })
    } finally {
      const left = (inFlight.get(origin) ?? 1) - 1
      if (left === 0) inFlight.delete(origin)
      else inFlight.set(origin, left)
    }
  }

  return {
    fetchBounded,
    async close() {
      await (await agent)?.destroy()
    },
  }
}

async function createAgent(connections: number): Promise<Agent> {
  const { Agent } = await import('undici') // see load-later.ts
  return new Agent({ connections, pipelining: 1, keepAliveTimeout: 4000, connect: { timeout: 5000 } })
}

const reasons = {
  unreachable: 'can not be reached',
  timeout: 'did not answer in time',
  too_large: 'answered with more than is accepted',
  overloaded: 'too many requests are waiting for it',
} as const

interface Target { readonly origin: string, readonly path: string, readonly service: string }

async function exchange(agent: Agent, request: OutgoingRequest & Target): Promise<OutgoingAnswer> {
  const { origin, path, service, method, headers, body = null, timeoutMs, maxBytes = 1_048_576 } = request
  const aborting = new AbortController()
  const timer = setTimeout(() => { aborting.abort() }, timeoutMs)
  try {
    const answer = await agent.request({
      origin, path, method: method as Dispatcher.HttpMethod, headers: { ...headers }, body,
      signal: aborting.signal, headersTimeout: 0, bodyTimeout: 0,
    })
    return { status: answer.statusCode, headers: answer.headers, body: await readBody(answer, maxBytes, service) }
  } catch (cause) {
    if (cause instanceof OutgoingError) throw cause
    throw new OutgoingError(aborting.signal.aborted ? 'timeout' : 'unreachable', service, aborting.signal.aborted ? undefined : cause)
  } finally {
    clearTimeout(timer)
  }
}

async function readBody({ body, headers }: Dispatcher.ResponseData, maxBytes: number, service: string): Promise<Buffer> {
  // A body that is given up emits an error, which nobody else listens to.
  body.on('error', () => undefined)
  const chunks: Buffer[] = []
  let size = Number(headers['content-length'] ?? 0)
  if (size <= maxBytes) {
    size = 0
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxBytes) break
      chunks.push(chunk)
    }
  }
  if (size <= maxBytes) return Buffer.concat(chunks)
  body.destroy()
  throw new OutgoingError('too_large', service)
}

/** Node's and undici's codes say what happened without quoting anything. */
function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
