/** Who may have the directory of an embedded store, and what a process that was killed leaves behind. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { open as openLmdb } from 'lmdb'
import t, { type Test } from 'tap'

import { openStore } from '../../src/store/open.js'
import type { Store } from '../../src/store/store.js'
import { startChild } from '../helpers/child.js'
import { temporaryDirectory } from '../helpers/store.js'

const holder = new URL('fixtures/hold-store.ts', import.meta.url)

t.test('X11 a second process is refused, with the directory and the pid of the first', async t => {
  const path = temporaryDirectory(t)
  const first = startChild(t, holder, [path])
  t.equal(await first.firstLine(), 'held')
  await t.rejects(open(t, path), { message: `The embedded store at ${path} is in use by the process ${first.pid}. ` })
})

t.test('X11 what a killed process had is free at once', async t => {
  const path = temporaryDirectory(t)
  const first = startChild(t, holder, [path])
  await first.firstLine()
  await first.end('SIGKILL')
  await open(t, path)
  t.equal(locksIn(path).length, 1, 'and its announcement is gone')
})

t.test('X11 of processes that start together one at most has the directory', async t => {
  const path = temporaryDirectory(t)
  const children = Array.from({ length: 4 }, () => startChild(t, holder, [path]))
  const said = await Promise.all(children.map(child => child.firstLine()))
  t.ok(said.filter(line => line === 'held').length <= 1)
  t.ok(said.every(line => line === 'held' || line.includes('is in use by the process')))
  await Promise.all(children.map(child => child.end()))
  await open(t, path)
})

t.test('a process does not open a directory that it has open, and does once it closed it', async t => {
  const path = temporaryDirectory(t)
  const store = await open(t, path)
  await t.rejects(open(t, path), { message: `The embedded store at ${path} is in use by this process (pid ${process.pid}).` })
  await store.ping()
  await store.close()
  t.strictSame(locksIn(path), [])
  await open(t, path)
})

t.test('a pid that another process has got since does not hold the directory', async t => {
  const path = temporaryDirectory(t)
  const { realm } = await ownLock(t, path)
  const living = spawn('sleep', ['60'])
  t.teardown(() => living.kill('SIGKILL'))
  await once(living, 'spawn')
  writeFileSync(join(path, `lock.${realm}.${living.pid}.1`), '')
  writeFileSync(join(path, `lock.${realm}.${process.pid}.1`), '')
  await open(t, path)
  t.equal(locksIn(path).length, 1)
})

t.test('a process of another container holds the directory for as long as it shows signs of life', async t => {
  const path = temporaryDirectory(t)
  const announcement = join(path, `lock.0123456789ab.${process.pid}.1`)
  writeFileSync(announcement, '')
  await t.rejects(open(t, path), { message: `is in use by the process ${process.pid} of another container or machine` })
  t.strictSame(readdirSync(path), [announcement.slice(path.length + 1)], 'nothing else was left or begun')
  const aMinuteAgo = new Date(Date.now() - 60_000)
  utimesSync(announcement, aMinuteAgo, aMinuteAgo)
  await open(t, path)
})

t.test('the directory is made for its owner alone', async t => {
  const path = join(temporaryDirectory(t), 'a', 'b.d')
  await open(t, path)
  t.equal(statSync(path).mode & 0o777, 0o700)
  t.ok(statSync(path).isDirectory(), 'a dot in its name notwithstanding')
})

t.test('a directory that is no good is refused with its name and the reason', async t => {
  const path = join(temporaryDirectory(t), 'file')
  writeFileSync(path, '')
  await t.rejects(open(t, path), { message: new RegExp(`${path} can not be made: EEXIST`) })
  const occupied = temporaryDirectory(t)
  mkdirSync(join(occupied, 'data.mdb'))
  await t.rejects(open(t, occupied), { message: `The embedded store at ${occupied} can not be opened: ` })
  t.strictSame(locksIn(occupied), [], 'and it is not held')
})

t.test('X8 a store that a newer version wrote is refused', async t => {
  const path = temporaryDirectory(t)
  const root = openLmdb({ path, noSubdir: false, encoding: 'json' })
  await root.openDB({ name: 'meta' }).put('format', 2)
  await root.close()
  await t.rejects(open(t, path), { message: /was written by a newer version of Oathgate \(format 2, this one knows 1\)/ })
  t.strictSame(locksIn(path), [])
})

t.test('a directory that was moved while closed is the same store', async t => {
  const path = temporaryDirectory(t)
  const store = await open(t, join(path, 'before'))
  await store.saveError({ id: 'e', errors: [], createdAt: Date.now() })
  await store.close()
  renameSync(join(path, 'before'), join(path, 'after'))
  t.ok(await (await open(t, join(path, 'after'))).findError('e'))
})

async function open(t: Test, path: string): Promise<Store> {
  const store = await openStore({ dsn: `embedded://${path}`, timeoutMs: 10_000, keyPrefix: '', durability: 'required', warn: t.comment })
  t.teardown(store.close)
  return store
}

/** What this process announces itself with. */
async function ownLock(t: Test, path: string): Promise<{ realm: string }> {
  const store = await open(t, path)
  const [name = ''] = locksIn(path)
  await store.close()
  return { realm: name.split('.')[1] ?? '' }
}

function locksIn(path: string): string[] {
  return readdirSync(path).filter(name => name.startsWith('lock.') && name !== 'lock.mdb')
}
