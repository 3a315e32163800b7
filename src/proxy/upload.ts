/** The body of a request on its way to the upstream. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

import { GatewayError } from '../errors.js'
import { inviteBody } from '../http/framing.js'
import { clientGone } from './transport-error.js'

/**
 * A stream of the request's body that can be given up without giving up the client, who may be about to get an answer. Reading
 * begins when the upstream is ready for it. Errors with `payload_too_large` beyond `maxBytes` (0: no limit), and when the client goes.
 */
export function createUpload(req: IncomingMessage, res: ServerResponse, maxBytes: number): Readable {
  let received = 0
  let listening = false

  const upload = new Readable({
    read() {
      if (!listening) listen()
      req.resume()
    },
    destroy(error, callback) {
      req.off('data', onData).off('end', onEnd).off('close', onClose)
      req.resume() // what else comes is nobody's
      callback(error)
    },
  })

  function listen(): void {
    listening = true
    inviteBody(req, res)
    req.on('data', onData).on('end', onEnd)
  }

  function onData(chunk: Buffer): void {
    received += chunk.length
    if (maxBytes > 0 && received > maxBytes) {
      upload.destroy(new GatewayError('payload_too_large'))
      return
    }
    if (!upload.push(chunk)) req.pause()
  }

  function onEnd(): void {
    upload.push(null)
  }

  function onClose(): void {
    if (!req.complete) upload.destroy(clientGone())
  }

  req.on('close', onClose).on('error', onClose)
  upload.on('error', () => undefined) // undici stops listening once the exchange is over, which may be before its body is
  return upload
}
