/** What is measured for which goal: subjects are started, take turns, and end as ratios. */
import { Redis } from 'ioredis'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

import { interleave, runLoad, saturate } from './bench.mjs'
import { ratioOf } from './figures.mjs'
import { startGateway } from './gateway.mjs'
import { signUp } from './load/visitor.mjs'
import { cacheFolder, findProgram } from './machine.mjs'
import { startHaproxy } from './peers/haproxy.mjs'
import { startNginxAuthRequest, startNginxProxy } from './peers/nginx.mjs'
import { missingOry, startOry } from './peers/ory.mjs'
import { freePort, residentBytes, startProgram } from './processes.mjs'

/**
 * @typedef {import('./bench.mjs').Bench} Bench
 * @typedef {import('./bench.mjs').Run} Run
 * @typedef {import('./bench.mjs').Subject} Subject
 * @typedef {import('./figures.mjs').Ratio} Ratio
 * @typedef {Ratio | string} Outcome A ratio, or why there is none.
 * @typedef {Record<string, Outcome>} Outcomes By the goal's id.
 *
 * @typedef {object} Scenario
 * @property {string} name
 * @property {readonly string[]} goals
 * @property {boolean} [long] Only when asked for.
 * @property {(bench: Bench) => Promise<Outcomes>} measure
 */

/** @type {readonly Scenario[]} */
export const scenarios = [
  { name: 'plain', goals: ['plain-small', 'plain-64k', 'plain-logged'], measure: measurePlain },
  { name: 'session', goals: ['session-own', 'session-peer', 'session-ory'], measure: measureSession },
  { name: 'rules', goals: ['rules', 'rules-in-use'], measure: measureRules },
  { name: 'latency', goals: ['latency-p50', 'latency-p99'], measure: measureLatency },
  { name: 'sign-ups', goals: ['flood-p99', 'flood-own', 'sign-ups'], measure: measureSignUps },
  { name: 'two-processes', goals: ['two-processes'], measure: measureTwoProcesses },
  { name: 'steps', goals: [], long: true, measure: measureSteps },
  { name: 'memory', goals: ['memory'], long: true, measure: measureMemory },
]

const ours = 'oathgate'
const before = 'oathgate before'
const bare = 'our client alone'
const noNginx = 'nginx is missing'

/** What browsers send with a page of a site they are logged in to. */
const browserHeaders = {
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Accept': 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'Accept-Language': 'en-US,en;q=0.5',
  'Accept-Encoding': 'gzip, deflate, br, zstd', 'Sec-Fetch-Dest': 'document', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Site': 'same-origin',
  'Upgrade-Insecure-Requests': '1',
}

/** @param {Bench} bench @returns {Promise<Outcomes>} */
async function measurePlain(bench) {
  const proxies = [...await gateways(bench), ...await plainPeers(bench)]
  const small = await interleave(bench, 'plain, small', aimed(proxies, '/plain/small'), saturate(bench))
  const large = await interleave(bench, 'plain, 64 KiB', aimed(proxies.filter(({ name }) => !/undici|alone/.test(name)), '/plain/64k'), saturate(bench))
  await stopAll(proxies)

  const logging = [...await gateways(bench, { logging: true }), ...findProgram('nginx') ? [{ name: 'nginx', ...await startNginxProxy(bench, true) }] : []]
  const logged = await interleave(bench, 'plain, small, a log line per request', aimed(logging, '/plain/small'), saturate(bench))
  await stopAll(logging)
  return {
    'plain-small': rateRatio(small, ours, 'nginx') ?? noNginx, 'plain-64k': rateRatio(large, ours, 'nginx') ?? noNginx,
    'plain-logged': rateRatio(logged, ours, 'nginx') ?? noNginx,
  }
}

/** @param {Bench} bench @returns {Promise<Outcomes>} */
async function measureSession(bench) {
  if (bench.redisPort === undefined) return { 'session-own': noRedis, 'session-peer': noRedis, 'session-ory': noRedis }
  const [gateway, ...others] = await gateways(bench)
  const cookie = await signUp(gateway)
  const headers = { ...browserHeaders, Cookie: cookie }
  const peers = findProgram('nginx') ? [await authRequestPeer(bench, bench.redisPort, cookie)] : []
  const noOry = missingOry()
  const ory = noOry === undefined ? [{ name: oryName, ...await startOry(bench) }] : []
  const subjects = [
    ...aimed([{ ...gateway, name: `${ours}, plain` }], '/plain/small', headers),
    ...aimed([gateway, ...others], '/private/small', headers), ...aimed(peers, '/private/small', headers),
    ...ory.flatMap(peer => aimed([peer], '/private/small', { ...browserHeaders, Cookie: peer.cookie })),
  ]
  const runs = await interleave(bench, 'session', subjects, saturate(bench))
  await stopAll([gateway, ...others, ...peers, ...ory])
  return {
    'session-own': rateRatio(runs, ours, `${ours}, plain`) ?? 'no runs',
    'session-peer': rateRatio(runs, ours, peerName) ?? noNginx,
    'session-ory': noOry ?? rateRatio(runs, ours, oryName) ?? 'no runs',
  }
}

