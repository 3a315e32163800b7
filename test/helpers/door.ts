/** An address that leads to one server and later to another, as a virtual IP or a DNS name does. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface Door {
  readonly port: number
  /** Where connections go that are made from now on; others stay where they are. */
  lead(port: number): void
}

/** Opens one that leads to that port of 127.0.0.1. */
export async function startDoor(t: Test, port: number): Promise<Door> {
  let leadsTo = port
  const open = new Set<Socket>()
  const server = createServer(near => {
    const far = connect(leadsTo, '127.0.0.1')
    for (const [from, to] of [[near, far], [far, near]] as const) {
      open.add(from)
      from.on('error', () => undefined).on('close', () => {
        open.delete(from)
        to.destroy()
      }).pipe(to)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, lead(to) { leadsTo = to } }
}
