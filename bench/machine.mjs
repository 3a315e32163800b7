/** What the measurements run on: which cores, which Node, which programs are there and which are not. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { delimiter, join } from 'node:path'

import { root } from '../demo/prepare.mjs'

/** Where a program is; `undefined` when it is not on the PATH. Debian keeps servers in sbin, which people do not have there. */
export function findProgram(/** @type {string} */ name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

/**
 * Cores for what is measured and for what measures it, as taskset lists them: they must not take each other's time.
 * `undefined` where the system can not pin.
 * @param {string | undefined} proxy @param {string | undefined} load
 */
export function chooseCores(proxy, load) {
  if (findProgram('taskset') === undefined || availableParallelism() < 2) return undefined
  const last = availableParallelism() - 1
  return { proxy: proxy ?? '0', load: load ?? (last === 1 ? '1' : `1-${last}`) }
}

/**
 * The Node that runs the gateway and the peers written for Node: this one, or the newest of a major version, which npm
 * brings into node_modules/.cache.
 * @param {string | undefined} major
 */
export function chooseNode(major) {
  if (major === undefined) return process.execPath
  const folder = cacheFolder(`node-${major}`)
  const name = `node-${process.platform}-${process.arch}`
  const binary = join(folder, 'node_modules', name, 'bin/node')
  if (!existsSync(binary)) {
    const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder, `${name}@${major}`], { stdio: 'inherit' })
    if (status !== 0) throw new Error(`Node ${major} could not be installed from the package ${name}; leave --node out to use ${process.version}.`)
  }
  return binary
}

/** A folder that survives from run to run and that nobody commits. */
export function cacheFolder(/** @type {string} */ name) {
  return join(root, 'node_modules/.cache/oathgate-bench', name)
}

/** What a reader has to know before comparing figures. */
export function describeMachine(/** @type {string} */ node, /** @type {ReturnType<typeof chooseCores>} */ cores) {
  return {
    cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), pinned: cores ?? 'not pinned',
    node: firstLine(node, ['--version']), nginx: programVersion('nginx', '-v'), haproxy: programVersion('haproxy', '-v'),
    redis: programVersion('redis-server', '--version'),
    oathkeeper: programVersion('oathkeeper', 'version'), kratos: programVersion('kratos', 'version'), load: loadavg()[0]?.toFixed(1) ?? '', kernel: kernelRelease(),
    commit: firstLine('git', ['-C', root, 'describe', '--always', '--dirty', '--exclude', '*']),
  }
}

/** @param {string} name @param {string} flag */
function programVersion(name, flag) {
  const program = findProgram(name)
  return program === undefined ? 'missing' : firstLine(program, [flag]).replace(/^Version:\s*/, '')
}

/** @param {string} program @param {string[]} args */
function firstLine(program, args) {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return (stdout || stderr || '').split('\n')[0] ?? ''
}

function kernelRelease() {
  return existsSync('/proc/sys/kernel/osrelease') ? readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim() : process.platform
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
