/** Where identity schemas come from: a file, a web server, or the configuration itself. */
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'

import { fetchDocument } from './fetch-document.js'

/** Most bytes of one schema. */
const schemaLimit = 1_048_576

const fetchTimeoutMs = 5_000

/** The bytes of a schema and the name that error messages give it: never a secret. */
export interface SchemaSource {
  readonly name: string
  readonly bytes: Buffer
}

/**
 * Reads `file://path` (relative to `baseDir`), `http(s)://` or `base64://`. Rejects with an error that begins with the
 * source's name and says what is wrong.
 */
export async function readSchemaSource(url: string, baseDir: string): Promise<SchemaSource> {
  const name = sourceName(url)
  try {
    return { name, bytes: await readBytes(url, baseDir) }
  } catch (error) {
    throw new Error(`${name}: ${reasonOf(error)}`, { cause: error })
  }
}

const reasons: Readonly<Record<string, string>> = { ENOENT: 'there is no such file', EACCES: 'no permission', EISDIR: 'it is a folder' }

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return reasons[(error as NodeJS.ErrnoException).code ?? ''] ?? error.message
}

/** `file://schemas/person.json` is called `schemas/person.json`; credentials and query of a web address are left out. */
function sourceName(url: string): string {
  if (url.startsWith('file://')) return url.slice('file://'.length)
  if (!/^https?:\/\//i.test(url)) return 'the schema in the configuration'
  try {
    const { origin, pathname } = new URL(url)
    return `${origin}${pathname}`
  } catch {
    return 'the schema at a malformed URL'
  }
}

async function readBytes(url: string, baseDir: string): Promise<Buffer> {
  if (url.startsWith('file://')) return readBoundedFile(resolve(baseDir, url.slice('file://'.length)))
  if (/^https?:\/\//i.test(url)) return fetchDocument(url, { timeoutMs: fetchTimeoutMs, maxBytes: schemaLimit })
  if (url.startsWith('base64://')) return decodeBase64(url.slice('base64://'.length))
  throw new Error('a schema URL begins with file://, http://, https:// or base64://')
}

async function readBoundedFile(path: string): Promise<Buffer> {
  const { size } = await stat(path)
  if (size > schemaLimit) throw new Error(`the file is longer than ${schemaLimit} bytes`)
  return readFile(path)
}

function decodeBase64(text: string): Buffer {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) throw new Error('what follows base64:// is not base64')
  return Buffer.from(text, 'base64')
}
