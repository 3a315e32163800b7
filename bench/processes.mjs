/** Programs that a measurement needs: started on their cores, watched for their processor time, all ended with the run. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import { findProgram } from './machine.mjs'

/**
 * @typedef {object} Program
 * @property {string} name
 * @property {number} pid Also the id of its process group.
 * @property {() => Promise<void>} stop
 *
 * @typedef {object} ProgramOptions
 * @property {string} name
 * @property {readonly string[]} command
 * @property {string | undefined} cores As taskset lists them.
 * @property {number} port Ready when it accepts connections there.
 * @property {string} log The file that its output goes to.
 * @property {NodeJS.ProcessEnv} [env]
 */

/** @type {string | undefined} */
let niceness

/** From now on programs start with this priority: -20 (as root) takes precedence over whatever else a shared machine does. */
export function useNiceness(/** @type {string | undefined} */ value) {
  niceness = value
}

/** @type {Map<number, import('node:child_process').ChildProcess>} */
const running = new Map()

process.on('exit', () => {
  for (const pid of running.keys()) signalGroup(pid, 'SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

/**
 * Starts a program and waits until it can be asked. Rejects, with the end of what it said, when it ends before that.
 * @param {ProgramOptions} options
 * @returns {Promise<Program>}
 */
export async function startProgram({ name, command, cores, port, log, env = {} }) {
  const output = openSync(log, 'a')
  const [program = '', ...args] = pinned(command, cores)
  const child = spawn(program, args, { detached: true, stdio: ['ignore', output, output], env: { ...process.env, ...env } })
  const { pid } = child
  if (pid === undefined) throw new Error(`${name} could not be started: ${program}`)
  running.set(pid, child)
  prefer(pid)
  child.once('exit', () => running.delete(pid))

  const deadline = Date.now() + 30_000
  while (!await accepts(port)) {
    if (!running.has(pid) || Date.now() > deadline) throw new Error(`${name} did not start:\n${readFileSync(log, 'utf8').slice(-2000)}`)
    await sleep(50)
  }
  return { name, pid, stop: () => stop(pid) }
}

/**
 * Runs a program to its end; what it wrote to stdout. Rejects when it fails.
 * @param {readonly string[]} command
 * @param {string | undefined} cores
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<string>}
 */
export async function runProgram(command, cores, env = {}) {
  const [program = '', ...args] = pinned(command, cores)
  const child = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  if (child.pid !== undefined) {
    running.set(child.pid, child)
    prefer(child.pid)
  }
  let text = ''
  child.stdout.setEncoding('utf8').on('data', chunk => { text += chunk })
  const [code] = await once(child, 'close')
  if (child.pid !== undefined) running.delete(child.pid)
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}`)
  return text
}

/** Seconds of processor time that a program has used, all its processes and threads; `undefined` outside Linux. */
export function cpuSeconds(/** @type {number} */ group) {
  if (!existsSync('/proc/self/stat')) return undefined
  let ticks = 0
  for (const pid of readdirSync('/proc')) {
    const fields = /^\d+$/.test(pid) ? statFields(pid) : undefined
    if (fields !== undefined && Number(fields[2]) === group) ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / ticksPerSecond
}

/** Bytes of resident memory of the program's first process; `undefined` outside Linux. */
export function residentBytes(/** @type {number} */ pid) {
  const status = existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, 'utf8') : ''
  const kibibytes = /^VmRSS:\s+(\d+)/m.exec(status)?.[1]
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
}

/** A port that nothing listens on at the moment of asking. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}

/** Linux says times of processes in this unit on every architecture that Node runs on. */
const ticksPerSecond = 100

/** Fields of /proc/PID/stat after the name, which may hold spaces: state, parent, group, … */
function statFields(/** @type {string} */ pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined // it has ended in between
  }
}

/** @param {readonly string[]} command @param {string | undefined} cores */
function pinned(command, cores) {
  const placed = cores === undefined ? command : [findProgram('taskset') ?? 'taskset', '-c', cores, ...command]
  return niceness === undefined ? [...placed] : ['nice', '-n', niceness, ...placed]
}

/** Linux weighs sessions against each other first, by a niceness of their own, and only then what runs within one. */
function prefer(/** @type {number} */ pid) {
  const group = `/proc/${pid}/autogroup`
  if (niceness !== undefined && existsSync(group)) writeFileSync(group, niceness)
}

/** @param {number} pid */
async function stop(pid) {
  const child = running.get(pid)
  if (child === undefined) return
  const ended = once(child, 'exit')
  signalGroup(pid, 'SIGTERM')
  await Promise.race([ended, sleep(3000, undefined, { ref: false })])
  if (running.has(pid)) signalGroup(pid, 'SIGKILL')
}

/** @param {number} pid @param {NodeJS.Signals} signal */
function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal)
  } catch {
    // it has ended already
  }
}

/** @param {number} port @returns {Promise<boolean>} */
function accepts(port) {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
