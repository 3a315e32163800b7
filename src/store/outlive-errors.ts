/** Errors of Redis clients are told to whoever asked, and never end the process. */
import type { Redis } from 'ioredis'

/**
 * To be called with each new client; returns it. Without a listener ioredis prints to stderr. And it listens for one error of a
 * connection, while Node may tell two of one that speaks TLS: that the certificate is not believed, and then what the server says
 * of the handshake that breaks off. Nobody listening, the second would end the process.
 */
export function outliveErrors(client: Redis): Redis {
  return client.on('error', () => {
    const stream = client.stream as Redis['stream'] | undefined // absent before the first connection
    if (stream?.listeners('error').includes(ignore) === false) stream.on('error', ignore)
  })
}

function ignore(): void {
  // what it was about has been told already
}
