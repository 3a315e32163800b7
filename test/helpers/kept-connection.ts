/** A client connection that is kept alive, over which requests go out as they are, one after the other: cheap enough for a million. */
import { connect, type Socket } from 'node:net'

export interface RawReply {
  readonly status: number
  /** With the status line. */
  readonly head: string
  readonly body: string
}

export interface KeptConnection {
  /**
   * Sends one request and resolves to its answer, which must have a `Content-Length` or no body; `undefined` when the connection is
   * gone without one. `abortAfterMs`: resets the connection then, if the answer has not come.
   */
  ask(bytes: string, abortAfterMs?: number): Promise<RawReply | undefined>
  close(): void
}

/** Connects when it is first asked, and anew when a connection has ended. */
export function keptConnection(port: number): KeptConnection {
  let socket: Socket | undefined

  return {
    ask(bytes, abortAfterMs) {
      const current = socket ??= connect({ port, host: '127.0.0.1', noDelay: true }).on('error', () => undefined)
      return new Promise(resolve => {
        let text = ''
        const done = (answer: RawReply | undefined): void => {
          clearTimeout(givingUp)
          current.off('data', onData).off('close', onClose)
          resolve(answer)
        }
        const onClose = (): void => {
          socket = undefined
          done(undefined)
        }
        const onData = (chunk: Buffer): void => {
          text += chunk.toString('latin1')
          const [head = '', body] = text.split('\r\n\r\n')
          const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
          if (body === undefined || body.length < length) return
          if (/^connection: close/im.test(head)) socket = undefined
          done({ status: Number(head.slice(9, 12)), head, body })
        }
        const givingUp = abortAfterMs === undefined ? undefined : setTimeout(() => current.resetAndDestroy(), abortAfterMs)
        current.on('data', onData).on('close', onClose)
        current.write(bytes)
      })
    },
    close() {
      socket?.destroy()
      socket = undefined
    },
  }
}
