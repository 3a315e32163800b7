/**
 * L1, L2, L16, A14: whoever was told that they are signed up can log in afterwards, whatever was killed while they signed up.
 * `KILL_ROUNDS=10` makes a long run of it.
 */
import t, { type Test } from 'tap'

import { lengthOf, tellFigure } from '../helpers/figure.js'
import { logIn } from '../helpers/flows.js'
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js'
import { redisSkip, startRedis } from '../helpers/redis.js'
import { signUpCrowd } from '../helpers/sign-up-crowd.js'
import { newVisitor } from '../helpers/visitor.js'

const rounds = lengthOf('KILL_ROUNDS', 3)
const clients = 8
const killAfter = 12

/** Signs people up, kills in the middle of it, brings all back, and sees who of those that were told of success can log in. */
async function killRounds(t: Test, [promise, what]: readonly [promise: string, what: string], gateway: GatewayProcess, kill: () => Promise<void>): Promise<void> {
  const total = { signedUp: 0, lost: 0 }
  for (let round = 1; round <= rounds; round++) {
    const signedUp: string[] = []
    let enough: () => void = () => undefined
    const busy = new Promise<void>(resolve => { enough = resolve })
    const crowd = signUpCrowd(gateway, `r${round}`, username => {
      signedUp.push(username)
      if (signedUp.length === killAfter) enough()
    }, clients)
    await busy
    await kill()
    await crowd.stop()

    const lost: string[] = []
    for (const username of signedUp) {
      const visitor = newVisitor()
      await logIn(visitor, gateway, username)
      if (!visitor.jar.has('ory_kratos_session')) lost.push(username)
    }
    t.strictSame(lost, [], `round ${round}: ${signedUp.length} sign-ups were acknowledged, all of them can log in`)
    total.signedUp += signedUp.length
    total.lost += lost.length
  }
  tellFigure(t, promise, `${rounds} times kill -9 of ${what}, while ${clients} people sign up`, `${total.lost} of ${total.signedUp} acknowledged sign-ups lost`)
}

t.test('L1 L16 kill -9 of the gateway on the embedded store loses no acknowledged sign-up', async t => {
  const gateway = await startGatewayProcess(t)
  await killRounds(t, ['L16', 'the gateway on a folder'], gateway, async () => {
    await gateway.kill('SIGKILL')
    await gateway.start()
  })
})

t.test('L1 kill -9 of the gateway on Redis loses no acknowledged sign-up', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const gateway = await startGatewayProcess(t, { config: { dsn: redis.url, secrets: { session: ['0123456789abcdef0123456789abcdef'] } } })
  await killRounds(t, ['L1', 'the gateway on Redis'], gateway, async () => {
    await gateway.kill('SIGKILL')
    await gateway.start()
  })
})

t.test('L2 kill -9 of Redis with an append-only file loses no acknowledged sign-up', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const gateway = await startGatewayProcess(t, { config: { dsn: redis.url, secrets: { session: ['0123456789abcdef0123456789abcdef'] } } })
  await killRounds(t, ['L2', 'Redis'], gateway, async () => {
    await redis.kill('SIGKILL')
    await redis.restart()
    // The crowd goes on meanwhile: the gateway comes back by itself.
    const deadline = performance.now() + 10_000
    while ((await fetch(`${gateway.adminUrl}/health/ready`)).status !== 200) {
      if (performance.now() > deadline) throw new Error('the gateway did not come back')
      await new Promise(resolve => { setTimeout(resolve, 50) })
    }
  })
})