/** @param {Bench} bench @returns {Promise<Outcomes>} */
async function measureRules(bench) {
  const few = await startGateway(bench, { name: 'ten-rules', ruleCount: 10 })
  const many = await startGateway(bench, { name: 'ten-thousand-rules', ruleCount: 10_000 })
  const pathsOf = (/** @type {number} */ count) => Array.from({ length: count }, (_, at) => `/service-${at * 7919 % count}/small`)
  const runs = await interleave(bench, 'rules', [
    { name: '10 rules', port: few.port, programs: [few.program], paths: pathsOf(10) },
    { name: '10,000 rules', port: many.port, programs: [many.program], paths: pathsOf(10_000) },
    { name: '10,000 rules, ten in use', port: many.port, programs: [many.program], paths: pathsOf(10_000).slice(0, 10) },
  ], saturate(bench))
  await stopAll([few, many])
  return {
    'rules': rateRatio(runs, '10,000 rules', '10 rules') ?? 'no runs',
    'rules-in-use': rateRatio(runs, '10,000 rules, ten in use', '10 rules') ?? 'no runs',
  }
}

/** @param {Bench} bench @returns {Promise<Outcomes>} */
async function measureLatency(bench) {
  const proxies = [...await gateways(bench), ...findProgram('nginx') ? [{ name: 'nginx', ...await startNginxProxy(bench) }] : []]
  const direct = { name: 'no proxy', port: bench.upstreamPort, programs: [], paths: ['/plain/small'] }
  const runs = await interleave(bench, 'latency at 2,000 req/s', [direct, ...aimed(proxies, '/plain/small')], constantRate(bench, 2000))
  await stopAll(proxies)
  const added = (/** @type {string} */ name, /** @type {'p50' | 'p99'} */ key) => (
    runs[name]?.map((run, round) => (run[key] ?? NaN) - (runs['no proxy']?.[round]?.[key] ?? NaN)) ?? []
  )
  if (runs.nginx === undefined) return { 'latency-p50': noNginx, 'latency-p99': noNginx }
  return {
    'latency-p50': ratioOf(added(ours, 'p50'), added('nginx', 'p50')), 'latency-p99': ratioOf(added(ours, 'p99'), added('nginx', 'p99')),
  }
}

/**
 * Everything on every core: hashing has one of its own (cores minus one), and a process that is pinned to a single core has none
 * to give.
 * @param {Bench} bench @returns {Promise<Outcomes>}
 */
async function measureSignUps(bench) {
  const everywhere = bench.cores === undefined ? undefined : `0-${availableParallelism() - 1}`
  const gateway = await startGateway(bench, { name: 'sign-ups', ...everywhere === undefined ? {} : { cores: everywhere } })
  const subject = { port: gateway.port, programs: [gateway.program], paths: ['/plain/small'] }
  /** @type {number[]} */
  const rates = []
  /** @type {number[]} */
  const alone = []

  const load = constantRate(bench, 500, everywhere)
  const subjects = ['idle', 'flooded', 'beside argon2 alone'].map(name => ({ name, ...subject }))
  const runs = await interleave(bench, 'proxied requests at 500 req/s', subjects, async (aim, seconds) => {
    if (aim.name === 'idle') {
      alone.push((await runLoad(bench, 'argon2-alone.mjs', seconds, everywhere)).perSecond)
      return load(aim, seconds)
    }
    if (aim.name === 'beside argon2 alone') {
      const [result] = await Promise.all([load(aim, seconds), runLoad(bench, 'argon2-alone.mjs', seconds + 2, everywhere)])
      return result
    }
    const { publicUrl, adminUrl } = gateway
    const flood = runLoad(bench, 'sign-ups.mjs', { publicUrl, adminUrl, lanes: 8, seconds: seconds + 2 }, everywhere)
    const [result, signUps] = await Promise.all([load(aim, seconds), flood])
    // On a machine that is full one may wait for longer than a request may, and is told so; more than that is no measurement.
    if (signUps.failures > signUps.done / 50) throw new Error(`${signUps.failures} sign-ups failed, the last with ${signUps.reason}`)
    if (signUps.failures > 0) console.error(`${signUps.failures} of ${signUps.done} sign-ups failed, the last with ${signUps.reason}`)
    return result
  })
  for (let round = 0; round < bench.rounds; round++) {
    rates.push((await runLoad(bench, 'sign-ups.mjs', { publicUrl: gateway.publicUrl, adminUrl: gateway.adminUrl, lanes: 8, seconds: bench.seconds }, everywhere)).perSecond)
  }
  await stopAll([gateway])
  const measured = alone.slice(-bench.rounds) // without those of warming up
  bench.series.push(signUpSeries('sign-ups', rates), signUpSeries('argon2 alone', measured))
  return { 'flood-p99': latencyRatio(runs, 'flooded', 'idle'), 'flood-own': latencyRatio(runs, 'flooded', 'beside argon2 alone'), 'sign-ups': ratioOf(rates, measured) }
}

