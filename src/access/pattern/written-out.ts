/**
 * Writes negative lookaheads out as ordinary choices where that is possible: before a `.*` that ends the pattern, which is
 * where rule files have them. `(?!ab).*` is what begins otherwise than `ab`: nothing, or another character than `a` and
 * anything, or `a` and then nothing, or `a`, another character than `b` and anything.
 */
import { absentGroups } from './lookaheads.js'
import { type CharSet, type Node, charOf, codesOf, complement, empty, everything, nothing, sequence } from './syntax-tree.js'

type Lookahead = Extract<Node, { kind: 'lookahead' }>
type Repeat = Extract<Node, { kind: 'repeat' }>

/** The same pattern with as few lookaheads as this way allows. */
export function writeOutLookaheads(node: Node): Node {
  if (node.kind === 'group') return { ...node, body: writeOutLookaheads(node.body) }
  if (node.kind === 'choice') return { ...node, branches: node.branches.map(writeOutLookaheads) }
  if (node.kind !== 'sequence') return node

  const items = withoutEnd(node.items)
  const last = items.at(-1)
  if (last === undefined) return node
  const looks = isAnything(last) ? trailingLookaheads(items.slice(0, -1)) : []
  const forbidden = looks.length === 0 ? undefined : beginningsOf(looks)
  if (forbidden === undefined || !isAnything(last)) return sequence([...items.slice(0, -1), writeOutLookaheads(last)])

  const groups = looks.map(look => absentGroups(look.body))
  return sequence([...items.slice(0, -1 - looks.length), ...groups, otherThan(treeOf(forbidden), last, last.min)])
}

/** `$` at the end of the pattern says nothing new. */
function withoutEnd(items: readonly Node[]): readonly Node[] {
  const last = items.at(-1)
  return last?.kind === 'edge' && last.at === 'end' ? withoutEnd(items.slice(0, -1)) : items
}

/** `.*`, `.+`, `[^/]*`: characters of one set, to the end. */
function isAnything(node: Node): node is Repeat & { readonly body: { readonly kind: 'set', readonly chars: CharSet } } {
  return node.kind === 'repeat' && node.body.kind === 'set' && node.max === Infinity && node.min <= 1
}

function trailingLookaheads(items: readonly Node[]): Lookahead[] {
  const looks: Lookahead[] = []
  for (const item of items.toReversed()) {
    if (item.kind !== 'lookahead' || !item.negative) break
    looks.unshift(item)
  }
  return looks
}

/** A way in which what is forbidden begins; with `whole`, it ends there, too. */
interface Beginning {
  readonly text: string
  readonly whole: boolean
}

const maxBeginnings = 128
/** Larger sets are not spelled out: `[aA]` is, `[a-z]` is not. */
const maxSet = 4

/** All of them; `undefined` when they are not few. */
function beginningsOf(looks: readonly Lookahead[]): Beginning[] | undefined {
  return union(looks.map(look => spell(withoutTail(look.body))))
}

function spell(node: Node): Beginning[] | undefined {
  switch (node.kind) {
    case 'set': return codesOf(node.chars).length > maxSet ? undefined : codesOf(node.chars).map(code => ({ text: String.fromCharCode(code), whole: false }))
    case 'group': return spell(node.body)
    case 'choice': return union(node.branches.map(spell))
    case 'sequence': return node.items.reduce<Beginning[] | undefined>((before, item) => append(before, spell(item)), [{ text: '', whole: false }])
    case 'repeat': return node.max === 1 ? union([spell(node.body), node.min === 0 ? [{ text: '', whole: false }] : []]) : undefined
    case 'edge': return node.at === 'end' ? [{ text: '', whole: true }] : undefined
    default: return undefined
  }
}

function union(parts: readonly (Beginning[] | undefined)[]): Beginning[] | undefined {
  const all: Beginning[] = []
  for (const part of parts) {
    if (part === undefined || all.length + part.length > maxBeginnings) return undefined
    all.push(...part)
  }
  return all
}

function append(before: Beginning[] | undefined, after: Beginning[] | undefined): Beginning[] | undefined {
  if (before === undefined || after === undefined || before.length * after.length > maxBeginnings) return undefined
  return before.flatMap(({ text, whole }) => (
    after.filter(next => !whole || next.text === '').map(next => ({ text: text + next.text, whole: whole || next.whole }))
  ))
}

/** What may be absent at the end of a lookahead makes no difference: `(?!admin.*)`, `(?!admin.*$)` are `(?!admin)`. */
function withoutTail(node: Node): Node {
  if (node.kind === 'group') return { ...node, body: withoutTail(node.body) }
  if (node.kind === 'choice') return { ...node, branches: node.branches.map(withoutTail) }
  if (node.kind === 'repeat' && node.min === 0) return empty
  if (node.kind !== 'sequence') return node

  const last = node.items.at(-1)
  if (last === undefined) return node
  const rest = node.items.slice(0, -1)
  if (last.kind === 'edge' && last.at === 'end' && isAnyText(rest.at(-1))) return withoutTail(sequence(rest.slice(0, -1)))

  const trimmed = withoutTail(last)
  return trimmed === empty ? withoutTail(sequence(rest)) : sequence([...rest, trimmed])
}

function isAnyText(node: Node | undefined): boolean {
  return node !== undefined && isAnything(node) && node.min === 0 && (complement(node.body.chars) & printable) === nothing
}

/** All that a URL can hold. */
const printable: CharSet = everything & ~(charOf(127) | ((1n << 33n) - 1n))

/** What is forbidden, by its next character. */
interface Tree {
  readonly next: Map<number, Tree>
  /** Forbidden whatever follows. */
  always: boolean
  /** Forbidden when nothing follows. */
  atEnd: boolean
}

function treeOf(beginnings: readonly Beginning[]): Tree {
  const root: Tree = { next: new Map(), always: false, atEnd: false }
  for (const { text, whole } of beginnings) {
    let tree = root
    for (const char of text) {
      const code = char.charCodeAt(0)
      const below = tree.next.get(code) ?? { next: new Map(), always: false, atEnd: false }
      tree.next.set(code, below)
      tree = below
    }
    if (whole) tree.atEnd = true
    else tree.always = true
  }
  return root
}

/** The texts of `tail` that are not forbidden, of at least `min` characters. */
function otherThan(tree: Tree, tail: Repeat & { readonly body: { readonly chars: CharSet } }, min: number): Node {
  if (tree.always) return { kind: 'set', chars: nothing }

  const branches: Node[] = []
  let others = tail.body.chars
  for (const [code, below] of tree.next) {
    const char = charOf(code) & tail.body.chars
    others &= ~charOf(code)
    if (char !== nothing) branches.push(sequence([{ kind: 'set', chars: char }, otherThan(below, tail, 0)]))
  }
  branches.push(sequence([{ kind: 'set', chars: others }, { ...tail, min: 0 }]))
  if (min === 0 && !tree.atEnd) branches.push({ kind: 'edge', at: 'end' })
  return { kind: 'choice', branches }
}
