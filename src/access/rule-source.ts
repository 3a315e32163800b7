/** Reads the text of a rule file, YAML or JSON, into plain data that knows where each value stands (security D9). */
import { CST, Lexer, LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument, type Alias, type YAMLError, type YAMLMap } from 'yaml'

import type { JsonObject, JsonValue } from '../store/records.js'
import { isJsonObject } from './json.js'
import { itemSections, listItems, parsePlainYaml, readPlainJson, type Item } from './plain-source.js'
import { type Place, type RuleMistake, RuleMistakes } from './rule-mistakes.js'

/** Keys and indexes that lead to a value. */
export type Path = readonly (string | number)[]

export interface RuleSource {
  readonly value: JsonValue
  /** The place of a value; of what is nearest to it when the file does not have it. */
  readonly placeOf: (path: Path) => Place
}

/** Deeper nesting is refused before the parser, which recurses, sees it. */
const maxFlowDepth = 64
const maxIndent = 200
/** Values after aliases are written out; an alias bomb has more. */
const maxValues = 2_000_000

/**
 * JSON is read as YAML, which it is. Throws `RuleMistakes` for what is neither, for duplicate keys, for text that is nested
 * absurdly and for aliases that multiply.
 */
export function readRuleSource(text: string, file: string): RuleSource {
  return readJson(text, file) ?? readItems(text, file) ?? readWhole(text, file)
}

/** Where something stands is worked out when there is something to say about it. */
function readJson(text: string, file: string): RuleSource | undefined {
  const value = readPlainJson(text)
  if (value === undefined) return undefined
  let whole: RuleSource | undefined
  return { value, placeOf: path => (whole ??= readWhole(text, file)).placeOf(path) }
}

/** Item by item and key by key, so that no more than a few lines are ever held as a tree, and what repeats is read once. */
function readItems(text: string, file: string): RuleSource | undefined {
  const items = listItems(text)
  if (items === undefined) return undefined

  const known = new Map<string, JsonObject | undefined>()
  const value: JsonValue[] = []
  for (const item of items) {
    const rule = readItem(item, known)
    if (rule === undefined) return undefined
    value.push(rule)
  }
  return { value, placeOf: ([index, ...below]) => placeInItem(items[Number(index)], below, file) }
}

function readItem(item: Item, known: Map<string, JsonObject | undefined>): JsonObject | undefined {
  const rule: JsonObject = {}
  const sections = itemSections(item)
  if (sections.length === 0) return undefined
  for (const section of sections) {
    if (!known.has(section)) known.set(section, readSection(section))
    const part = known.get(section)
    if (part === undefined || Object.keys(part).some(key => Object.hasOwn(rule, key))) return undefined
    Object.assign(rule, part)
  }
  return rule
}

/** `undefined` when it is no map, or has anything that there is something to say about. */
function readSection(text: string): JsonObject | undefined {
  let refused = false
  const value = plainValues(() => { refused = true })(parsePlainYaml(text))
  return refused || !isJsonObject(value) ? undefined : value
}

function placeInItem(item: Item | undefined, below: Path, file: string): Place {
  if (item === undefined) return { file, line: 1, column: 1 }
  const place = readWhole(item.text, file).placeOf([0, ...below])
  return { ...place, line: item.line + (place.line ?? 1) - 1 }
}

function readWhole(text: string, file: string): RuleSource {
  const lines = new LineCounter()
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) }
  }

  const deep = tooDeep(text)
  if (deep !== undefined) throw new RuleMistakes([{ file, line: deep.line, column: 1, message: 'Nested too deeply' }])

  // duplicate keys are found below: the parser's own check is quadratic
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true, uniqueKeys: false, merge: true })
  const found = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0])
  if (found.length > 0) {
    throw new RuleMistakes(found.map(mistake => ({ ...place(mistake.pos[0]), message: `This is neither YAML nor JSON: ${sentence(mistake)}` })))
  }

  const mistakes: RuleMistake[] = []
  const value = plainValues((offset, message) => mistakes.push({ ...place(offset), message }))(document.contents)
  if (mistakes.length > 0) throw new RuleMistakes(mistakes)
  return { value, placeOf: path => place(offsetAt(document.contents, path)) }
}

