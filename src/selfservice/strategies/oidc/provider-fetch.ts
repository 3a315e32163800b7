/** How the gateway talks to providers: bounded in time and size, no redirects, nowhere that it was not sent (security O10, R10). */
import type { Dispatcher } from 'undici'

import { isLoopbackHost, isPrivateHost, publicLookup } from './private-address.js'

/** For one exchange, from connecting to the last byte. */
export const exchangeTimeoutMs = 5_000

const bodyByteLimit = 1_048_576
const connectionsPerProvider = 32

/** A `fetch` for openid-client and jose. */
export type ProviderFetch = (url: string, options: FetchOptions) => Promise<Response>

interface FetchOptions {
  readonly method?: string | undefined
  readonly headers?: Record<string, string> | Headers | undefined
  readonly body?: unknown
  readonly signal?: AbortSignal | null | undefined
}

const limits = { keepAliveTimeout: 1_000, connections: connectionsPerProvider, headersTimeout: exchangeTimeoutMs, bodyTimeout: exchangeTimeoutMs } as const

/**
 * A `fetch` for one provider. The hosts that the operator has named may be anywhere; any other host, which only the
 * provider's own document names, has to be public and is asked over https.
 */
export function createProviderFetch(namedHosts: ReadonlySet<string>): ProviderFetch {
  let client: ReturnType<typeof createClient> | undefined

  return async (url, { method = 'GET', headers = {}, body, signal }) => {
    const target = new URL(url)
    const mistake = endpointMistake(target, namedHosts)
    if (mistake !== undefined) throw new Error(mistake)

    const timeout = AbortSignal.timeout(exchangeTimeoutMs)
    const { request, named, foreign } = await (client ??= createClient())
    const answer = await request(target, {
      method: method as Dispatcher.HttpMethod,
      headers: Object.fromEntries(new Headers(headers)),
      body: body === undefined || body === null ? null : String(body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      dispatcher: namedHosts.has(target.hostname) ? named : foreign,
    })
    const bytes = await readBounded(answer.body)
    const contentType = answer.headers['content-type']
    return new Response(bytes.length === 0 ? null : bytes, {
      status: answer.statusCode,
      headers: typeof contentType === 'string' ? { 'content-type': contentType } : {},
    })
  }
}

async function createClient() {
  const { Agent, request } = await import('undici') // see load-later.ts
  const named = new Agent({ ...limits, connect: { timeout: exchangeTimeoutMs } })
  const foreign = new Agent({ ...limits, connect: { timeout: exchangeTimeoutMs, lookup: publicLookup } })
  return { request, named, foreign }
}

/** Why an endpoint must not be used; `undefined` when it may be. */
export function endpointMistake(url: URL, namedHosts: ReadonlySet<string>): string | undefined {
  const isNamed = namedHosts.has(url.hostname)
  const isPlainLoopback = url.protocol === 'http:' && isNamed && isLoopbackHost(url.hostname)
  if (url.protocol !== 'https:' && !isPlainLoopback) return `${url.origin} is not https`
  if (url.username !== '' || url.password !== '') return `${url.origin} has credentials in its URL`
  if (!isNamed && isPrivateHost(url.hostname)) return `${url.hostname} is not a public address`
  return undefined
}

async function readBounded(body: Dispatcher.ResponseData['body']): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    const bytes = chunk as Buffer
    length += bytes.length
    // Leaving the loop destroys the body, and with it the connection.
    if (length > bodyByteLimit) throw new Error(`the answer is longer than ${bodyByteLimit} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks, length)
}
