/**
 * Whether time tells new identifiers from taken ones where accounts are hidden (security A2): sign-ups of both kinds, each
 * measured from submit to answer, in random order, and what a rank test makes of them. Usage: enumeration.mjs [pairs]
 */
import { randomBytes, randomInt, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'

import { buildGateway, gatewayBuilt, root } from '../demo/prepare.mjs'
import { percentile } from './figures.mjs'
import { openForm, submitForm } from './load/visitor.mjs'
import { freePort, startProgram } from './processes.mjs'

const pairs = Number(process.argv[2] ?? 200)
if (!gatewayBuilt() && !buildGateway()) throw new Error('The gateway does not compile.')
const folder = mkdtempSync(join(tmpdir(), 'oathgate-enumeration-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

const [port, adminPort] = [await freePort(), await freePort()]
const url = `http://127.0.0.1:${port}`
const gateway = { publicUrl: `${url}/.ory/kratos/public`, adminUrl: `http://127.0.0.1:${adminPort}` }
writeFileSync(join(folder, 'oathgate.json'), JSON.stringify({
  dsn: `embedded://${folder}/data`,
  serve: { public: { host: '127.0.0.1', port }, admin: { host: '127.0.0.1', port: adminPort } },
  urls: {
    self: { public: gateway.publicUrl, admin: gateway.adminUrl },
    registration_ui: `${url}/registration`, login_ui: `${url}/login`, error_ui: `${url}/error`, default_return_to: `${url}/`,
  },
  identity: { traits: { default_schema_url: `file://${root}/config/identity.schema.json` } },
  selfservice: {
    registration: { after: { password: [{ run: 'redirect', config: { default_redirect_url: `${url}/look-into-your-mail` } }] } },
    logout: { redirect_to: `${url}/` },
  },
  security: { rate_limits: { enabled: false }, account_enumeration: { mitigate: true } },
  access_rules: { repositories: [] },
  log: { level: 'warn' },
}))
const program = await startProgram({
  name: 'oathgate', cores: undefined, port, log: join(folder, 'output.log'), env: { NODE_ENV: 'development' },
  command: [process.execPath, join(root, 'dist/main.js'), 'serve', '-c', join(folder, 'oathgate.json')],
})

/**
 * A machine that is too busy answers 503; that sign-up is tried again.
 * @param {string} email @returns {Promise<number>}
 */
async function timeOf(email) {
  const form = await openForm(gateway)
  const began = performance.now()
  const { status } = await submitForm(form, { 'password': randomBytes(18).toString('base64url'), 'traits.email': email })
  if (status === 503) return timeOf(email)
  if (status !== 302) throw new Error(`a sign-up was answered with ${status}`)
  return performance.now() - began
}

const known = `${randomUUID()}@example.org`
for (let warmUp = 0; warmUp < 10; warmUp++) await timeOf(warmUp === 0 ? known : `${randomUUID()}@example.org`)

/** @type {{ fresh: number[], taken: number[] }} */
const took = { fresh: [], taken: [] }
for (let pair = 0; pair < pairs; pair++) {
  const order = randomInt(2) === 0 ? /** @type {const} */ (['fresh', 'taken']) : /** @type {const} */ (['taken', 'fresh'])
  for (const kind of order) took[kind].push(await timeOf(kind === 'taken' ? known : `${randomUUID()}@example.org`))
}
await program.stop()

for (const [kind, times] of Object.entries(took)) {
  const sorted = Float64Array.from(times).sort()
  console.log(`${kind}: median ${percentile(sorted, 50).toFixed(2)} ms, p5 ${percentile(sorted, 5).toFixed(2)}, p95 ${percentile(sorted, 95).toFixed(2)}`)
}
const { share, z } = rankTest(took.taken, took.fresh)
console.log(`a taken identifier is answered sooner than a new one in ${(100 * share).toFixed(1)} % of ${pairs ** 2} comparisons (50 % says nothing); z = ${z.toFixed(2)}`)
console.log(Math.abs(z) < 3.3 ? `${pairs} pairs tell no difference` : `${pairs} pairs tell them apart (p < 0.001)`)

/**
 * Mann and Whitney's test without ties: how often a value of the one is below a value of the other, and how many standard deviations that is from half.
 * @param {readonly number[]} one @param {readonly number[]} other
 */
function rankTest(one, other) {
  const below = one.reduce((count, value) => count + other.filter(compared => value < compared).length, 0)
  const comparisons = one.length * other.length
  const deviation = Math.sqrt(comparisons * (one.length + other.length + 1) / 12)
  return { share: below / comparisons, z: (below - comparisons / 2) / deviation }
}
