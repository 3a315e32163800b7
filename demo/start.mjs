/** `npm start`: the gateway with the sample app and the sample API behind it and an OpenID provider beside it, from a fresh clone to a page to click on. Ctrl-C ends all of it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

import { buildGateway, dependenciesInstalled, gatewayBuilt, installDependencies, root, unfitNode } from './prepare.mjs'

/** @typedef {{ name: string, command: string[], ports: number[], readyUrl: string, color: number }} Service */

/** @type {Service[]} */
const services = [
  {
    name: 'gateway', command: ['dist/main.js', 'serve', '-c', 'config/oathgate.yml'], color: 35,
    ports: [4455, 4434], readyUrl: 'http://127.0.0.1:4434/health/ready',
  },
  { name: 'app', command: ['demo/app/server.mjs'], color: 36, ports: [4436], readyUrl: 'http://127.0.0.1:4436/health' },
  { name: 'api', command: ['demo/api/server.mjs'], color: 32, ports: [4437], readyUrl: 'http://127.0.0.1:4437/health' },
  { name: 'provider', command: ['demo/provider/server.mjs'], color: 33, ports: [4438], readyUrl: 'http://127.0.0.1:4438/health' },
]
const readyWithinMs = 30_000
const stopWithinMs = 10_000

const colorful = process.stdout.isTTY && !process.env.NO_COLOR
/** @type {Map<Service, import('node:child_process').ChildProcess>} */
const running = new Map()
let stopping = false

await prepare()
await requireFreePorts()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop(0))
process.on('exit', killAll)
endWithNpm()
for (const service of services) start(service)
await Promise.all(services.map(ready))
if (!stopping) welcome()

async function prepare() {
  const reason = unfitNode()
  if (reason) fail(reason)

  if (!dependenciesInstalled()) {
    say('Installing dependencies (once; about half a minute) …')
    if (!installDependencies()) fail('The dependencies could not be installed; npm says why above.')
  }
  if (!gatewayBuilt()) {
    say('Building the gateway …')
    if (!buildGateway()) fail('The gateway does not compile; the compiler says why above.')
  }
}

async function requireFreePorts() {
  for (const { name, ports } of services) {
    for (const port of ports) {
      if (await isTaken(port)) {
        fail(`Port ${port}, which the ${name} needs, is in use by another program. Is another \`npm start\` running? Stop it and try again.`)
      }
    }
  }
}

/**
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function isTaken(port) {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** @param {Service} service */
function start(service) {
  // Its own process group: Ctrl-C reaches this process alone, which then ends the others in good order.
  const child = spawn(process.execPath, service.command, {
    cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { LOG_FORMAT: 'text', ...process.env },
  })
  running.set(service, child)
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', line => {
      console.log(`${paint(service.color, service.name.padEnd(8))} ${paint(2, '│')} ${line}`)
    })
  }
  // `close`, not `exit`: by then all that it had to say has been printed.
  child.once('close', (code, signal) => {
    running.delete(service)
    if (stopping) return
    complain(`The ${service.name} ended by itself (${signal ?? `exit code ${code}`}); its own words are above. Stopping the rest.`)
    void stop(1)
  })
}

/** @param {Service} service */
async function ready(service) {
  const deadline = Date.now() + readyWithinMs
  while (!stopping) {
    const response = await fetch(service.readyUrl, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined)
    if (response?.ok) return
    if (Date.now() > deadline) {
      complain(`The ${service.name} is not ready after ${readyWithinMs / 1000} s${response ? `: ${await response.text()}` : ''}`)
      return stop(1)
    }
    await sleep(100)
  }
}

/**
 * Ends what runs, gently at first; a second Ctrl-C ends it at once.
 * @param {number} code
 */
async function stop(code) {
  if (stopping) process.exit(code || 1)
  stopping = true
  for (const child of running.values()) child.kill('SIGTERM')
  const ended = Promise.all([...running.values()].map(child => once(child, 'close')))
  await Promise.race([ended, sleep(stopWithinMs, undefined, { ref: false })])
  process.exit(code)
}

/** Who ends npm ends this too: npm passes a SIGTERM to its shell, which dies of it and tells nobody. */
function endWithNpm() {
  const shell = process.ppid
  if (process.env.npm_lifecycle_event) setInterval(() => process.ppid === shell || void stop(0), 500).unref()
}

function killAll() {
  for (const child of running.values()) child.kill('SIGKILL')
}

function welcome() {
  const url = 'http://127.0.0.1:4455'
  const link = (/** @type {string} */ path) => paint(36, `${url}${path}`.padEnd(44))
  console.log(`
${paint(1, '  Oathgate is running.')}

  ${link('/auth/registration')} sign up, with a password or at the demo's OpenID provider
  ${link('/dashboard/reports')} asks you to log in, then brings you back there
  ${link('/api/me')} a JSON API: who does it think you are?

  Try to be somebody else:
  curl -i -H 'X-User-Email: boss@example.org' ${url}/api/me

  Rules are in rules/, settings in config/oathgate.yml, accounts in data/.
  Open 127.0.0.1, not localhost: cookies belong to one name. ${paint(1, 'Ctrl-C')} stops everything.
`)
}

/** @param {string} text */
function say(text) {
  console.log(paint(2, text))
}

/** @param {string} text */
function complain(text) {
  console.error(`\n${paint(31, '✗')} ${text}`)
}

/**
 * @param {string} text
 * @returns {never}
 */
function fail(text) {
  complain(text)
  process.exit(1)
}

/**
 * @param {number} color An SGR code: 1 bold, 2 faint, 31 to 36 colours.
 * @param {string} text
 */
function paint(color, text) {
  return colorful ? `\x1b[${color}m${text}\x1b[0m` : text
}
