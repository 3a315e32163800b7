/** Reads a long file of JSON documents one by one: JSON Lines, or one JSON array. Holds no more of it than one document. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'

/** One document of the file, as text, and the line on which it begins, from 1. */
export interface SourceRecord {
  readonly line: number
  readonly text: string
}

export interface RecordSource {
  readonly name: string
  /** Bytes in all; absent when only the end will tell. */
  readonly size: number | undefined
  /** Bytes read so far. */
  bytesRead(): number
  records(): AsyncIterable<SourceRecord>
}

/** Longest document, in UTF-16 units: what the admin API takes of one. */
const recordLimit = 65_536

/** A file, or standard input for `-`. Throws when there is no such file. */
export async function openSource(file: string): Promise<RecordSource> {
  let bytes = 0
  const stream = file === '-' ? process.stdin : createReadStream(file)
  return {
    name: file === '-' ? 'standard input' : file,
    size: file === '-' ? undefined : (await stat(file)).size,
    bytesRead: () => bytes,
    records: () => splitRecords(decoded(stream, count => { bytes += count })),
  }
}

/** The documents in a text that comes in pieces. Throws for an array that is none, and for documents without end. */
export async function* splitRecords(pieces: AsyncIterable<string>): AsyncGenerator<SourceRecord> {
  let splitter: Splitter | undefined
  let blankLines = 0
  for await (const piece of pieces) {
    const start = splitter === undefined ? piece.search(/\S/) : 0
    if (start > 0 || start === -1) blankLines += piece.slice(0, start === -1 ? undefined : start).split('\n').length - 1
    if (start === -1) continue
    splitter ??= piece[start] === '[' ? arraySplitter(1 + blankLines) : lineSplitter(1 + blankLines)
    yield* splitter.add(piece.slice(start))
  }
  if (splitter !== undefined) yield* splitter.end()
}

/** Throws a `TypeError` for what is no UTF-8. A byte order mark is dropped. */
async function* decoded(stream: AsyncIterable<Buffer>, count: (bytes: number) => void): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for await (const chunk of stream) {
    count(chunk.length)
    yield decoder.decode(chunk, { stream: true })
  }
  yield decoder.decode()
}

interface Splitter {
  add(piece: string): Iterable<SourceRecord>
  end(): Iterable<SourceRecord>
}

function lineSplitter(firstLine: number): Splitter {
  let line = firstLine
  let rest = ''
  return {
    * add(piece) {
      const lines = (rest + piece).split('\n')
      rest = lines.pop() ?? ''
      for (const text of lines) {
        if (text.trim() !== '') yield { line, text }
        line++
      }
      if (rest.length > recordLimit) throw tooLong(line)
    },
    * end() {
      if (rest.trim() !== '') yield { line, text: rest }
    },
  }
}

function arraySplitter(firstLine: number): Splitter {
  let line = firstLine
  let depth = 0
  let inText = false
  let escaped = false
  let begun: { line: number, text: string } | undefined
  let ended = false

  function* add(piece: string): Iterable<SourceRecord> {
    let from = 0
    for (let at = 0; at < piece.length; at++) {
      const character = piece[at] as string
      if (character === '\n') line++
      if (inText) {
        if (escaped) escaped = false
        else if (character === '\\') escaped = true
        else if (character === '"') inText = false
        continue
      }
      const isSpace = /\s/.test(character)
      if (ended && !isSpace) throw new Error(`line ${line}: something comes after the end of the array`)
      if (depth === 0) {
        if (character === '[') depth = 1
        continue
      }
      if (depth === 1 && (character === ',' || character === ']')) {
        if (begun !== undefined) yield { line: begun.line, text: begun.text + piece.slice(from, at) }
        begun = undefined
        if (character === ']') {
          depth = 0
          ended = true
        }
        continue
      }
      if (begun === undefined && !isSpace) {
        begun = { line, text: '' }
        from = at
      }
      if (character === '"') inText = true
      else if (character === '{' || character === '[') depth++
      else if (character === '}' || character === ']') depth--
    }
    if (begun === undefined) return
    begun.text += piece.slice(from)
    if (begun.text.length > recordLimit) throw tooLong(begun.line)
  }

  return {
    add,
    * end() {
      if (!ended) throw new Error(`line ${line}: the array does not end`)
    },
  }
}

function tooLong(line: number): Error {
  return new Error(`line ${line}: a document may have at most ${recordLimit} characters; is this JSON Lines, or one JSON array?`)
}
