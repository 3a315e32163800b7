/** How many connections one client address may hold, so that a single client can't take them all (security D1). */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'

import { addressBucket, plainAddress } from './client-address.js'

export interface AddressLimit {
  /** Open connections of one IPv4 address, or of one IPv6 network of 64 bits; 0 is no limit. */
  readonly connections: number
  /** Whether others stand behind an address: a trusted proxy may hold any number. */
  readonly isTrusted: (address: string) => boolean
}

/** Closes what goes beyond the limit at once, without an answer, as `maxConnections` does, and tells of it. */
export function limitConnectionsPerAddress(server: Server, { connections, isTrusted }: AddressLimit, onDropped: () => void): void {
  if (connections === 0) return

  const open = new Map<string, number>()
  const counted = new WeakSet<Socket>()

  server.on('connection', (socket: Socket) => {
    if (counted.has(socket)) return // a request that asked for another protocol has given its connection back
    const address = plainAddress(socket.remoteAddress ?? '')
    if (isTrusted(address)) return

    const bucket = addressBucket(address)
    const held = open.get(bucket) ?? 0
    if (held >= connections) {
      socket.destroy()
      onDropped()
      return
    }
    counted.add(socket)
    open.set(bucket, held + 1)
    socket.once('close', () => {
      const left = (open.get(bucket) ?? 1) - 1
      if (left === 0) open.delete(bucket)
      else open.set(bucket, left)
    })
  })
}