/** Of the key that leads to the value, or of the item; where the path can't be followed, of what it led to so far. */
function offsetAt(root: unknown, path: Path): number {
  let node = root
  let offset = offsetOf(root)
  for (const key of path) {
    if (isSeq(node)) {
      node = node.items[Number(key)]
      if (node === undefined) return offset
      offset = offsetOf(node)
      continue
    }
    const pair = isMap(node) ? node.items.find(item => nameOf(item.key) === String(key)) : undefined
    if (pair === undefined) return offset
    offset = offsetOf(pair.key)
    node = pair.value
  }
  return offset
}

function nameOf(key: unknown): string {
  return String(isScalar(key) ? key.value : key)
}

/** The parser's sentences, except where they quote the file, which may hold secrets. */
function sentence({ code, message }: YAMLError): string {
  return sentences[code] ?? message
}

const sentences: Readonly<Partial<Record<YAMLError['code'], string>>> = {
  BAD_DQ_ESCAPE: 'Unknown escape sequence in a double-quoted text',
  BAD_SCALAR_START: 'A text that begins with a special character needs quotes',
  MULTIPLE_DOCS: 'A file holds one document',
  TAG_RESOLVE_FAILED: 'Unknown tag; a text that begins with "!" needs quotes',
  UNEXPECTED_TOKEN: 'Unexpected text; what contains special characters needs quotes',
}

type Refuse = (offset: number, message: string) => void

interface Anchored {
  readonly value: JsonValue
  /** How many values it holds. */
  readonly size: number
}

/** Makes plain data of nodes. */
function plainValues(refuse: Refuse): (node: unknown) => JsonValue {
  const anchors = new Map<string, Anchored>()
  let count = 0
  return plain

  function plain(node: unknown): JsonValue {
    if (node === null || node === undefined) return null
    if (isAlias(node)) return aliased(node)

    const before = count++
    const value = unanchored(node)
    const { anchor } = node as { anchor?: string }
    if (anchor !== undefined) anchors.set(anchor, { value, size: count - before })
    return value
  }

  function unanchored(node: unknown): JsonValue {
    if (isSeq(node)) return node.items.map(plain)
    if (isMap(node)) return plainMap(node)
    if (isScalar(node) && (node.value === null || ['string', 'number', 'boolean'].includes(typeof node.value))) return node.value as JsonValue
    refuse(offsetOf(node), 'This is neither text nor a number, boolean, list or map')
    return null
  }

  function plainMap(node: YAMLMap): JsonObject {
    const map: JsonObject = {}
    const merged: JsonObject[] = []
    for (const { key, value } of node.items) {
      const name = nameOf(key)
      if (name === '<<' && isAlias(value)) {
        const base = aliased(value)
        if (isJsonObject(base)) merged.push(base)
        else refuse(offsetOf(value), 'Only a map can be merged')
        continue
      }
      if (Object.hasOwn(map, name)) refuse(offsetOf(key), `The key "${name}" stands here twice`)
      if (name === '__proto__') refuse(offsetOf(key), 'The key "__proto__" can not be used')
      else map[name] = plain(value)
    }
    return merged.length === 0 ? map : Object.assign({}, ...merged, map) as JsonObject
  }

  function aliased(node: Alias): JsonValue {
    const anchored = anchors.get(node.source)
    if (anchored === undefined) {
      refuse(offsetOf(node), `There is no anchor "${node.source}" before this alias`)
      return null
    }
    count += anchored.size
    if (count <= maxValues) return anchored.value
    if (count - anchored.size <= maxValues) refuse(offsetOf(node), 'The aliases of this file multiply to too many values')
    return null
  }
}

/** The first line that is nested beyond the limits. */
function tooDeep(text: string): { readonly line: number } | undefined {
  let line = 1
  let column = 0
  let flow = 0
  for (const token of new Lexer().lex(text)) {
    const type = CST.tokenType(token)
    if (type === 'flow-seq-start' || type === 'flow-map-start') flow++
    if (type === 'flow-seq-end' || type === 'flow-map-end') flow = Math.max(0, flow - 1)
    const opensBlock = flow === 0 && (type === 'seq-item-ind' || type === 'explicit-key-ind' || type === 'map-value-ind')
    if (flow > maxFlowDepth || (opensBlock && column > maxIndent)) return { line }

    const newline = token.lastIndexOf('\n')
    if (newline !== -1) line += token.split('\n').length - 1
    column = newline === -1 ? column + token.length : token.length - newline - 1
  }
  return undefined
}

function offsetOf(node: unknown): number {
  return typeof node === 'object' && node !== null && 'range' in node ? (node.range as [number] | null)?.[0] ?? 0 : 0
}
