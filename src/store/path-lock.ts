/**
 * One process per directory. Each process announces itself with a file whose name says who it is, then looks for others:
 * whoever sees another one alive withdraws. Names are never used twice, so clearing away what a killed process left can
 * not hit a living one, and of two that start together at most one stays, whatever the order.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

/** Says that this process has the directory. */
export interface PathLock {
  /** Lets the next one in. */
  release(): void
}

/** Processes of other containers and machines can't be seen, but their files are touched this often. */
const heartbeatMs = 5_000
const presumedDeadMs = 20_000

const own = { realm: realm(), pid: process.pid, birth: birthOf(process.pid) ?? String(Math.round(performance.timeOrigin)) }

/** Takes the directory. Throws an `Error` that names the directory and the process that has it. */
export function lockPath(directory: string): PathLock {
  const file = join(directory, `lock.${own.realm}.${own.pid}.${own.birth}`)
  announce(file, directory)
  const holder = readdirSync(directory).map(name => join(directory, name)).find(other => other !== file && isAlive(other))
  if (holder !== undefined) {
    rmSync(file, { force: true })
    throw inUse(directory, holder)
  }

  const heartbeat = setInterval(() => touch(file), heartbeatMs).unref()
  return {
    release() {
      clearInterval(heartbeat)
      rmSync(file, { force: true })
    },
  }
}

function announce(file: string, directory: string): void {
  try {
    writeFileSync(file, '', { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw inUse(directory, file)
    throw error
  }
}

/** Whether the file is the announcement of a running process; what dead ones left is removed on the way. */
function isAlive(file: string): boolean {
  const announced = parse(file)
  if (announced === undefined) return false

  const alive = announced.realm === own.realm ? isRunning(announced.pid, announced.birth) : ageMs(file) < presumedDeadMs
  if (!alive) rmSync(file, { force: true })
  return alive
}

function isRunning(pid: number, birth: string): boolean {
  if (pid === own.pid) return birth === own.birth
  const running = birthOf(pid)
  if (running !== undefined) return running === birth
  return !hasProc() && answersSignals(pid)
}

function parse(file: string): { realm: string, pid: number, birth: string } | undefined {
  const [, realm, pid, birth] = /lock\.([0-9a-f]+)\.([0-9]+)\.([0-9]+)$/.exec(file) ?? []
  return realm === undefined || birth === undefined ? undefined : { realm, pid: Number(pid), birth }
}

/** The boot and the PID namespace within which a pid means something. */
function realm(): string {
  const scope = hasProc() ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8') + readlinkSync('/proc/self/ns/pid') : hostname()
  return createHash('sha256').update(scope).digest('hex').slice(0, 12)
}

/** When the process started, in clock ticks since boot, so that a pid used again is told apart; `undefined` when it does not run. */
function birthOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // Z and X: killed, and only waiting for its parent to notice.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

function hasProc(): boolean {
  return process.platform === 'linux'
}

function answersSignals(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function ageMs(file: string): number {
  return Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
}

function touch(file: string): void {
  const now = new Date()
  try {
    utimesSync(file, now, now)
  } catch {
    // The directory is gone; whatever uses it will say so.
  }
}

function inUse(directory: string, file: string): Error {
  const { pid, realm } = parse(file) ?? own
  const whose = realm === own.realm ? pid === own.pid ? `this process (pid ${pid})` : `the process ${pid}` : `the process ${pid} of another container or machine`
  return new Error(`The embedded store at ${directory} is in use by ${whose}. One process can have it at a time: stop that one, or use Redis for several.`)
}
