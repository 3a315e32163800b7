/** Rules that another server has: asked for again at every `access_rules.poll_interval`. */
import type { RuleFile } from '../rules.js'
import type { Repository } from './repository.js'

const timeoutMs = 15_000

/** Follows no redirects. What has not changed (`ETag`) is not sent again. */
export function httpRepository(url: string, maxBytes: number): Repository {
  const name = withoutSecrets(url)
  const closing = new AbortController()
  let last: { readonly etag: string, readonly file: RuleFile } | undefined

  return {
    async read() {
      const { status, etag, text } = await get(url, last?.etag, maxBytes, closing.signal).catch((cause: unknown) => {
        throw new Error(`${name} can not be read: ${reasonOf(cause)}`, { cause })
      })
      if (status === 304 && last !== undefined) return [last.file]
      if (status !== 200) throw new Error(`${name} can not be read: the server answers ${status}`)

      const file = { name, text }
      last = etag === undefined ? undefined : { etag, file }
      return [file]
    },
    watch() {},
    close: () => { closing.abort() },
  }
}

interface Got {
  readonly status: number
  readonly etag: string | undefined
  readonly text: string
}

async function get(url: string, etag: string | undefined, maxBytes: number, closing: AbortSignal): Promise<Got> {
  const { request } = await import('undici') // see load-later.ts
  const { statusCode, headers, body } = await request(url, {
    headers: { accept: 'application/json, application/yaml', ...(etag === undefined ? {} : { 'if-none-match': etag }) },
    signal: AbortSignal.any([closing, AbortSignal.timeout(timeoutMs)]),
  })
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += (chunk as Buffer).length
    if (size > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`)
    chunks.push(chunk as Buffer)
  }
  const sent = headers['etag']
  return { status: statusCode, etag: typeof sent === 'string' ? sent : undefined, text: Buffer.concat(chunks).toString('utf8') }
}

/** User name, password and query may be secrets: none of them is logged. */
function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^/]*@/, '//').replace(/[?#].*$/, '')
}

function reasonOf(cause: unknown): string {
  const { name, message, code } = cause as { name?: string, message?: string, code?: string }
  return name === 'TimeoutError' ? `no answer within ${timeoutMs / 1000} s` : message || code || 'unknown error'
}
