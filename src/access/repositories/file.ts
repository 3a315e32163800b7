/** Rules in a file, or in the files of a folder: `file://./rules.yml`, `file:///etc/oathgate/rules/`, or a path alone. */
import { type FSWatcher, createReadStream, watch } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'

import type { RuleFile } from '../rules.js'
import type { Repository } from './repository.js'

/** Long enough for an editor, or for a mount that swaps links, to be done. */
const quietMs = 100
/** In a folder that is never quiet, changes are looked for after this time. */
const patienceMs = 1000

/** `url` may be relative to `baseDir`. */
export function fileRepository(url: string, baseDir: string, maxBytes: number): Repository {
  const path = resolve(baseDir, pathOf(url))
  let watchers: FSWatcher[] = []
  let timer: NodeJS.Timeout | undefined
  let changed: (() => void) | undefined

  let since: number | undefined
  const noticed = (): void => {
    since ??= Date.now()
    clearTimeout(timer)
    timer = setTimeout(() => {
      since = undefined
      changed?.()
    }, Math.min(quietMs, Math.max(0, since + patienceMs - Date.now())))
    timer.unref()
  }

  const rewatch = async (): Promise<void> => {
    if (changed === undefined) return
    const folders = await foldersOf(path)
    for (const watcher of watchers) watcher.close()
    watchers = changed === undefined ? [] : folders.flatMap(folder => watchFolder(folder, noticed))
  }

  return {
    async read() {
      // before reading: what changes while it is read is noticed
      await rewatch()
      return readFiles(path, baseDir, maxBytes)
    },
    watch(call) {
      changed = call
    },
    close() {
      changed = undefined
      clearTimeout(timer)
      for (const watcher of watchers) watcher.close()
    },
  }
}

function pathOf(url: string): string {
  const path = url.replace(/^file:\/\//i, '')
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

async function readFiles(path: string, baseDir: string, maxBytes: number): Promise<RuleFile[]> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`${nameOf(path, baseDir)} can not be read: ${reasons[cause.code ?? ''] ?? cause.code ?? 'unknown error'}`)
  })
  if (!found.isDirectory()) return [await readOne(path, baseDir, maxBytes)]

  const names = (await readdir(path)).filter(name => /\.(?:ya?ml|json)$/i.test(name) && !name.startsWith('.')).sort()
  if (names.length === 0) throw new Error(`${nameOf(path, baseDir)} holds no .yml, .yaml or .json file`)
  return Promise.all(names.map(name => readOne(join(path, name), baseDir, maxBytes)))
}

const reasons: Readonly<Record<string, string>> = { ENOENT: 'there is no such file', EACCES: 'no permission', EISDIR: 'it is a folder' }

async function readOne(path: string, baseDir: string, maxBytes: number): Promise<RuleFile> {
  const name = nameOf(path, baseDir)
  try {
    return { name, text: await readSmallFile(path, maxBytes) }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new Error(`${name} can not be read: ${reasons[code ?? ''] ?? message}`, { cause: error })
  }
}

async function readSmallFile(path: string, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of createReadStream(path, { end: maxBytes })) {
    size += (chunk as Buffer).length
    chunks.push(chunk as Buffer)
  }
  if (size > maxBytes) throw new Error(`it has more than ${maxBytes} bytes (access_rules.max_bytes)`)

  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw new Error('it is not UTF-8 text')
  }
}

/** As short as it is clear: relative to where relative URLs start, unless it is elsewhere. */
function nameOf(path: string, baseDir: string): string {
  const short = relative(baseDir, path)
  return short.startsWith('..') || short === '' ? path : short
}

/** The folders in which a change of the file would show: its own, and that of the file it links to (security X13). */
async function foldersOf(path: string): Promise<string[]> {
  const folders = new Set([dirname(path)])
  try {
    const real = await realpath(path)
    folders.add(dirname(real))
    if ((await stat(real)).isDirectory()) folders.add(real)
  } catch {
    // gone for now; its folder tells when it is back
  }
  return [...folders]
}

/** Empty when the system can't watch it: then the poll interval has to do. */
function watchFolder(folder: string, noticed: () => void): FSWatcher[] {
  try {
    const watcher = watch(folder, { persistent: false }, noticed)
    watcher.on('error', () => { watcher.close() })
    return [watcher]
  } catch {
    return []
  }
}
