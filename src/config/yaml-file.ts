/** Reads one YAML 1.2 file into a layer: plain data only, every key with its line, nothing guessed (security D9). */
import { createReadStream } from 'node:fs'

import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type YAMLError, type YAMLMap } from 'yaml'

import { ConfigError, type ConfigProblem, type Place } from './config-error.js'
import { dotted, pointerOf, type Layer, type Path, type Values } from './layer.js'

const maxFileBytes = 1024 * 1024

/** Rejects with `ConfigError`, all mistakes of the file in it. An empty file is an empty layer. */
export async function readYamlFile(file: string): Promise<Layer> {
  return parseYaml(await readSmallFile(file), file)
}

/** The text of a file. Rejects with `ConfigError` when it can't be read, has more than 1 MiB or is not UTF-8. */
export async function readSmallFile(file: string): Promise<string> {
  const bytes = await readUpTo(file, maxFileBytes + 1).catch((thrown: NodeJS.ErrnoException) => {
    const reason = reasons[thrown.code ?? ''] ?? thrown.code ?? 'unknown error'
    throw new ConfigError([{ file, path: '', message: `can't be read: ${reason}` }])
  })
  if (bytes.length > maxFileBytes) throw new ConfigError([{ file, path: '', message: 'is larger than 1 MiB' }])

  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new ConfigError([{ file, path: '', message: 'is not UTF-8 text' }])
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file', EACCES: 'no permission', EISDIR: 'it is a folder',
}

/** A stream, so that pipes (`-c <(...)`) can be read and endless devices end. */
async function readUpTo(file: string, length: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of createReadStream(file, { end: length - 1 })) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function parseYaml(text: string, file: string): Layer {
  const lines = new LineCounter()
  // Duplicate keys are found below: the parser's own check takes minutes for 100,000 keys.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true, uniqueKeys: false })
  const place = (offset: number, path: string): Place => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(line, 1), column: Math.max(col, 1), path }
  }

  const mistakes = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0])
  if (mistakes.length > 0) {
    throw new ConfigError(mistakes.map(({ pos, code, message }) => ({ ...place(pos[0], ''), message: sentences[code] ?? message })))
  }
  return plainLayer(document, place)
}

/** In place of those of the parser's sentences that quote the file, which may hold secrets, or help little. */
const sentences: Readonly<Partial<Record<YAMLError['code'], string>>> = {
  BAD_DQ_ESCAPE: 'Unknown escape sequence in a double-quoted text',
  BAD_SCALAR_START: 'A text that begins with a special character needs quotes',
  BLOCK_AS_IMPLICIT_KEY: 'A text that contains ": " needs quotes',
  KEY_OVER_1024_CHARS: 'A key has at most 1024 characters',
  MULTIPLE_DOCS: 'A file holds one document',
  NON_STRING_KEY: 'A key is a text',
  RESOURCE_EXHAUSTION: 'Nested too deeply',
  TAG_RESOLVE_FAILED: 'Unknown tag; a text that begins with "!" needs quotes',
  UNEXPECTED_TOKEN: 'Unexpected text; what contains special characters needs quotes',
}

function plainLayer(document: Document, place: (offset: number, path: string) => Place): Layer {
  const places = new Map<string, Place>([['', place(0, '')]])
  const problems: ConfigProblem[] = []
  const refuse = (at: Place, message: string) => void problems.push({ ...at, message })

  if (document.directives?.yaml.version === '1.1') refuse(place(0, ''), 'YAML 1.1 is not supported')
  const value = plain(document.contents, [], place(0, ''))
  if (value !== null && (typeof value !== 'object' || Array.isArray(value))) refuse(place(0, ''), 'A configuration is a map of keys')
  if (problems.length > 0) throw new ConfigError(problems)
  return { value: (value ?? {}) as Values, places }

  function plain(node: unknown, path: Path, at: Place): unknown {
    if (node === null) return null
    if (isSeq(node)) return node.items.map((item, index) => entry(item, offsetOf(item), [...path, String(index)]))
    if (isMap(node)) return plainMap(node, path)
    if (isScalar(node) && (node.value === null || ['string', 'number', 'boolean'].includes(typeof node.value))) return node.value
    if (isAlias(node)) return refuse(at, 'is an alias (*), which configuration can\'t have; write the value out')
    return refuse(at, 'is neither text nor a number, boolean, list or map')
  }

  function plainMap(node: YAMLMap, path: Path): Values {
    const map: Values = {}
    for (const { key, value } of node.items) {
      const name = String(isScalar(key) ? key.value : key)
      const keyPath = [...path, name]
      const first = places.get(pointerOf(keyPath))

      if (first !== undefined) refuse(place(offsetOf(key), dotted(keyPath)), `stands in line ${first.line} already`)
      else if (name === '__proto__') refuse(place(offsetOf(key), dotted(keyPath)), 'is not a known key')
      else map[name] = entry(value, offsetOf(key), keyPath)
    }
    return map
  }

  function entry(node: unknown, offset: number, path: Path): unknown {
    const at = place(offset, dotted(path))
    places.set(pointerOf(path), at)
    return plain(node, path, at)
  }
}

function offsetOf(node: unknown): number {
  return typeof node === 'object' && node !== null && 'range' in node ? (node.range as [number] | null)?.[0] ?? 0 : 0
}
