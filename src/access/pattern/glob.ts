/**
 * Reads what stands between `<` and `>` under the strategy `glob` (contract 1.5): the language of gobwas/glob with the
 * separators `.` and `/`. Globs capture nothing.
 */
import { charNode } from './canonical-text.js'
import { type Cursor, fail } from './cursor.js'
import { type CharSet, type Node, charOf, charsOf, complement, nothing, range, sequence } from './syntax-tree.js'

const notSeparator = complement(charsOf('./'))
const maxDepth = 50

/** The tree of one expression. Throws `PatternError`. */
export function parseGlob(text: string, offset: number): Node {
  return readSequence({ text, at: 0, offset }, 0)
}

function readSequence(cursor: Cursor, depth: number): Node {
  if (depth > maxDepth) throw fail(cursor, `Alternatives are nested more than ${maxDepth} deep`)

  const items: Node[] = []
  while (cursor.at < cursor.text.length && !(depth > 0 && ',}'.includes(cursor.text[cursor.at] as string))) {
    items.push(readItem(cursor, depth))
  }
  return sequence(items)
}

function readItem(cursor: Cursor, depth: number): Node {
  const char = String.fromCodePoint(cursor.text.codePointAt(cursor.at) as number)
  if (char === '{') return readAlternatives(cursor, depth)
  if (char === '[') return { kind: 'set', chars: readClass(cursor) }
  if (char === '\\') return readEscaped(cursor)

  cursor.at += char.length
  if (char === '?') return { kind: 'set', chars: notSeparator }
  if (char !== '*') return charNode(char)

  const crossing = cursor.text[cursor.at] === '*'
  if (crossing) cursor.at++
  return { kind: 'repeat', body: { kind: 'set', chars: crossing ? complement(nothing) : notSeparator }, min: 0, max: Infinity, lazy: false }
}

function readAlternatives(cursor: Cursor, depth: number): Node {
  const begin = cursor.at
  const branches: Node[] = []
  do {
    cursor.at++
    branches.push(readSequence(cursor, depth + 1))
  } while (cursor.text[cursor.at] === ',')

  if (cursor.text[cursor.at] !== '}') throw fail(cursor, 'This "{" is never closed', begin)
  cursor.at++
  return { kind: 'choice', branches }
}

function readEscaped(cursor: Cursor): Node {
  const code = cursor.text.codePointAt(cursor.at + 1)
  if (code === undefined) throw fail(cursor, 'A backslash ends the expression')

  const char = String.fromCodePoint(code)
  cursor.at += 1 + char.length
  return charNode(char)
}

/** One range (`[a-z]`) or a list of characters (`[abc]`), either negated by `!`; never both, as in gobwas. */
function readClass(cursor: Cursor): CharSet {
  const begin = cursor.at
  const found = /^\[(!?)((?:\\[^]|[^\\\]])+)\]/.exec(cursor.text.slice(begin))
  if (found === null) throw fail(cursor, 'This "[" is never closed, or closed at once')

  const [whole, not, members = ''] = found
  const [, from, to, more] = /^(.)-(.)(.*)$/s.exec(members) ?? []
  if (more !== undefined && more !== '') throw fail(cursor, 'A glob class is one range or a list of characters: write {[a-z],[0-9]}', begin)
  if (from !== undefined && to !== undefined && to < from) throw fail(cursor, 'This is no range of characters', begin)

  cursor.at += whole.length
  const chars = from === undefined || to === undefined ? charsOf(members.replace(/\\([^])/g, '$1')) : rangeOf(from, to)
  return not === '!' ? complement(chars) : chars
}

function rangeOf(from: string, to: string): CharSet {
  return range(from.charCodeAt(0), to.charCodeAt(0)) | charOf(from.charCodeAt(0))
}
