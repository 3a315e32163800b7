/** Character classes and escapes of regexps, as sets of ASCII characters: `[a-z]`, `[[:digit:]]`, `\d`, `\x2f`, `\p{Lu}`. */
import { type Cursor, fail } from './cursor.js'
import { type CharSet, charOf, charsOf, complement, nothing, range } from './syntax-tree.js'

const digits = range(0x30, 0x39)
const letters = range(0x41, 0x5a) | range(0x61, 0x7a)
const word = digits | letters | charsOf('_')
const space = charsOf(' \t\n\v\f\r')

/** `\d` and `\w` are ASCII: .NET's cover all of Unicode, and a URL has neither. */
const shorthands: Readonly<Record<string, CharSet>> = {
  d: digits, D: complement(digits), w: word, W: complement(word), s: space, S: complement(space),
}

const posix: Readonly<Record<string, CharSet>> = {
  alnum: digits | letters, alpha: letters, ascii: range(0, 127), blank: charsOf(' \t'), cntrl: range(0, 31) | charOf(127),
  digit: digits, graph: range(33, 126), lower: range(0x61, 0x7a), print: range(32, 126), space, upper: range(0x41, 0x5a), word,
  punct: range(33, 126) & complement(digits | letters), xdigit: digits | range(0x41, 0x46) | range(0x61, 0x66),
}

const controls: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f', v: '\v', a: '\x07', e: '\x1b' }

type Escaped =
  | { readonly kind: 'char', readonly char: string }
  | { readonly kind: 'set', readonly chars: CharSet }
  | { readonly kind: 'edge', readonly at: 'start' | 'end' | 'word' | 'not-word' }

/** What a backslash and what follows it stand for, outside of classes. */
export function readEscape(cursor: Cursor): Escaped {
  const begin = cursor.at
  const next = cursor.text[begin + 1]
  if (next === 'b') return edge(cursor, 'word')
  if (next === 'B') return edge(cursor, 'not-word')
  if (next === 'A') return edge(cursor, 'start')
  if (next === 'z' || next === 'Z') return edge(cursor, 'end')
  if (next !== undefined && /[1-9k]/.test(next)) throw fail(cursor, 'Backreferences can not be matched in linear time')
  return readClassEscape(cursor)
}

/** From `[` to its `]`. */
export function readClass(cursor: Cursor): CharSet {
  const begin = cursor.at
  cursor.at++
  const negated = cursor.text[cursor.at] === '^'
  if (negated) cursor.at++

  let chars = nothing
  let first = true
  while (first || cursor.text[cursor.at] !== ']') {
    if (cursor.at >= cursor.text.length) throw fail(cursor, 'This "[" is never closed', begin)
    chars |= readMember(cursor)
    first = false
  }
  cursor.at++
  return negated ? complement(chars) : chars
}

function readMember(cursor: Cursor): CharSet {
  const begin = cursor.at
  const named = /^\[:(\^?)([a-z]+):\]/.exec(cursor.text.slice(begin))
  if (named !== null) {
    const chars = posix[named[2] as string]
    if (chars === undefined) throw fail(cursor, `There is no class [:${named[2]}:]`)
    cursor.at += named[0].length
    return named[1] === '^' ? complement(chars) : chars
  }

  if (/^-\[(?!:)/.test(cursor.text.slice(begin))) throw fail(cursor, 'Class subtraction is not supported')
  const from = readClassChar(cursor)
  if (from.kind !== 'char') return from.kind === 'set' ? from.chars : nothing
  if (cursor.text[cursor.at] !== '-' || cursor.text[cursor.at + 1] === ']') return charOf(from.char.charCodeAt(0))

  cursor.at++
  const to = readClassChar(cursor)
  if (to.kind !== 'char' || to.char < from.char) throw fail(cursor, 'This is no range of characters', begin)
  return range(from.char.charCodeAt(0), to.char.charCodeAt(0))
}

function readClassChar(cursor: Cursor): Escaped {
  const { text, at } = cursor
  if (text[at] === '\\') return text[at + 1] === 'b' ? char(cursor, '\b', 2) : readClassEscape(cursor)

  const found = text[at]
  if (found === undefined) throw fail(cursor, 'This class is never closed')
  if (found > '\x7f') throw fail(cursor, 'Paths are matched percent-encoded: a class can hold ASCII only, use (?:a|b) instead')
  return char(cursor, found, 1)
}

function readClassEscape(cursor: Cursor): Escaped {
  const { text, at } = cursor
  const next = text[at + 1]
  if (next === undefined) throw fail(cursor, 'A backslash ends the expression')

  const shorthand = shorthands[next]
  if (shorthand !== undefined) return set(cursor, shorthand, 2)
  const control = controls[next]
  if (control !== undefined) return char(cursor, control, 2)
  if (next === 'p' || next === 'P') return readProperty(cursor)

  const coded = /^\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|x\{([0-9A-Fa-f]{1,6})\})/.exec(text.slice(at))
  if (coded !== null) {
    const code = parseInt(coded[1] ?? coded[2] ?? coded[3] as string, 16)
    if (code > 0x10ffff) throw fail(cursor, 'There is no such character')
    return char(cursor, String.fromCodePoint(code), coded[0].length)
  }
  if (/[0-9A-Za-z]/.test(next)) throw fail(cursor, `The escape "\\${next}" is not supported`)
  return char(cursor, String.fromCodePoint(text.codePointAt(at + 1) as number), 1 + String.fromCodePoint(text.codePointAt(at + 1) as number).length)
}

/** `\p{L}`, `\pL`, `\P{Greek}`, as far as ASCII goes. */
function readProperty(cursor: Cursor): Escaped {
  const found = /^\\([pP])(?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))/.exec(cursor.text.slice(cursor.at))
  const name = found?.[3] ?? found?.[4]
  const property = name === undefined ? undefined : unicodeProperty(name)
  if (found === null || property === undefined) throw fail(cursor, 'There is no such Unicode property')

  let chars = nothing
  for (let code = 0; code < 128; code++) {
    if (property.test(String.fromCharCode(code))) chars |= charOf(code)
  }
  const negated = (found[1] === 'P') !== (found[2] === '^')
  return set(cursor, negated ? complement(chars) : chars, found[0].length)
}

function unicodeProperty(name: string): RegExp | undefined {
  for (const source of [`\\p{${name}}`, `\\p{Script=${name}}`]) {
    try {
      return new RegExp(source, 'u')
    } catch {
      continue
    }
  }
  return undefined
}

function char(cursor: Cursor, found: string, length: number): Escaped {
  cursor.at += length
  return { kind: 'char', char: found }
}

function set(cursor: Cursor, chars: CharSet, length: number): Escaped {
  cursor.at += length
  return { kind: 'set', chars }
}

function edge(cursor: Cursor, at: 'start' | 'end' | 'word' | 'not-word'): Escaped {
  cursor.at += 2
  return { kind: 'edge', at }
}
