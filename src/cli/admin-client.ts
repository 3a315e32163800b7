/** Asks the admin listener of a running gateway. */
import { request } from 'undici'

export interface AdminEndpoint {
  readonly url: string
  readonly token: string | undefined
}

type AdminMethod = 'GET' | 'POST' | 'PATCH' | 'DELETE'

/** The gateway could not be asked, or said no. */
export class AdminError extends Error {
  override readonly name = 'AdminError'
  /** Absent when no gateway answered. */
  readonly status: number | undefined

  constructor(message: string, status?: number, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.status = status
  }
}

/** Whether trying again may help. */
export function isTransient(error: unknown): boolean {
  return error instanceof AdminError && (error.status === undefined || error.status >= 500)
}

/**
 * The answer's JSON; `undefined` for an empty one. `document` is JSON already when it is a text. Throws an `AdminError`, a
 * sentence with the gateway's own reason, for anything but 2xx.
 */
export async function askAdmin(endpoint: AdminEndpoint, method: AdminMethod, path: string, document?: unknown): Promise<unknown> {
  const { statusCode, body } = await send(endpoint, method, path, document)
  const text = await body.text()
  if (statusCode >= 200 && statusCode < 300) return text === '' ? undefined : JSON.parse(text)

  const { error } = readError(text)
  throw new AdminError(`${method} ${path} answered ${statusCode}: ${error?.reason ?? error?.message ?? text.slice(0, 200)}`, statusCode)
}

/** A batch of passwords in clear is hashed before it is answered. */
const batchTimeoutMs = 120_000
const timeoutMs = 10_000

function send({ url, token }: AdminEndpoint, method: AdminMethod, path: string, document: unknown): ReturnType<typeof request> {
  return request(`${url}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(document === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(document === undefined ? {} : { body: typeof document === 'string' ? document : JSON.stringify(document) }),
    headersTimeout: method === 'PATCH' ? batchTimeoutMs : timeoutMs,
  }).catch((cause: Error) => {
    throw new AdminError(`no gateway answers at ${url} (${cause.message}); is it running, and is --endpoint right?`, undefined, cause)
  })
}

function readError(text: string): { error?: { reason?: string, message?: string } } {
  try {
    return JSON.parse(text) as { error?: { reason?: string, message?: string } }
  } catch {
    return {}
  }
}
