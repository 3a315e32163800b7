/** Upstreams that turn out to be the gateway itself, once they have answered: what no look at their URL can tell (security A15). */
import { isIPv4, type AddressInfo, type Socket } from 'node:net'

import { isLoopback } from '../config/loopback.js'
import { GatewayError } from '../errors.js'
import { plainAddress } from '../http/client-address.js'

/** Why nothing is to be sent to whoever has answered on a connection; `undefined` when all is well. Asked once for each. */
export type RefusePeer = (socket: Socket) => GatewayError | undefined

export interface OwnListeners {
  /** To be told of each listener as soon as it listens; `name` is how operators know it. */
  add(name: string, address: Pick<AddressInfo, 'address' | 'port'>): void
  /** Refuses connections to any of them. Another network may lead back here under an address that is not ours; that it can't tell. */
  readonly refusePeer: RefusePeer
}

/** Knows of none yet. */
export function createOwnListeners(): OwnListeners {
  const listeners: { readonly name: string, readonly address: string, readonly port: number }[] = []

  return {
    add(name, { address, port }) {
      listeners.push({ name, address: plainAddress(address), port })
    },
    refusePeer({ localAddress = '', remoteAddress = '', remotePort }) {
      for (const { name, address, port } of listeners) {
        if (port !== remotePort || !takesConnectionsAt(plainAddress(remoteAddress), address, plainAddress(localAddress))) continue
        return new GatewayError('upstream_unreachable', {
          detail: `the upstream is the gateway's own ${name} listener, at ${remoteAddress} port ${port}: "upstream.url" of the rule must lead elsewhere`,
        })
      }
      return undefined
    },
  }
}

/** One that listens on no address in particular has all of this machine's: those that a connection reaches from themselves. */
function takesConnectionsAt(remote: string, listening: string, local: string): boolean {
  if (listening === '::' || (listening === '0.0.0.0' && isIPv4(remote))) return remote === local || isLoopback(remote)
  return remote === listening
}
