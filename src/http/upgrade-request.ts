/** Requests that ask for another protocol: a WebSocket, or anything else, which is served as if it had not asked (RFC 9110 7.8). */
import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

import { lingerThenDestroy } from './raw-answer.js'

/** Whether WebSocket is among what the request asks for; not whether it asks properly. */
export function isWebSocketUpgrade(req: IncomingMessage): boolean {
  return (req.headers.upgrade ?? '').toLowerCase().split(',').some(protocol => protocol.trim() === 'websocket')
}

/**
 * Node 26 reads the body of a request that asks for another protocol like any other, before what follows; older ones leave it among
 * the bytes that follow. Its `shouldUpgradeCallback` is no help: a pipelined request after one that it declines is lost.
 */
export const parsesUpgradeBodies = Number(process.versions.node.split('.')[0]) >= 26

/**
 * Hands the connection back to the server's parser, by `accept`, with the request as it came but for `Upgrade`. Node decides by the mere
 * presence of an `upgrade` listener that such a request ends the HTTP on its connection; nothing else can be said.
 */
export function replayWithoutUpgrade(req: IncomingMessage, socket: Socket, head: Buffer, accept: () => void): void {
  let text = `${req.method} ${req.url} HTTP/${req.httpVersion}\r\n`
  for (let at = 0; at < req.rawHeaders.length; at += 2) {
    const name = req.rawHeaders[at] as string
    if (name.toLowerCase() !== 'upgrade') text += `${name}: ${req.rawHeaders[at + 1]}\r\n`
  }
  socket.removeAllListeners('error')
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]))
  accept()
}

/** A response object for a request that came as an upgrade, so that it can be answered like any other. The connection ends with it. */
export function createUpgradeResponse(req: IncomingMessage, socket: Socket): ServerResponse {
  const res = new ServerResponse(req)
  res.shouldKeepAlive = false
  res.assignSocket(socket)
  const drained = (): boolean => res.emit('drain')
  socket.on('drain', drained)
  res.on('finish', () => {
    socket.off('drain', drained)
    res.detachSocket(socket)
    socket.end()
    lingerThenDestroy(socket)
    res.emit('close') // as a server does it for responses of its own
  })
  return res
}
