/** People who sign up one after the other while something breaks. */
import { goodPassword, open, type GatewayAddress } from './flows.js'
import { newVisitor } from './visitor.js'

/** Clients that sign up one person after the other until told to stop; calls `onSuccess` with everybody who was told of success. */
export function signUpCrowd(gateway: GatewayAddress, name: string, onSuccess: (username: string) => void, clients = 8): { stop(): Promise<void> } {
  let stopped = false
  const crowd = Array.from({ length: clients }, async (_, client) => {
    for (let count = 0; !stopped; count++) {
      const username = `${name}-c${client}-n${count}`
      const visitor = newVisitor()
      try {
        const { action, csrf } = await open(visitor, gateway, 'registration')
        const answer = await visitor.submit(action, { csrf_token: csrf, password: goodPassword, 'traits.username': username, 'traits.foobar': 'bar' })
        if (answer.status === 302 && visitor.jar.has('ory_kratos_session')) onSuccess(username)
      } catch {
        // What was killed does not answer. Whether it did before is all that counts.
        await new Promise(resolve => { setTimeout(resolve, 20) })
      }
    }
  })
  return {
    async stop() {
      stopped = true
      await Promise.all(crowd)
    },
  }
}
