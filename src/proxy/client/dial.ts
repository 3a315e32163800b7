/** Connecting to an upstream: by name anew each time, on whichever address answers first, with TLS as the rule says. */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

import type { UpstreamTls } from '../../access/pipeline.js'
import type { RefusePeer } from '../own-listeners.js'
import { lendReadBuffer, returnReadBuffer, takeReadBuffer } from './read-buffers.js'

/** What is behind an origin. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
  readonly tls: UpstreamTls | undefined
  readonly refusePeer: RefusePeer
  /** The last TLS session, which the next handshake may resume. */
  session: Buffer | undefined
}

export interface DialEvents {
  /** The upstream can be written to, and is who it should be. */
  readonly onReady: () => void
  /** Bytes have come, valid until it returns, or for as long as `keep` says. False: pause. */
  readonly onRead: (bytes: Buffer) => boolean
}

export interface Dialled {
  /** On its way; what becomes of it is in its events, and in those above. */
  readonly socket: Socket
  /** To be called within `onRead` for each write of what has been read; what is returned is to be called when the write is done. */
  keep(): (error?: Error | null) => void
}

/** TCP notices by itself when a peer has vanished without a word. */
const probeAfterMs = 60_000

/** `http(s)://host:port` as somewhere to connect to. */
export function targetOf(origin: string, tls: UpstreamTls | undefined, refusePeer: RefusePeer): Target {
  const { protocol, hostname, port } = new URL(origin)
  const isTls = protocol === 'https:'
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || (isTls ? 443 : 80)), isTls, tls, refusePeer, session: undefined }
}

/** Begins to connect. */
export function dial(target: Target, events: DialEvents): Dialled {
  return target.isTls ? dialTls(target, events) : dialTcp(target, events)
}

function dialTcp({ host, port, refusePeer }: Target, { onReady, onRead }: DialEvents): Dialled {
  let current = takeReadBuffer()
  const socket = connectTcp({
    host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: probeAfterMs,
    // Node hands out no buffer of its own for each read, and no stream is between the socket and the parser.
    onread: {
      buffer() { // asked for after every read
        if (current.writes > 0) current = takeReadBuffer()
        return current.bytes
      },
      callback: (size, buffer) => onRead((buffer as Buffer).subarray(0, size)),
    },
  })
  socket.once('connect', () => {
    if (admitPeer(socket, refusePeer)) onReady()
  })
  socket.once('close', () => { returnReadBuffer(current) })
  return { socket, keep: () => lendReadBuffer(current) }
}

function dialTls(target: Target, { onReady, onRead }: DialEvents): Dialled {
  const { host, port, tls, refusePeer, session } = target
  const socket = connectTls({
    host, port, ALPNProtocols: ['http/1.1'],
    // The upstream's own name, whatever Host the client sends.
    servername: tls?.serverName ?? (isIP(host) === 0 ? host : ''),
    ...(tls !== undefined && { secureContext: tls.context, rejectUnauthorized: tls.verify }),
    ...(session !== undefined && { session }),
  })
  socket.prependOnceListener('connect', () => admitPeer(socket, refusePeer)) // before Node begins the handshake
  socket.setNoDelay(true).setKeepAlive(true, probeAfterMs)
  socket.on('session', (fresh: Buffer) => { target.session = fresh })
  socket.on('data', (bytes: Buffer) => onRead(bytes) || socket.pause())
  // What TLS has deciphered is nobody else's.
  return { socket: socket.once('secureConnect', onReady), keep: () => () => undefined }
}

/** Ends a connection to whoever must not get a byte; says whether it goes on. */
function admitPeer(socket: Socket, refusePeer: RefusePeer): boolean {
  const refusal = refusePeer(socket)
  if (refusal !== undefined) socket.destroy(refusal)
  return refusal === undefined
}
