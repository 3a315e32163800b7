/** L15: a gateway is ready soon, whatever else is down, and ends properly. The figures are printed, since they depend on the machine. */
import { readFileSync } from 'node:fs'
import t from 'tap'

import { lengthOf, tellFigure } from '../helpers/figure.js'
import { freePort } from '../helpers/gateway.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { newVisitor } from '../helpers/visitor.js'

const boots = lengthOf('BOOTS', 10)
const stopWithinMs = 3_000

/** Milliseconds that the process has had of a processor so far; 0 where the system does not say. */
function processorMs(pid: number): number {
  try {
    const [user = 0, system = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(13, 15).map(Number)
    return (user + system) * 10
  } catch {
    return 0
  }
}

function spread(figures: readonly number[]): string {
  const sorted = [...figures].sort((a, b) => a - b)
  return [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].map(figure => Math.round(figure ?? 0)).join(' / ')
}

t.test(`L15 ${boots} boots with upstream and sign-in provider down: each is ready, and gone with exit code 0`, async t => {
  const nowhere = `http://127.0.0.1:${await freePort()}`
  const provider = {
    id: 'down', provider: 'generic', client_id: 'oathgate', client_secret: 'kept-at-home', issuer_url: nowhere, claims: { username: 'sub' },
  }
  const gateway = await startGatewayProcess(t, {
    config: {
      authenticators: { anonymous: { enabled: true } }, authorizers: { allow: { enabled: true } }, mutators: { noop: { enabled: true } },
      selfservice: { strategies: { oidc: { enabled: true, config: { providers: [provider] } } } },
    },
    rules: [{
      id: 'down', upstream: { url: nowhere }, match: { url: '<https?://[^/]+>/app', methods: ['GET'] },
      authenticators: [{ handler: 'anonymous' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
    }],
  })
  t.equal((await newVisitor().fetch(`${gateway.url}/app`)).status, 502, 'the upstream is down')

  const readyMs: number[] = []
  const cpuMs: number[] = []
  const goneMs: number[] = []
  const codes: (number | null)[] = []
  for (let boot = 0; boot < boots; boot++) {
    const told = performance.now()
    codes.push(await gateway.kill('SIGTERM'))
    goneMs.push(performance.now() - told)
    const from = performance.now()
    await gateway.start()
    readyMs.push(performance.now() - from)
    cpuMs.push(processorMs(gateway.pid))
  }
  t.comment(`of the time until it is ready, a processor worked ${spread(cpuMs)} ms`)
  tellFigure(t, 'L15', `${boots} boots with upstream and sign-in provider down`, `ready after ${spread(readyMs)} ms (least / median / most), gone ${spread(goneMs)} ms after SIGTERM`)
  t.strictSame([...new Set(codes)], [0], 'exit codes')
  t.ok(Math.max(...goneMs) < stopWithinMs, 'with nothing in flight it does not linger')
})