/** @param {Bench} bench @returns {Promise<Outcomes>} */
async function measureTwoProcesses(bench) {
  if (availableParallelism() < 4) return { 'two-processes': `needs 4 cores, two for the load; this machine has ${availableParallelism()}` }
  if (bench.redisPort === undefined) return { 'two-processes': noRedis }
  const [first, second] = [await startGateway(bench, { name: 'first', cores: '0' }), await startGateway(bench, { name: 'second', cores: '1' })]
  const load = saturate({ ...bench, cores: { proxy: '0', load: `2-${availableParallelism() - 1}` } })
  const one = { name: 'one process', port: first.port, programs: [first.program], paths: ['/plain/small'] }
  const both = { ...one, name: 'two processes', programs: [first.program, second.program] }
  const runs = await interleave(bench, 'two processes', [one, both], async (subject, seconds) => {
    if (subject === one) return load(subject, seconds)
    const [here, there] = await Promise.all([load(subject, seconds), load({ ...subject, port: second.port }, seconds)])
    return {
      requests: here.requests + there.requests, requestsPerSecond: here.requestsPerSecond + there.requestsPerSecond,
      failures: here.failures + there.failures,
    }
  })
  await stopAll([first, second])
  return { 'two-processes': rateRatio(runs, 'two processes', 'one process') ?? 'no runs' }
}

/**
 * This gateway and the one of `--against`, and nothing else: for judging one change.
 * @param {Bench} bench @returns {Promise<Outcomes>}
 */
async function measureSteps(bench) {
  if (bench.against === undefined) throw new Error('steps need --against FOLDER')
  const proxies = await gateways(bench, { logging: true })
  const [own] = proxies
  const headers = bench.redisPort === undefined ? {} : { ...browserHeaders, Cookie: await signUp(own) }
  const outcomes = {
    'step-small': await interleave(bench, 'plain, small', aimed(proxies, '/plain/small'), saturate(bench)),
    'step-large': await interleave(bench, 'plain, 64 KiB', aimed(proxies, '/plain/64k'), saturate(bench)),
    'step-closing-upstream': await interleave(bench, 'small, the upstream hangs up', aimed(proxies, '/plain/close'), saturate(bench)),
    'step-closing-client': await interleave(bench, 'small, the client hangs up', aimed(proxies, '/plain/small', { Connection: 'close' }), saturate(bench)),
    ...bench.redisPort === undefined ? {} : {
      'step-session': await interleave(bench, 'session', aimed(proxies, '/private/small', headers), saturate(bench)),
    },
  }
  await stopAll(proxies)
  return Object.fromEntries(Object.entries(outcomes).map(([id, runs]) => [id, rateRatio(runs, ours, before) ?? 'no runs']))
}

/** @param {Bench} bench @returns {Promise<Outcomes>} */
async function measureMemory(bench) {
  const gateway = await startGateway(bench, { name: 'memory' })
  const load = saturate(bench)
  const subject = { name: ours, port: gateway.port, programs: [gateway.program], paths: ['/plain/small'] }
  const memoryAfter = async (/** @type {number} */ wanted, /** @type {number} */ done) => {
    while (done < wanted) done += (await load(subject, 2)).requests
    return { done, bytes: residentBytes(gateway.program.pid) }
  }
  const early = await memoryAfter(200_000, 0)
  const late = await memoryAfter(1_000_000, early.done)
  await stopAll([gateway])
  return { memory: early.bytes === undefined || late.bytes === undefined ? 'only measured on Linux' : ratioOf([late.bytes], [early.bytes]) }
}

/** @typedef {{ name: string, port: number, program: import('./processes.mjs').Program, others?: import('./processes.mjs').Program[] }} Proxy */
/** @typedef {import('./gateway.mjs').Gateway & { name: string }} NamedGateway */

/**
 * This gateway, and the one of `--against`.
 * @param {Bench} bench @param {{ logging?: boolean }} [options]
 * @returns {Promise<[NamedGateway, ...NamedGateway[]]>}
 */
async function gateways(bench, options = {}) {
  const suffix = options.logging ? '-logging' : ''
  const nodeOptions = [...bench.nodeOptions]
  const own = { ...await startGateway(bench, { name: `oathgate${suffix}`, nodeOptions, ...options }), name: ours }
  if (bench.against === undefined) return [own]
  return [own, { ...await startGateway(bench, { name: `oathgate-before${suffix}`, nodeOptions, checkout: bench.against, ...options }), name: before }]
}

