/** The programs that tests need beyond npm: a Redis, a browser, a balancer, a Prometheus, what makes certificates: openssl and an ACME authority, and what sets clocks. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const needed = [
  { program: 'redis-server', debianPackage: 'redis-server' },
  { program: 'chromium', debianPackage: 'chromium' },
  { program: 'haproxy', debianPackage: 'haproxy' },
  { program: 'prometheus', debianPackage: 'prometheus' },
  { program: 'openssl', debianPackage: 'openssl' },
  { program: 'pebble', debianPackage: 'pebble' },
  { program: 'faketime', debianPackage: 'faketime' },
]

/**
 * Installs what is missing where that is ours to do (root on Debian). Says in one line what is missing otherwise.
 * @returns {boolean} Whether all is there.
 */
export function requirePrograms() {
  let missing = needed.filter(({ program }) => !onPath(program))
  if (missing.length > 0 && process.getuid?.() === 0 && onPath('apt-get')) {
    const packages = missing.map(({ debianPackage }) => debianPackage)
    console.log(`Installing ${packages.join(', ')} …`)
    apt('update')
    apt('install', '--yes', '--no-install-recommends', ...packages)
    missing = missing.filter(({ program }) => !onPath(program))
  }
  if (missing.length === 0) return true
  console.log(`Not on this machine: ${missing.map(({ program }) => program).join(', ')}. The tests that need them can not run; install them first.`)
  return false
}

/** @param {string[]} args */
function apt(...args) {
  const { status, stdout, stderr } = spawnSync('apt-get', args, {
    encoding: 'utf8', maxBuffer: 64 << 20, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  if (status !== 0) console.log(`${stdout}${stderr}apt-get ${args[0]} failed.`)
}

/** @param {string} program */
function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some(folder => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
