/**
 * Reads what stands between `<` and `>` under the strategy `regexp` (contract 1.4): the syntax that .NET-style engines and
 * RE2 share. What no linear-time matcher can do, and what would silently mean something else, is refused with its place.
 */
import { canonicalEscape, charNode } from './canonical-text.js'
import { type Cursor, fail, take } from './cursor.js'
import { readClass, readEscape } from './regexp-classes.js'
import { type CharSet, type Node, charOf, charsOf, complement, literal, sequence } from './syntax-tree.js'

/** Counted repeats beyond it are refused, as RE2 does. */
const maxRepeat = 1000
const maxDepth = 50

/** What `(?i)` and `(?s)` switch. */
interface Flags {
  readonly ignoreCase: boolean
  readonly dotAll: boolean
}

/** The tree of one expression. Throws `PatternError`. */
export function parseRegexp(text: string, offset: number): Node {
  const cursor: Cursor = { text, at: 0, offset }
  const node = readChoice(cursor, { ignoreCase: false, dotAll: false }, 0)
  if (cursor.at < text.length) throw fail(cursor, 'This ")" closes no "("')
  return node
}

function readChoice(cursor: Cursor, flags: Flags, depth: number): Node {
  if (depth > maxDepth) throw fail(cursor, `Groups are nested more than ${maxDepth} deep`)

  const branches: Node[] = []
  let current = flags
  do {
    const items: Node[] = []
    while (cursor.at < cursor.text.length && !'|)'.includes(cursor.text[cursor.at] as string)) {
      const inline = readInlineFlags(cursor, current)
      if (inline === undefined) items.push(readQuantified(cursor, current, depth))
      else current = inline
    }
    branches.push(sequence(items))
  } while (take(cursor, '|'))

  return branches.length === 1 ? branches[0] as Node : { kind: 'choice', branches }
}

function readQuantified(cursor: Cursor, flags: Flags, depth: number): Node {
  const begin = cursor.at
  const body = readAtom(cursor, flags, depth)
  const count = readQuantifier(cursor)
  if (count === undefined) return body

  const lazy = take(cursor, '?')
  const again = cursor.at
  if (readQuantifier(cursor) !== undefined) throw fail(cursor, 'A quantifier follows a quantifier', again)
  if (body.kind === 'lookahead' || body.kind === 'edge') throw fail(cursor, 'This matches no text and can not be repeated', begin)

  const [min, max] = count
  if (min > max) throw fail(cursor, 'The first number of a repeat is greater than the second', begin)
  if (min > maxRepeat || (max !== Infinity && max > maxRepeat)) throw fail(cursor, `Repeats end at ${maxRepeat}`, begin)
  return { kind: 'repeat', body, min, max, lazy }
}

function readQuantifier(cursor: Cursor): readonly [min: number, max: number] | undefined {
  if (take(cursor, '*')) return [0, Infinity]
  if (take(cursor, '+')) return [1, Infinity]
  if (take(cursor, '?')) return [0, 1]

  const counted = /^\{([0-9]+)(,?)([0-9]*)\}/.exec(cursor.text.slice(cursor.at))
  if (counted === null) return undefined
  const [whole, min, comma, max] = counted
  cursor.at += whole.length
  if (comma === '') return [Number(min), Number(min)]
  return [Number(min), max === '' ? Infinity : Number(max)]
}

function readAtom(cursor: Cursor, flags: Flags, depth: number): Node {
  const { text, at } = cursor
  const char = String.fromCodePoint(text.codePointAt(at) as number)

  if (char === '(') return readGroup(cursor, flags, depth)
  if (char === '[') return { kind: 'set', chars: foldCase(readClass(cursor), flags) }
  if (char === '\\') return readEscaped(cursor, flags)
  if ('*+?'.includes(char)) throw fail(cursor, `There is nothing for "${char}" to repeat; if this is a glob, set access_rules.matching_strategy to glob`)

  cursor.at += char.length
  if (char === '.') return { kind: 'set', chars: flags.dotAll ? complement(0n) : complement(charsOf('\n')) }
  if (char === '^') return { kind: 'edge', at: 'start' }
  if (char === '$') return { kind: 'edge', at: 'end' }

  const escape = /^%[0-9A-Fa-f]{2}/.exec(text.slice(at, at + 3))?.[0]
  if (escape !== undefined) {
    cursor.at = at + 3
    return literal(canonicalEscape(escape))
  }
  return plainChar(char, flags)
}

function plainChar(char: string, flags: Flags): Node {
  const node = charNode(char)
  return node.kind === 'set' ? { kind: 'set', chars: foldCase(node.chars, flags) } : node
}

function readEscaped(cursor: Cursor, flags: Flags): Node {
  const escaped = readEscape(cursor)
  if (escaped.kind === 'char') return plainChar(escaped.char, flags)
  if (escaped.kind === 'edge') return { kind: 'edge', at: escaped.at }
  return { kind: 'set', chars: foldCase(escaped.chars, flags) }
}

function readGroup(cursor: Cursor, flags: Flags, depth: number): Node {
  const begin = cursor.at
  cursor.at++

  const inside = (inner: Flags): Node => {
    const body = readChoice(cursor, inner, depth + 1)
    if (!take(cursor, ')')) throw fail(cursor, 'This "(" is never closed', begin)
    return body
  }

  if (!take(cursor, '?')) return { kind: 'group', body: inside(flags), name: undefined }
  if (take(cursor, ':')) return inside(flags)
  if (take(cursor, '=')) return { kind: 'lookahead', body: inside(flags), negative: false }
  if (take(cursor, '!')) return { kind: 'lookahead', body: inside(flags), negative: true }
  if (/^<[=!]/.test(cursor.text.slice(cursor.at))) throw fail(cursor, 'Lookbehind is not supported', begin)

  const name = /^P?<([A-Za-z_][A-Za-z0-9_]*)>/.exec(cursor.text.slice(cursor.at))
  if (name !== null) {
    cursor.at += name[0].length
    return { kind: 'group', body: inside(flags), name: name[1] }
  }

  const switched = readFlags(cursor, flags)
  if (switched !== undefined && take(cursor, ':')) return inside(switched)
  throw fail(cursor, 'This kind of group is not supported: it can not be matched in linear time', begin)
}

/** `(?i)` and the like, which change the flags up to the end of their group. */
function readInlineFlags(cursor: Cursor, flags: Flags): Flags | undefined {
  if (!cursor.text.startsWith('(?', cursor.at)) return undefined

  const begin = cursor.at
  cursor.at += 2
  const switched = readFlags(cursor, flags)
  if (switched !== undefined && take(cursor, ')')) return switched
  cursor.at = begin
  return undefined
}

/** `m` changes nothing here: URLs have no lines. */
function readFlags(cursor: Cursor, flags: Flags): Flags | undefined {
  const found = /^([ims]*)(?:-([ims]+))?(?=[:)])/.exec(cursor.text.slice(cursor.at))
  if (found === null || found[0] === '') return undefined

  cursor.at += found[0].length
  const [, on = '', off = ''] = found
  return {
    ignoreCase: (flags.ignoreCase || on.includes('i')) && !off.includes('i'),
    dotAll: (flags.dotAll || on.includes('s')) && !off.includes('s'),
  }
}

function foldCase(chars: CharSet, { ignoreCase }: Flags): CharSet {
  if (!ignoreCase) return chars

  let folded = chars
  for (let code = 0x41; code <= 0x5a; code++) {
    const both = charOf(code) | charOf(code + 0x20)
    if ((chars & both) !== 0n) folded |= both
  }
  return folded
}
