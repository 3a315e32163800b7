/** `node bench/import.mjs`: imports many people with bcrypt hashes, on the folder store and on Redis; the rate, and the most memory either side took. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { buildGateway, gatewayBuilt, root } from '../demo/prepare.mjs'
import { startGateway } from './gateway.mjs'
import { findProgram } from './machine.mjs'
import { startRedis } from './peers/redis.mjs'

const { values } = parseArgs({ options: { count: { type: 'string', default: '100000' }, concurrency: { type: 'string', default: '2' } } })
const count = Number(values.count)
const megabyte = 1_048_576

if (!gatewayBuilt() && !buildGateway()) throw new Error('The gateway does not compile.')
const folder = mkdtempSync(join(tmpdir(), 'oathgate-import-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const people = join(folder, 'people.jsonl')
await writePeople(people)

/** @type {import('./bench.mjs').Bench} */
const bench = {
  folder, node: process.execPath, cores: undefined, upstreamPort: 1, redisPort: undefined,
  rounds: 1, seconds: 1, against: undefined, nodeOptions: [], missing: new Map(), series: [],
}
console.log(`${count} people, Node ${process.versions.node}`)
await measure('embedded', bench)
if (findProgram('redis-server') === undefined) console.log('redis: redis-server is not installed')
else {
  await measure('redis', { ...bench, redisPort: await startRedis(bench) })
}
process.exit()

/** @param {string} store @param {import('./bench.mjs').Bench} bench */
async function measure(store, bench) {
  const gateway = await startGateway(bench, { name: store })
  const idle = memory(gateway.program.pid, 'VmRSS')
  const importing = spawn(process.execPath, [
    join(root, 'dist/main.js'), 'identities', 'import', people, '--format', 'json', '--concurrency', values.concurrency, '--endpoint', gateway.adminUrl,
  ], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  importing.stdout.setEncoding('utf8').on('data', text => { output += text })
  let commandPeak = 0
  const sampling = setInterval(() => { commandPeak = Math.max(commandPeak, memory(importing.pid, 'VmHWM')) }, 50)
  const [code] = await once(importing, 'close')
  clearInterval(sampling)
  if (code !== 0) throw new Error(`the import ended with ${code}: ${output}`)

  const { created, seconds, per_second: perSecond } = JSON.parse(output)
  const peak = memory(gateway.program.pid, 'VmHWM')
  console.log(`${store}: ${created} created in ${seconds} s, ${perSecond}/s; gateway ${mib(idle)} idle, ${mib(peak)} at most; command ${mib(commandPeak)} at most`)
  await gateway.program.stop()
}

/** @param {string} file */
async function writePeople(file) {
  const stream = createWriteStream(file)
  for (let at = 0; at < count; at++) {
    const document = {
      traits: { email: `person${at}@example.org`, name: { first: 'Some', last: 'Body' } },
      credentials: { password: { config: { hashed_password: `$2b$10$${bcryptText(22).slice(0, 21)}e${bcryptText(31)}` } } },
    }
    if (!stream.write(`${JSON.stringify(document)}\n`)) await once(stream, 'drain')
  }
  stream.end()
  await once(stream, 'close')
}

/** @param {number} length */
function bcryptText(length) {
  return randomBytes(length).toString('base64').replaceAll('+', '.').slice(0, length)
}

/** Bytes; 0 outside Linux. @param {number | undefined} pid @param {'VmRSS' | 'VmHWM'} what Now, or the most so far. */
function memory(pid, what) {
  const file = `/proc/${pid}/status`
  const status = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return Number(new RegExp(`^${what}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) * 1024
}

/** @param {number} bytes */
function mib(bytes) {
  return `${Math.round(bytes / megabyte)} MiB`
}
