/** Asks the admin listener of a running gateway. */
import { request } from 'undici'

export interface AdminEndpoint {
  readonly url: string
  readonly token: string | undefined
}

/** The answer's JSON; `undefined` for an empty one. Throws a sentence with the gateway's own reason for anything but 2xx. */
export async function askAdmin(endpoint: AdminEndpoint, method: 'GET' | 'POST' | 'DELETE', path: string, document?: unknown): Promise<unknown> {
  const { statusCode, body } = await send(endpoint, method, path, document)
  const text = await body.text()
  if (statusCode >= 200 && statusCode < 300) return text === '' ? undefined : JSON.parse(text)

  const { error } = readError(text)
  throw new Error(`${method} ${path} answered ${statusCode}: ${error?.reason ?? error?.message ?? text.slice(0, 200)}`)
}

function send({ url, token }: AdminEndpoint, method: 'GET' | 'POST' | 'DELETE', path: string, document: unknown): ReturnType<typeof request> {
  return request(`${url}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(document === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(document === undefined ? {} : { body: JSON.stringify(document) }),
    headersTimeout: 10_000,
  }).catch((cause: Error) => {
    throw new Error(`no gateway answers at ${url} (${cause.message}); is it running, and is --endpoint right?`, { cause })
  })
}

function readError(text: string): { error?: { reason?: string, message?: string } } {
  try {
    return JSON.parse(text) as { error?: { reason?: string, message?: string } }
  } catch {
    return {}
  }
}
