/**
 * `npm test`: everything that must hold, from a fresh clone: type check, lint, build, tests. `npm test -- test/access/decide.test.ts`
 * runs only the tests named, files or folders; `--node 24` runs them on the newest Node of that version, which npm brings; several
 * `--node` have their turn. The last line says how much held: every assertion counts, and type check, lint and build as one each.
 */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'

import { chooseNode } from '../bench/machine.mjs'
import { buildGateway, dependenciesInstalled, gatewayBuilt, installDependencies, root, unfitNode } from '../demo/prepare.mjs'
import { requirePrograms } from './run/programs.mjs'
import { readTap } from './run/tap-output.mjs'

const secondsPerFile = 180
const { values: { node: majors = [] }, positionals: named } = parseArgs({
  allowPositionals: true, options: { node: { type: 'string', multiple: true } },
})
const total = { passed: 0, failed: 0 }

prepare()
if (named.length === 0) await Promise.all([check('type check', typeCheck), check('lint', lint)])
const built = await check('build', async () => gatewayBuilt() || buildGateway())
if (built) {
  const files = named.length > 0 ? named.flatMap(filesOf) : filesOf('test')
  for (const node of majors.length > 0 ? majors.map(chooseNode) : [process.execPath]) await runTests(files, node)
}
finish()

function prepare() {
  const reason = unfitNode()
  if (reason) fail(reason)
  if (!dependenciesInstalled()) {
    console.log('Installing dependencies …')
    if (!installDependencies()) fail('The dependencies could not be installed; npm says why above.')
  }
  if (!requirePrograms() && process.env.CI) fail('In CI all of them must run.')
}

/**
 * @param {string} name
 * @param {() => Promise<boolean>} holds
 */
async function check(name, holds) {
  const start = performance.now()
  const ok = await holds()
  total[ok ? 'passed' : 'failed'] += 1
  report(ok, name, performance.now() - start)
  return ok
}

async function typeCheck() {
  const ofProject = await output(process.execPath, 'node_modules/typescript/bin/tsc', '--noEmit', '-p', '.')
  const ofDemo = await output(process.execPath, 'node_modules/typescript/bin/tsc', '--noEmit', '-p', 'demo')
  process.stdout.write(ofProject.text + ofDemo.text)
  return ofProject.ok && ofDemo.ok
}

async function lint() {
  const { ok, text } = await output(process.execPath, 'node_modules/eslint/bin/eslint.js', '.')
  process.stdout.write(text)
  return ok
}

/**
 * The tests in a folder, or the one that a file is.
 * @param {string} path
 */
function filesOf(path) {
  if (path.endsWith('.ts')) return [path]
  const files = readdirSync(join(root, path), { recursive: true, encoding: 'utf8' })
  return files.filter(name => name.endsWith('.test.ts')).sort().map(name => join(path, name))
}

/**
 * @param {string[]} files
 * @param {string} node The binary that runs them, and what they start.
 */
async function runTests(files, node) {
  if (node !== process.execPath) console.log(`\nNode ${(await output(node, '--version')).text.trim()}`)
  const tap = spawn(node, [
    'node_modules/tap/dist/esm/run.mjs', 'run', '--reporter=tap', '--disable-coverage', '--allow-empty-coverage',
    `--jobs=${Math.min(availableParallelism(), 4)}`, `--timeout=${secondsPerFile}`, ...files,
  ], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` } })
  const complaints = collect(tap.stderr)
  /** @type {Set<unknown>} */
  const told = new Set()
  const { passed, skipped, failures } = await readTap(tap.stdout, file => {
    const failed = file.failures.length
    report(file.ok, file.file, file.milliseconds, failed > 0 ? `${failed} failed, ${file.passed} passed` : `${file.passed} passed`)
    file.failures.forEach(tell)
  })
  const code = await new Promise(resolve => tap.exitCode === null ? tap.once('close', resolve) : resolve(tap.exitCode))

  total.passed += passed
  total.failed += failures.length
  failures.filter(failure => !told.has(failure)).forEach(tell)
  if (skipped.length > 0) console.log(`\nSkipped:\n${skipped.map(line => `  ${line}\n`).join('')}`)
  if (failures.length > 0) console.log(`\nFailed:\n${failures.map(({ path }) => `  ${path.join(' › ')}\n`).join('')}`)
  if (code !== 0 && failures.length === 0) {
    total.failed += 1
    console.log(`\n✗ tap ended with ${code} though no assertion failed.`)
  }
  if (passed + failures.length === 0) {
    total.failed += 1
    console.log('\n✗ There was no test to run.')
  }
  if (total.failed > 0 && complaints.length > 0) console.log(`\nWhat the tests wrote to standard error:\n${complaints.join('').slice(-20_000)}`)

  /** @param {import('./run/tap-output.mjs').Failure} failure */
  function tell(failure) {
    told.add(failure)
    console.log(['', `✗ ${failure.path.join(' › ')}`, ...failure.diagnostics.map(line => `  ${line}`), ''].join('\n'))
  }
}

/** @returns {never} */
function finish() {
  console.log(`\n${total.passed} passed, ${total.failed} failed`)
  process.exit(total.failed > 0 ? 1 : 0)
}

/**
 * @param {string} reason
 * @returns {never}
 */
function fail(reason) {
  console.log(`✗ ${reason}`)
  total.failed += 1
  return finish()
}

/**
 * @param {boolean} ok
 * @param {string} name
 * @param {number} milliseconds
 * @param {string} [detail]
 */
function report(ok, name, milliseconds, detail) {
  console.log(`${ok ? '✓' : '✗'} ${name.padEnd(60)} ${(milliseconds / 1000).toFixed(1).padStart(6)} s  ${detail ?? ''}`.trimEnd())
}

/**
 * What a program prints, and whether it ended well.
 * @param {string} program
 * @param {string[]} args
 * @returns {Promise<{ ok: boolean, text: string }>}
 */
function output(program, ...args) {
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const text = collect(child.stdout)
  collect(child.stderr, text)
  return new Promise(resolve => child.once('close', code => resolve({ ok: code === 0, text: text.join('') })))
}

/**
 * @param {import('node:stream').Readable} stream
 * @param {string[]} [chunks]
 */
function collect(stream, chunks = []) {
  stream.setEncoding('utf8').on('data', chunk => chunks.push(chunk))
  return chunks
}