/** @param {Bench} bench @returns {Promise<Proxy[]>} */
async function plainPeers(bench) {
  /** @type {Proxy[]} */
  const peers = []
  if (findProgram('nginx')) peers.push({ name: 'nginx', ...await startNginxProxy(bench) })
  if (findProgram('haproxy')) peers.push({ name: 'haproxy', ...await startHaproxy(bench) })
  peers.push(await nodePeer(bench, 'undici alone', 'bare-undici.mjs'))
  peers.push(await nodePeer(bench, bare, 'bare-client.mjs'), await nodePeer(bench, `${bare}, 10 µs busier`, 'bare-client.mjs', '10'))
  const folder = cacheFolder('reply-from')
  if (existsSync(join(folder, 'node_modules/@fastify/reply-from'))) {
    peers.push(await nodePeer(bench, 'fastify', 'reply-from.mjs', folder))
  }
  return peers
}

/** @param {Bench} bench @param {string} name @param {string} file @param {string[]} more @returns {Promise<Proxy>} */
async function nodePeer(bench, name, file, ...more) {
  const port = await freePort()
  const command = [bench.node, join(import.meta.dirname, 'peers', file), String(port), String(bench.upstreamPort), ...more]
  return { name, port, program: await startProgram({ name, command, cores: bench.cores?.proxy, port, log: join(bench.folder, `${file}.log`) }) }
}

const peerName = 'nginx + auth_request + service'
const oryName = 'oathkeeper + kratos'
const noRedis = 'redis-server is missing'

/** @param {Bench} bench @param {number} redisPort @param {string} cookie @returns {Promise<Proxy>} */
async function authRequestPeer(bench, redisPort, cookie) {
  const redis = new Redis({ port: redisPort, host: '127.0.0.1' })
  const token = /ory_kratos_session=([^;]+)/.exec(cookie)?.[1]
  await redis.set(`bench:session:${token}`, JSON.stringify({ id: '3fa85f64-5717-4562-b3fc-2c963f66afa6', email: 'ada@example.org' }))
  redis.disconnect()

  const port = await freePort()
  const command = [bench.node, join(import.meta.dirname, 'peers/session-service.mjs'), String(port), String(redisPort)]
  const service = await startProgram({ name: 'session service', command, cores: bench.cores?.proxy, port, log: join(bench.folder, 'session-service.log') })
  return { name: peerName, ...await startNginxAuthRequest(bench, port), others: [service] }
}

/** @param {readonly Proxy[]} proxies @param {string} path @param {Readonly<Record<string, string>>} headers @returns {Subject[]} */
function aimed(proxies, path, headers = {}) {
  return proxies.map(({ name, port, program, others = [] }) => ({ name, port, programs: [program, ...others], paths: [path], headers }))
}

/** @param {readonly { program: import('./processes.mjs').Program, others?: import('./processes.mjs').Program[] }[]} proxies */
async function stopAll(proxies) {
  await Promise.all(proxies.flatMap(({ program, others = [] }) => [program, ...others]).map(program => program.stop()))
}

/** @param {Bench} bench @param {number} rate @param {string} [cores] @returns {(subject: Subject, seconds: number) => Promise<import('./figures.mjs').LoadResult>} */
function constantRate(bench, rate, cores) {
  return ({ port, paths: [path], headers = {} }, seconds) => runLoad(bench, 'constant-rate.mjs', { port, path, headers, rate, seconds, warmupSeconds: 1 }, cores)
}

/** @param {Record<string, Run[]>} runs @param {string} one @param {string} other */
function rateRatio(runs, one, other) {
  const [a, b] = [runs[one], runs[other]]
  if (a === undefined || b === undefined) return undefined
  const cpu = (/** @type {Run} */ run) => run.cpuMicros ?? NaN
  return { ...ratioOf(a.map(run => run.requestsPerSecond), b.map(run => run.requestsPerSecond)), byCpu: ratioOf(b.map(cpu), a.map(cpu)).median }
}

/** @param {Record<string, Run[]>} runs @param {string} one @param {string} other */
function latencyRatio(runs, one, other) {
  const p99 = (/** @type {Run[] | undefined} */ list) => (list ?? []).map(run => run.p99 ?? NaN)
  return ratioOf(p99(runs[one]), p99(runs[other]))
}

/** @param {string} subject @param {readonly number[]} rates @returns {import('./bench.mjs').Series} */
function signUpSeries(subject, rates) {
  return { scenario: 'sign-ups per second', subject, runs: rates.map(requestsPerSecond => ({ requestsPerSecond, requests: 0, failures: 0 })) }
}
