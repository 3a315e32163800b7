/** URL patterns as a tree: what regexp and glob are both read into, and what matchers are made from. */

/**
 * A set of ASCII characters, bit n for code n. That is enough: URLs that are matched are canonical, so anything beyond
 * ASCII is percent-encoded in them. Bit 128 stands for the end of the URL where follow sets are computed.
 */
export type CharSet = bigint

export type Node =
  | { readonly kind: 'set', readonly chars: CharSet }
  | { readonly kind: 'sequence', readonly items: readonly Node[] }
  | { readonly kind: 'choice', readonly branches: readonly Node[] }
  | { readonly kind: 'repeat', readonly body: Node, readonly min: number, readonly max: number, readonly lazy: boolean }
  /** Captures what `body` matched. */
  | { readonly kind: 'group', readonly body: Node, readonly name: string | undefined }
  | { readonly kind: 'lookahead', readonly body: Node, readonly negative: boolean }
  | { readonly kind: 'edge', readonly at: 'start' | 'end' | 'word' | 'not-word' }

export type SetNode = Extract<Node, { kind: 'set' }>

/** A pattern that can't be used, and where in its text the reason is. */
export class PatternError extends Error {
  override readonly name = 'PatternError'
  /** Index into the pattern as written; absent when it is about the pattern as a whole. */
  readonly offset: number | undefined

  constructor(message: string, offset?: number) {
    super(message)
    this.offset = offset
  }
}

export const nothing: CharSet = 0n
export const everything: CharSet = (1n << 128n) - 1n
export const endOfUrl: CharSet = 1n << 128n
export const empty: Node = { kind: 'sequence', items: [] }

/** The sets of one character, by its code. */
const singles: readonly CharSet[] = Array.from({ length: 128 }, (_, code) => 1n << BigInt(code))
const singleChars: ReadonlyMap<CharSet, string> = new Map(singles.map((chars, code) => [chars, String.fromCharCode(code)]))

export function charOf(code: number): CharSet {
  return singles[code] ?? nothing
}

/** Both ends included. */
export function range(from: number, to: number): CharSet {
  let chars = nothing
  for (let code = from; code <= Math.min(to, 127); code++) chars |= charOf(code)
  return chars
}

export function charsOf(text: string): CharSet {
  let chars = nothing
  for (let at = 0; at < text.length; at++) chars |= charOf(text.charCodeAt(at))
  return chars
}

export function complement(chars: CharSet): CharSet {
  return everything & ~chars
}

/** Codes in the set, ascending. */
export function codesOf(chars: CharSet): number[] {
  const codes: number[] = []
  for (let code = 0; code < 128; code++) {
    if ((chars & charOf(code)) !== nothing) codes.push(code)
  }
  return codes
}

/** Most nodes of most patterns: shared, so that what they stand for is known without looking at their sets. */
const literalNodes: readonly SetNode[] = singles.map(chars => ({ kind: 'set', chars }))
const literalChars: ReadonlyMap<SetNode, string> = new Map(literalNodes.map((node, code) => [node, String.fromCharCode(code)]))

/** The one character of a set that has one; `undefined` otherwise. */
export function onlyChar(node: SetNode): string | undefined {
  return literalChars.get(node) ?? singleChars.get(node.chars)
}

/** A text that stands for itself. */
export function literal(text: string): Node {
  return { kind: 'sequence', items: [...text].map(char => literalNodes[char.charCodeAt(0)] ?? { kind: 'set', chars: nothing }) }
}

export function sequence(items: readonly Node[]): Node {
  return items.length === 1 ? items[0] as Node : { kind: 'sequence', items }
}

/** The parts of a node, in the order they stand in the pattern. */
export function childrenOf(node: Node): readonly Node[] {
  if (node.kind === 'sequence') return node.items
  if (node.kind === 'choice') return node.branches
  return 'body' in node ? [node.body] : []
}

/** All capturing groups below a node, in the order of their opening parentheses. */
export function groupsIn(node: Node): Extract<Node, { kind: 'group' }>[] {
  const below = childrenOf(node).flatMap(groupsIn)
  return node.kind === 'group' ? [node, ...below] : below
}

export function hasLookahead(node: Node): boolean {
  return node.kind === 'lookahead' || childrenOf(node).some(hasLookahead)
}
