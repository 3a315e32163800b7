/** Reads JSON that people write: keeps the order of its keys and knows where everything stands, for fields and error messages. */
import type { JsonValue } from '../store/records.js'

/** A parsed JSON text. */
export interface JsonSource {
  readonly value: JsonValue
  /** The keys of the object at a path in the order of the text (JavaScript puts `"2"` before `"b"`); none where no object is. */
  keysAt(path: JsonPath): readonly string[]
  /** `line:column` of the value at a path, counted from 1; of the nearest one above where nothing is. */
  positionOf(path: JsonPath): string
}

export type JsonPath = readonly (string | number)[]

/** What is wrong with a JSON text; the message begins with `line:column`. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError'
}

interface Node {
  readonly offset: number
  /** By key or index; absent for what holds nothing. */
  readonly members?: ReadonlyMap<string, Node>
}

const depthLimit = 100
const space = /[ \t\n\r]*/y
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const scalar = /(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)(?![0-9A-Za-z.+-])/y

/** Parses strict JSON (RFC 8259); a repeated key is an error too. Throws `JsonSyntaxError`. */
export function parseJsonSource(bytes: Buffer): JsonSource {
  const text = decodeUtf8(bytes)
  const root = readDocument(text)

  function find(path: JsonPath): Node | undefined {
    return path.reduce<Node | undefined>((node, key) => node?.members?.get(String(key)), root)
  }

  return {
    value: JSON.parse(text) as JsonValue,
    keysAt: path => [...find(path)?.members?.keys() ?? []],
    positionOf(path) {
      for (let length = path.length; length > 0; length--) {
        const node = find(path.slice(0, length))
        if (node !== undefined) return position(text, node.offset)
      }
      return position(text, root.offset)
    },
  }
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new JsonSyntaxError('1:1: the text is not UTF-8')
  }
}

function readDocument(text: string): Node {
  let at = 0

  function fail(expected: string): never {
    const found = at < text.length ? JSON.stringify(text.charAt(at)) : 'the end of the text'
    throw new JsonSyntaxError(`${position(text, at)}: expected ${expected}, found ${found}`)
  }

  function take(pattern: RegExp): string | undefined {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0]
    at += found?.length ?? 0
    return found
  }

  function takeCharacter(character: string): boolean {
    take(space)
    if (text.charAt(at) !== character) return false
    at++
    return true
  }

  function readValue(depth: number): Node {
    take(space)
    const offset = at
    if (depth > depthLimit) fail(`at most ${depthLimit} levels`)
    if (takeCharacter('{')) return { offset, members: readMembers(depth) }
    if (takeCharacter('[')) return { offset, members: readItems(depth) }
    if (take(string) === undefined && take(scalar) === undefined) fail('a JSON value')
    return { offset }
  }

  function readMembers(depth: number): Map<string, Node> {
    const members = new Map<string, Node>()
    if (takeCharacter('}')) return members
    do {
      take(space)
      const start = at
      const key = JSON.parse(take(string) ?? fail('a key in double quotes')) as string
      if (members.has(key)) {
        at = start
        throw new JsonSyntaxError(`${position(text, at)}: the key ${JSON.stringify(key)} is there already`)
      }
      if (!takeCharacter(':')) fail('":"')
      members.set(key, readValue(depth + 1))
    } while (takeCharacter(','))
    if (!takeCharacter('}')) fail('"," or "}"')
    return members
  }

  function readItems(depth: number): Map<string, Node> {
    const items = new Map<string, Node>()
    if (takeCharacter(']')) return items
    do items.set(String(items.size), readValue(depth + 1))
    while (takeCharacter(','))
    if (!takeCharacter(']')) fail('"," or "]"')
    return items
  }

  const root = readValue(0)
  take(space)
  if (at < text.length) fail('the end of the text')
  return root
}

function position(text: string, offset: number): string {
  const before = text.slice(0, offset)
  return `${before.split('\n').length}:${offset - before.lastIndexOf('\n')}`
}
