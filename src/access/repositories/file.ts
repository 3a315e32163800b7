/** Rules in a file, or in the files of a folder: `file://./rules.yml`, `file:///etc/oathgate/rules/`, or a path alone. */
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'

import { watchPath, type PathWatch } from '../../config/watch-path.js'
import type { RuleFile } from '../rules.js'
import type { Repository } from './repository.js'

/** `url` may be relative to `baseDir`. */
export function fileRepository(url: string, baseDir: string, maxBytes: number): Repository {
  const path = resolve(baseDir, pathOf(url))
  let watching: PathWatch | undefined

  return {
    async read() {
      await watching?.renew()
      return readFiles(path, baseDir, maxBytes)
    },
    watch(changed) {
      watching = watchPath(path, changed)
    },
    close() {
      watching?.close()
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
