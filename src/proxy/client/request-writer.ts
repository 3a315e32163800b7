/** Requests on their way out: heads when the turn of the event loop ends, bodies as they come. */
import type { Socket } from 'node:net'

import { GatewayError } from '../../errors.js'
import { atTurnsEnd } from '../../http/turns-end.js'
import { hearOut } from './early-answer.js'
import type { Exchange, UploadSink } from './exchange.js'

export interface RequestWriter {
  /** Begins to write a request; the one before is over. */
  write(exchange: Exchange): void
  /** Whether nothing of it has gone out, so that nothing can be the answer to it. */
  isUnsent(): boolean
  /** Whether its body is still to come, or some of it. */
  isUploading(): boolean
  /** Nothing more is written. */
  stop(): void
}

/** `onFailure` hears of a body that is not what it should be. */
export function createRequestWriter(socket: Socket, onFailure: (error: Error) => void): RequestWriter {
  let exchange: Exchange | undefined
  /** The head of a request that goes out when the turn ends. */
  let unsent: string | undefined
  let uploading = false
  let uploadedBytes = 0
  let hearsOut = false

  const sink: UploadSink = {
    write(piece) {
      if (exchange === undefined) return true
      uploadedBytes += piece.length
      if (exchange.upload?.length !== undefined) return socket.write(piece)
      socket.cork()
      socket.write(`${piece.length.toString(16)}\r\n`, 'latin1')
      socket.write(piece)
      const goesOn = socket.write('\r\n', 'latin1')
      socket.uncork()
      return goesOn
    },
    end() {
      const upload = exchange?.upload
      if (upload === undefined) return
      if (upload.length === undefined) socket.write('0\r\n\r\n', 'latin1')
      else if (upload.length !== uploadedBytes) onFailure(new GatewayError('internal_error', { detail: 'a body of another length than announced' }))
      uploading = false
    },
    fail: onFailure,
  }

  function sendHead(): void {
    if (unsent === undefined) return
    socket.write(unsent, 'latin1')
    unsent = undefined
  }

  function uncork(): void {
    socket.uncork()
  }

  return {
    write(next) {
      exchange = next
      const { head, body, upload } = next
      uploading = upload !== undefined
      uploadedBytes = 0
      if (upload === undefined && body === undefined) {
        unsent = head
        atTurnsEnd(sendHead)
        return
      }
      if (!hearsOut) hearOut(socket)
      hearsOut = true
      socket.cork()
      socket.write(head, 'latin1')
      if (body !== undefined) socket.write(body)
      upload?.start(sink)
      process.nextTick(uncork) // what has come of an upload goes out with the head
    },
    isUnsent: () => unsent !== undefined,
    isUploading: () => uploading,
    stop() {
      exchange = undefined
      unsent = undefined
    },
  }
}
