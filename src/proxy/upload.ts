/** The body of a request on its way to the upstream. */
import type { IncomingMessage, ServerResponse } from 'node:http'

import { GatewayError } from '../errors.js'
import { inviteBody } from '../http/framing.js'
import type { Upload, UploadSink } from './client/exchange.js'

/**
 * The request's body, at the upstream's pace. It can be given up without giving up the client, who may be about to get an answer;
 * reading begins when the upstream is there. Fails with `payload_too_large` beyond `maxBytes` (0: no limit). `length` is what the
 * request announces, if it does.
 */
export function createUpload(req: IncomingMessage, res: ServerResponse, length: number | undefined, maxBytes: number): Upload {
  let received = 0
  let sink: UploadSink | undefined

  function onData(piece: Buffer): void {
    received += piece.length
    if (maxBytes > 0 && received > maxBytes) sink?.fail(new GatewayError('payload_too_large'))
    else if (sink?.write(piece) === false) req.pause()
  }

  function onEnd(): void {
    sink?.end()
  }

  return {
    length,
    start(to) {
      sink = to
      inviteBody(req, res)
      req.on('data', onData).on('end', onEnd)
    },
    resume() {
      req.socket.setTimeout(req.socket.timeout ?? 0) // the client's time begins now, not when the upstream took no more (security D2)
      req.resume()
    },
    stop() {
      sink = undefined
      req.off('data', onData).off('end', onEnd)
      req.resume() // what else comes is nobody's
    },
  }
}
