/** What `npm run chaos`, `fuzz` and `soak` share: they run tests at their full length, and make a table of what these measured. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'

import { buildGateway, gatewayBuilt, root } from '../demo/prepare.mjs'
import { readTap } from '../test/run/tap-output.mjs'
import { chooseCores, chooseNode, describeMachine } from './machine.mjs'

/**
 * @typedef {object} Run One test file, which tells of figures.
 * @property {string} file
 * @property {readonly string[]} promises Of which it must tell.
 * @property {Readonly<Record<string, string | number>>} env How long it shall be.
 *
 * @typedef {object} Command
 * @property {string} name As npm knows it.
 * @property {string} usage The first lines of `--help`: what it does, and the options that it alone has.
 * @property {Record<string, { type: 'string' }>} options Those.
 * @property {(values: { quick: boolean, [option: string]: string | boolean | undefined }) => readonly Run[]} runs
 *
 * @typedef {{ promise: string, done: string, figure: string, holds: boolean }} Figure
 */

const shared = `  --quick          short, to see that it works; not to be quoted
  --seed N         the chance of an earlier run, which said its seed
  --only L1,...    some of the promises
  --node MAJOR     a Node of this version runs all of it; npm fetches it once
  --json FILE      where the figures of this run go`

/** Runs the command and ends the process: with 0 when all that was promised holds. */
export async function showPromises(/** @type {Command} */ { name, usage, options, runs }) {
  const { values } = parseArgs({
    options: {
      ...options, quick: { type: 'boolean', default: false }, seed: { type: 'string' }, only: { type: 'string' }, node: { type: 'string' },
      json: { type: 'string', default: join(import.meta.dirname, `last-${name}.json`) }, help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return console.log(`${usage}\n${shared}`)
  if (!gatewayBuilt() && !buildGateway()) throw new Error('The gateway does not compile.')

  const only = typeof values.only === 'string' ? values.only.split(',') : undefined
  const seed = Number(values.seed ?? Date.now() % 1_000_000)
  const node = chooseNode(typeof values.node === 'string' ? values.node : undefined)
  const { cpu, cores, node: version, redis, haproxy, load, kernel, commit } = describeMachine(node, chooseCores(undefined, undefined))
  const machine = { cpu, cores, node: version, redis, haproxy, load, kernel, commit }
  console.log([...Object.entries(machine), ['seed', seed]].map(([key, value]) => `${key}: ${value}`).join('\n'))

  /** @type {Figure[]} */
  const figures = []
  const started = performance.now()
  for (const run of runs({ ...values, quick: values.quick === true })) {
    if (only === undefined || run.promises.some(promise => only.includes(promise))) figures.push(...await measure(run, node, seed))
  }
  console.log(`\n${table(figures)}\n\n${Math.round((performance.now() - started) / 1000)} s, seed ${seed}${values.quick ? ', a quick run: not to be quoted' : ''}`)
  writeFileSync(String(values.json), `${JSON.stringify({ at: new Date().toISOString(), machine, seed, quick: values.quick, figures }, undefined, 1)}\n`)
  console.log(`Figures: ${values.json}`)
  process.exit(figures.length > 0 && figures.every(({ holds }) => holds) ? 0 : 1)
}

/**
 * A figure holds when nothing failed in the test that told it. What a file fails without telling is a figure, too.
 * @param {Run} run @param {string} node @param {number} seed
 * @returns {Promise<Figure[]>}
 */
async function measure({ file, promises, env }, node, seed) {
  console.log(`\n${file}  (${promises.join(', ')})`)
  const tap = spawn(node, [
    'node_modules/tap/dist/esm/run.mjs', 'run', '--reporter=tap', '--disable-coverage', '--allow-empty-coverage', '--timeout=0', file,
  ], {
    cwd: root, stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}`, SEED: String(seed), ...texts(env) },
  })
  stopWithUs(tap)
  let complaint = ''
  tap.stderr.setEncoding('utf8').on('data', text => { complaint = `${complaint}${text}`.slice(-4000) })
  /** @type {{ told: Omit<Figure, 'holds'>, path: string[] }[]} */
  const told = []
  const { failures, skipped } = await readTap(tap.stdout, () => {}, (text, path) => {
    if (text.startsWith('figure ')) {
      const one = JSON.parse(text.slice('figure '.length))
      told.push({ told: one, path })
      console.log(`  ${one.promise}  ${one.done}: ${one.figure}`)
    } else if (text.startsWith('progress ')) console.log(`  ${text.slice('progress '.length)}`)
  })

  for (const { path, diagnostics } of failures) console.log([`  ✗ ${path.join(' › ')}`, ...diagnostics.slice(0, 40)].join('\n    '))
  if (failures.length > 0 && complaint !== '') console.log(complaint)
  const figures = told.map(({ told: one, path }) => ({ ...one, holds: !failures.some(failure => path.every((name, at) => failure.path[at] === name)) }))
  const silent = promises.filter(promise => !figures.some(figure => figure.promise === promise))
  const why = skipped[0]?.split(': ').at(-1) ?? failures[0]?.path.at(-1) ?? 'the test told nothing'
  return [...figures, ...silent.map(promise => ({ promise, done: file, figure: `not shown: ${why}`, holds: false }))]
}

/** Ctrl-C reaches the tests by itself; a signal to this process alone has to be passed on. */
function stopWithUs(/** @type {import('node:child_process').ChildProcess} */ child) {
  const stop = () => {
    child.kill('SIGTERM')
    process.exit(1)
  }
  process.on('SIGTERM', stop)
  child.once('exit', () => process.off('SIGTERM', stop))
}

/** @param {readonly Figure[]} figures */
function table(figures) {
  const rows = figures.toSorted((a, b) => Number(a.promise.slice(1)) - Number(b.promise.slice(1)))
    .map(({ promise, done, figure, holds }) => `| ${promise} | ${done} | ${figure} | ${holds ? 'yes' : '**no**'} |`)
  return ['| promise | what was done | figure | holds |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

/** @param {Readonly<Record<string, string | number>>} env */
function texts(env) {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]))
}
