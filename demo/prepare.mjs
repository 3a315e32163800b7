/** What must be there before anything runs: the right Node, the dependencies that the lockfile names, a gateway built from today's sources. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** Why this Node can not run the gateway, in a sentence; `undefined` when it can. The range is that of `engines` in package.json. */
export function unfitNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)) return undefined
  return `Oathgate needs Node 20.19, 22.12 or newer; this is ${process.versions.node}.`
}

/** Whether `node_modules` holds exactly what package-lock.json names (npm keeps its own copy of what it installed). */
export function dependenciesInstalled() {
  const installed = lockedPackages('node_modules/.package-lock.json')
  const wanted = lockedPackages('package-lock.json')
  return Object.entries(wanted ?? {}).every(([path, { version, optional }]) => {
    return path === '' || (installed?.[path] ? installed[path].version === version : optional)
  })
}

/** `npm ci`, which says what it does itself. Whether it went well. */
export function installDependencies() {
  const npm = process.env.npm_execpath
  const [command, ...args] = npm ? [process.execPath, npm] : ['npm']
  return run(command, [...args, 'ci', '--loglevel=error', '--no-audit', '--no-fund'])
}

/** Whether `dist/` is what the sources of today compile to. */
export function gatewayBuilt() {
  return existsSync(join(root, 'dist/main.js')) && readText('dist/.sources') === sources()
}

/** Compiles the gateway. Whether it went well; the compiler says what is wrong. */
export function buildGateway() {
  const before = sources()
  const built = run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'])
  if (built) writeFileSync(join(root, 'dist/.sources'), before)
  return built
}

/**
 * A program of the repository, its output to this terminal. Whether it ended well.
 * @param {string} command
 * @param {string[]} args
 */
export function run(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0
}

/** Names, sizes and times of all that the build reads. */
function sources() {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).map(name => join('src', name))
  return ['tsconfig.json', 'tsconfig.build.json', ...files.sort()]
    .map(name => ({ name, stat: statSync(join(root, name)) }))
    .filter(({ stat }) => stat.isFile())
    .map(({ name, stat }) => `${name} ${stat.size} ${stat.mtimeMs}\n`)
    .join('')
}

/**
 * @param {string} lockfile
 * @returns {Record<string, { version?: string, optional?: boolean }> | undefined}
 */
function lockedPackages(lockfile) {
  const text = readText(lockfile)
  return text === undefined ? undefined : JSON.parse(text).packages
}

/** @param {string} name */
function readText(name) {
  const path = join(root, name)
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}
