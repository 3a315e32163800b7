/**
 * Shortcuts through rule files, for those that hold thousands of rules: what is plain is read without a tree of where everything
 * stands. `undefined` always means "not that plain"; what is wrong with a file is for `rule-source.ts` to say.
 */
import { parseDocument } from 'yaml'

import type { JsonValue } from '../store/records.js'

/** Deeper than any rule; `rule-source.ts` looks closer. */
const maxDepth = 32

/** The value of JSON in which no key stands twice and none is `__proto__`. */
export function readPlainJson(text: string): JsonValue | undefined {
  if (!/^\s*\[/.test(text)) return undefined
  try {
    const value = JSON.parse(text) as JsonValue
    // of two equal keys one is lost on the way
    return countKeys(value, 0) === countColons(text) ? value : undefined
  } catch {
    return undefined
  }
}

/** NaN, which equals nothing, for what is too deep or has a key that is none. */
function countKeys(value: JsonValue, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depth > maxDepth) return NaN

  let count = 0
  if (Array.isArray(value)) {
    for (const item of value) count += countKeys(item, depth + 1)
    return count
  }
  for (const key of Object.keys(value)) count += key === '__proto__' ? NaN : 1 + countKeys(value[key] as JsonValue, depth + 1)
  return count
}

/** Those outside of texts. */
function countColons(json: string): number {
  let count = 0
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === colon) count++
    if (code === quote) at = endOfText(json, at)
  }
  return count
}

const [colon, quote, backslash] = [0x3a, 0x22, 0x5c]

function endOfText(json: string, start: number): number {
  let end = json.indexOf('"', start + 1)
  while (isEscaped(json, end)) end = json.indexOf('"', end + 1)
  return end
}

function isEscaped(json: string, at: number): boolean {
  let before = at
  while (json.charCodeAt(before - 1) === backslash) before--
  return (at - before) % 2 === 1
}

/** One item of the list that a YAML file is. */
export interface Item {
  readonly text: string
  /** Of its first line, from 1. */
  readonly line: number
}

/**
 * The text of a block list, cut where a line begins with a hyphen. Where that is inside of something, the pieces before and
 * after it are no whole YAML, so whoever reads them notices.
 */
export function listItems(text: string): Item[] | undefined {
  const starts = Array.from(text.matchAll(/^-(?=[ \n])/gm), ({ index }) => index)
  const [first] = starts
  if (first === undefined || !/^(?:(?:#.*|---)?\n)*$/.test(text.slice(0, first))) return undefined

  let line = 1
  let counted = 0
  return starts.map((start, at) => {
    for (; counted < start; counted++) if (text.charCodeAt(counted) === newline) line++
    return { text: text.slice(start, starts[at + 1]), line }
  })
}

const newline = 0x0a

/**
 * The text of a rule, cut where a line begins with a key of its own, the rest of it indented as far. The rules of a file are
 * much alike, so most of the pieces are not new.
 */
export function itemSections({ text }: Item): string[] {
  return ` ${text.slice(1)}`.split(/^(?=  [^\s#?:-])/m).filter(section => /^[ \t]*[^\s#]/m.test(section))
}

/** Of YAML without anchors, aliases and tags, which may mean something beyond it. */
export function parsePlainYaml(text: string): unknown {
  if (/(?:^|[\s,[{])[&*!]/m.test(text) || mayBeDeep(text)) return undefined
  const document = parseDocument(text, { prettyErrors: false, stringKeys: true, uniqueKeys: false, merge: true })
  return document.errors.length + document.warnings.length === 0 ? document.contents : undefined
}

/** Each level takes a character: of a line, or of brackets. */
function mayBeDeep(text: string): boolean {
  return /^.{200}/m.test(text) || (text.match(/[[{]/g)?.length ?? 0) > maxDepth
}
