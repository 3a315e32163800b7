/** `npm run bench`: measures the gateway beside its peers, prints where it stands against its goals, and keeps the figures in a file. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'

import { buildGateway, gatewayBuilt, root } from '../demo/prepare.mjs'
import { goals, steps } from './goals.mjs'
import { cacheFolder, chooseCores, chooseNode, describeMachine, findProgram } from './machine.mjs'
import { smallAnswer, startNginxUpstream } from './peers/nginx.mjs'
import { startRedis } from './peers/redis.mjs'
import { freePort, startProgram, useNiceness } from './processes.mjs'
import { reportText } from './report.mjs'
import { scenarios } from './scenarios.mjs'

const usage = `npm run bench -- [options]
  --quick            two short rounds, to see that everything works; not to be quoted
  --long             memory over a million requests, too
  --only NAME,...    of ${scenarios.map(({ name }) => name).join(', ')}
  --rounds N         repetitions (7)
  --seconds N        of one measurement (3)
  --node MAJOR       a Node of this version runs what is measured, 24 for the goals; npm fetches it once
  --against FOLDER   another checkout, with its own dist/, is measured beside this one
  --compare FILE     the JSON file of an earlier run, shown beside this one
  --json FILE        where the figures of this run go (bench/last-run.json)
  --proxy-cores LIST, --load-cores LIST   as taskset takes them; default 0 and the rest
  --nice=N           priority of everything that is started; -20, as root, on a machine that others use, too
  --cpu-prof         the gateway leaves CPU profiles in bench/profiles`

const { values } = parseArgs({
  options: {
    'quick': { type: 'boolean', default: false }, 'long': { type: 'boolean', default: false }, 'only': { type: 'string' },
    'rounds': { type: 'string' }, 'seconds': { type: 'string' }, 'node': { type: 'string' }, 'against': { type: 'string' },
    'compare': { type: 'string' }, 'json': { type: 'string', default: join(import.meta.dirname, 'last-run.json') },
    'proxy-cores': { type: 'string' }, 'load-cores': { type: 'string' }, 'cpu-prof': { type: 'boolean', default: false }, 'nice': { type: 'string' },
    'help': { type: 'boolean', short: 'h', default: false },
  },
})

if (values.help) console.log(usage)
else await run()

async function run() {
  const earlier = values.compare === undefined ? undefined : JSON.parse(readFileSync(values.compare, 'utf8'))
  const chosen = chosenScenarios()
  if (!gatewayBuilt() && !buildGateway()) throw new Error('The gateway does not compile.')

  const folder = mkdtempSync(join(tmpdir(), 'oathgate-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  useNiceness(values.nice)
  const bench = await prepare(folder)
  const machine = describeMachine(bench.node, bench.cores)
  console.log(Object.entries(machine).map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`).join('\n'))

  /** @type {import('./scenarios.mjs').Outcomes} */
  const outcomes = {}
  for (const scenario of chosen) Object.assign(outcomes, await scenario.measure(bench))

  const { rounds, seconds, series } = bench
  const results = { at: new Date().toISOString(), machine, settings: { rounds, seconds }, missing: Object.fromEntries(bench.missing), outcomes, series }
  writeFileSync(values.json, `${JSON.stringify(results, undefined, 1)}\n`)
  console.log(`\n${reportText(results, [...goals, ...steps], earlier)}\n\nFigures: ${values.json}`)
  process.exit()
}

function chosenScenarios() {
  const names = values.only?.split(',')
  const unknown = names?.filter(name => !scenarios.some(scenario => scenario.name === name)) ?? []
  if (unknown.length > 0) throw new Error(`--only does not know ${unknown.join(', ')}\n${usage}`)
  return scenarios.filter(({ name, long = false }) => names?.includes(name) ?? (!long || (values.long && name !== 'steps')))
}

/** @param {string} folder @returns {Promise<import('./bench.mjs').Bench>} */
async function prepare(folder) {
  /** @type {import('./bench.mjs').Bench} */
  const bench = {
    folder, node: chooseNode(values.node), cores: chooseCores(values['proxy-cores'], values['load-cores']),
    rounds: Number(values.rounds ?? (values.quick ? 2 : 7)), seconds: Number(values.seconds ?? (values.quick ? 1 : 3)),
    against: values.against === undefined ? undefined : resolve(values.against),
    nodeOptions: values['cpu-prof'] ? ['--cpu-prof', `--cpu-prof-dir=${join(import.meta.dirname, 'profiles')}`] : [],
    missing: missingPeers(), series: [], upstreamPort: 0, redisPort: undefined,
  }
  bench.upstreamPort = findProgram('nginx') ? await startNginxUpstream(bench) : await startNodeUpstream(bench)
  if (findProgram('redis-server')) bench.redisPort = await startRedis(bench)
  return bench
}

function missingPeers() {
  const programs = { 'wrk': 'wrk', 'nginx': 'nginx', 'haproxy': 'haproxy', 'redis-server': 'redis-server' }
  /** @type {Map<string, string>} */
  const missing = new Map()
  for (const [program, name] of Object.entries(programs)) {
    if (findProgram(program) === undefined) missing.set(program, `apt-get install ${name}`)
  }
  if (findProgram('taskset') === undefined) missing.set('taskset', 'apt-get install util-linux; nothing is pinned without it')
  const fastify = cacheFolder('reply-from')
  if (!existsSync(fastify)) missing.set('fastify with reply-from', `npm install --prefix ${relative(root, fastify)} fastify@5.12.8 @fastify/reply-from@12.6.5`)
  for (const [program, file] of [['oathkeeper', 'its archive'], ['kratos', 'the archive with sqlite in its name']]) {
    const how = `${file} from github.com/ory/${program}/releases, unpacked into a folder of the PATH; bench/README.md on building it`
    if (findProgram(String(program)) === undefined) missing.set(String(program), how)
  }
  return missing
}

/** @param {import('./bench.mjs').Bench} bench */
async function startNodeUpstream({ node, folder, cores }) {
  const port = await freePort()
  const command = [node, join(import.meta.dirname, 'peers/upstream.mjs'), String(port), smallAnswer]
  await startProgram({ name: 'upstream', command, cores: cores?.load, port, log: join(folder, 'upstream.log') })
  return port
}
