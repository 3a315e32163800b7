/** TLS on a listener: versions, ciphers, which certificate a client is shown, and an end to handshakes that do not come to one. */
import { constants } from 'node:crypto'
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { Socket } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'

/** What the listener needs to know of the certificates in force. */
export interface TlsCertificates {
  /** For the name that a client asks for; `undefined` refuses its handshake. */
  contextFor(name: string): SecureContext | undefined
  /** PEM, for clients that ask for no name; `undefined` refuses them. */
  fallback(): { readonly cert: string, readonly key: string } | undefined
  /** Calls the listener after each change, in addition to others. */
  onChange(listener: () => void): void
}

export interface TlsListenerOptions {
  readonly certificates: TlsCertificates
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Milliseconds that a handshake may take in all. */
  readonly handshakeMs: number
}

/** What browsers since 2015 speak: forward secrecy and authenticated encryption alone (Mozilla's "intermediate", without DHE). */
const ciphers = [
  'TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256',
  ...['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'].flatMap(suite => [`ECDHE-ECDSA-${suite}`, `ECDHE-RSA-${suite}`]),
].join(':')

/** An HTTPS server that does not listen yet. Certificates that change hold for the handshakes to come. */
export function createTlsServer(http: ServerOptions, { certificates, minVersion, handshakeMs }: TlsListenerOptions): Server {
  const always = {
    minVersion,
    ciphers,
    // A client that renegotiates makes the server work at will, and has no reason to (CVE-2011-1473).
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  }
  const server = createServer({
    ...http, ...always, ...certificates.fallback(),
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: handshakeMs,
    SNICallback: (name, answer) => { answer(null, certificates.contextFor(name)) },
  })
  certificates.onChange(() => { server.setSecureContext({ ...always, ...certificates.fallback() }) })

  // Node's own listener hands failed handshakes over as clients whose HTTP is malformed, to be answered in plain text.
  server.removeAllListeners('tlsClientError')
  server.on('tlsClientError', (_error: Error, socket: TLSSocket) => { socket.destroy() })
  limitHandshakes(server, handshakeMs)
  return server
}

/** Node's own timeout begins anew with whatever the client sends. */
function limitHandshakes(server: Server, handshakeMs: number): void {
  const begun = new Map<string, () => void>()

  server.on('connection', (socket: Socket) => {
    const id = connectionOf(socket)
    const timer = setTimeout(() => socket.destroy(), handshakeMs).unref()
    const over = (): void => {
      clearTimeout(timer)
      begun.delete(id)
    }
    begun.set(id, over)
    socket.once('close', over)
    socket.unref() // it is no reason for a process that ends to wait
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    begun.get(connectionOf(socket))?.()
    socket.ref()
  })
}

/** The same for a connection and for the TLS on it, which Node does not tell apart in public. */
function connectionOf({ localAddress, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${remoteAddress} ${remotePort}`
}
