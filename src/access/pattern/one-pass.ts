/**
 * Which patterns a backtracking engine matches in linear time, by construction.
 *
 * A pattern is one-pass when, at every choice it leaves open (a branch, one more repetition or none), the next character
 * alone says which way can go on. A backtracking engine then still tries the other ways, but each of them fails at its
 * first character, so no text is read twice: the work is at most (length of the URL) x (size of the pattern). Choices
 * outside of repeats may be ambiguous: each multiplies the bound by its number of branches, and the product is capped.
 */
import { type CharSet, type Node, childrenOf, endOfUrl, groupsIn, nothing } from './syntax-tree.js'

/** Ways through the ambiguous choices of one pattern; `<http|https>` has two. */
const maxWays = 16

/** Whether the pattern, matched from the start to the end of a URL, may be given to a JavaScript `RegExp`. */
export function isOnePass(pattern: Node): boolean {
  const proof: Proof = { ways: 1 }
  return first(pattern, endOfUrl, false, proof) !== undefined && proof.ways <= maxWays
}

interface Proof {
  ways: number
}

/**
 * The characters that what stands here and after it can begin with, when `next` are those of what comes after; `undefined`
 * when the pattern is not one-pass.
 */
function first(node: Node, next: CharSet, repeated: boolean, proof: Proof): CharSet | undefined {
  switch (node.kind) {
    case 'set': return node.chars
    case 'group': return first(node.body, next, repeated, proof)
    case 'edge': return node.at === 'end' ? endOfUrl : next
    case 'sequence': return firstOfSequence(node.items, next, repeated, proof)
    case 'choice': return firstOfChoice(node.branches, next, repeated, proof)
    case 'repeat': return firstOfRepeat(node, next, repeated, proof)
    // tried at every position at most, and done with the moment its body has matched
    case 'lookahead': return isBounded(node.body) && first(node.body, nothing, false, proof) !== undefined ? next : undefined
  }
}

function firstOfSequence(items: readonly Node[], next: CharSet, repeated: boolean, proof: Proof): CharSet | undefined {
  let chars: CharSet | undefined = next
  for (let at = items.length - 1; at >= 0 && chars !== undefined; at--) chars = first(items[at] as Node, chars, repeated, proof)
  return chars
}

function firstOfChoice(branches: readonly Node[], next: CharSet, repeated: boolean, proof: Proof): CharSet | undefined {
  let chars = nothing
  let ambiguous = false
  for (const branch of branches) {
    const begins = first(branch, next, repeated, proof)
    if (begins === undefined) return undefined
    if ((chars & begins) !== nothing) ambiguous = true
    chars |= begins
  }
  return allowed(ambiguous, branches.length, repeated, proof) ? chars : undefined
}

function firstOfRepeat(node: Extract<Node, { kind: 'repeat' }>, next: CharSet, repeated: boolean, proof: Proof): CharSet | undefined {
  const { body, min, max } = node
  if (max === 0) return next
  const loops = max > 1
  if (loops && (isNullable(body) || mayKeepStaleCaptures(body))) return undefined

  // what can follow one round: another round, or what comes after all of them
  const begins = first(body, loops ? beginnings(body) | next : next, repeated || loops, proof)
  if (begins === undefined || min === max) return begins

  if (!allowed((begins & next) !== nothing, 2, repeated || loops, proof)) return undefined
  return min === 0 ? begins | next : begins
}

function allowed(ambiguous: boolean, branches: number, repeated: boolean, proof: Proof): boolean {
  if (!ambiguous) return true
  proof.ways *= branches
  return !repeated
}

/** The characters that its matches begin with. */
function beginnings(node: Node): CharSet {
  if (node.kind === 'set') return node.chars
  if (node.kind !== 'sequence') return childrenOf(node).reduce((chars, child) => chars | beginnings(child), nothing)

  let chars = nothing
  for (const item of node.items) {
    if (item.kind === 'lookahead') continue
    chars |= beginnings(item)
    if (!isNullable(item)) break
  }
  return chars
}

/** Whether it can match without reading a character. */
function isNullable(node: Node): boolean {
  switch (node.kind) {
    case 'set': return false
    case 'group': return isNullable(node.body)
    case 'sequence': return node.items.every(isNullable)
    case 'choice': return node.branches.some(isNullable)
    case 'repeat': return node.min === 0 || isNullable(node.body)
    default: return true
  }
}

/** Whether what it matches is never longer than the pattern says. */
function isBounded(node: Node): boolean {
  return !(node.kind === 'repeat' && node.max === Infinity) && childrenOf(node).every(isBounded)
}

/** JavaScript forgets captures at every round of a repeat, other engines keep those of groups that took no part again. */
function mayKeepStaleCaptures(node: Node): boolean {
  if (node.kind === 'choice' || (node.kind === 'repeat' && node.min === 0)) return groupsIn(node).length > 0
  return childrenOf(node).some(mayKeepStaleCaptures)
}
