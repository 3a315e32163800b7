/** Fetches a document from a URL that the configuration names: bounded in time and size, redirects not followed. */
export interface FetchLimits {
  /** For the whole exchange. */
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly headers?: Readonly<Record<string, string>>
}

/** The body of a 200 answer. Rejects for every other status, for a body beyond the limit, and when the time is over. */
export async function fetchDocument(url: string, { timeoutMs, maxBytes, headers = {} }: FetchLimits): Promise<Buffer> {
  const { request } = await import('undici') // see load-later.ts
  const { statusCode, body } = await request(url, { headers, signal: AbortSignal.timeout(timeoutMs) })
  if (statusCode !== 200) {
    body.on('error', () => {}).destroy()
    throw new Error(`the server answered with status ${statusCode}`)
  }

  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    const bytes = chunk as Buffer
    length += bytes.length
    // Leaving the loop destroys the body, and with it the connection.
    if (length > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks, length)
}
