/** The body of a request, for the few who must see it before it is forwarded. */
import type { IncomingMessage, ServerResponse } from 'node:http'

import { GatewayError } from '../errors.js'
import { inviteBody } from './framing.js'

export interface RequestBody {
  /**
   * The whole body, kept for the forwarder. Empty when there is none. Throws `payload_too_large` when it has more than so many
   * bytes, and `bad_request` when the client goes away.
   */
  read(maxBytes: number): Promise<Buffer>
  /** What was read; absent when nobody did, and the body is still to come. */
  readonly taken: Buffer | undefined
}

/** Reads nothing before it is asked to. */
export function createRequestBody(req: IncomingMessage, res: ServerResponse): RequestBody {
  let reading: Promise<Buffer> | undefined
  let taken: Buffer | undefined

  return {
    get taken() {
      return taken
    },
    async read(maxBytes) {
      reading ??= readWhole(req, res, maxBytes)
      taken = await reading
      if (taken.length > maxBytes) throw tooLarge()
      return taken
    },
  }
}

async function readWhole(req: IncomingMessage, res: ServerResponse, maxBytes: number): Promise<Buffer> {
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
  inviteBody(req, res)
  const chunks: Buffer[] = []
  let size = 0
  try {
    // The answer still has to go out on this connection, so leaving the loop must not destroy it.
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxBytes) throw tooLarge()
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause
    throw new GatewayError('bad_request', { detail: 'the client went away while it sent the body', cause })
  }
  return Buffer.concat(chunks)
}

/** What is left of the body is not read, so the connection can't be used again. */
function tooLarge(): GatewayError {
  return new GatewayError('payload_too_large', { headers: { connection: 'close' } })
}
