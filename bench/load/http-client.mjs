/** A lean HTTP client on bare sockets, so that the program that measures is not what is measured. GET only, answers with a length only. */
import { connect } from 'node:net'

const headEnd = Buffer.from('\r\n\r\n')

/**
 * A kept-alive connection for one request at a time.
 * @param {number} port
 * @param {(ok: boolean) => void} onAnswer Called for every answer, and with `false` when the connection ends instead of one; nothing
 *   that is sent after that is answered.
 */
export function openConnection(port, onAnswer) {
  let received = Buffer.alloc(0)
  let bodyLeft = -1
  let ok = false
  let waiting = false
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })

  socket.on('data', chunk => {
    if (bodyLeft >= 0) {
      bodyLeft -= chunk.length
    } else {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      const end = received.indexOf(headEnd)
      if (end === -1) return
      const head = received.toString('latin1', 0, end)
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
      if (length === undefined) throw new Error(`an answer without Content-Length:\n${head}`)
      ok = head.startsWith('HTTP/1.1 2')
      bodyLeft = Number(length) - (received.length - end - headEnd.length)
      received = Buffer.alloc(0)
    }
    if (bodyLeft > 0) return
    bodyLeft = -1
    waiting = false
    onAnswer(ok)
  })
  socket.on('error', () => {}) // it closes then, too
  socket.on('close', () => {
    if (waiting) onAnswer(false)
  })

  return {
    send(/** @type {Buffer} */ request) {
      waiting = true
      socket.write(request)
    },
    close: () => socket.destroy(),
  }
}

/** The bytes of a GET. */
export function getRequest(/** @type {number} */ port, /** @type {string} */ path, /** @type {Readonly<Record<string, string>>} */ headers) {
  const fields = Object.entries({ Host: `127.0.0.1:${port}`, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`GET ${path} HTTP/1.1\r\n${fields.join('')}\r\n`, 'latin1')
}
