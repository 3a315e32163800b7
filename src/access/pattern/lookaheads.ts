/**
 * Takes lookaheads out of a pattern, for engines that have none. That works where one stands at a place that the URL
 * itself determines: `http://h/<(?!admin).*>/edit` is `http://h/<.*>/edit`, and what follows `http://h/` does not
 * begin with `admin`. Each is then a linear match of its own.
 */
import { leadingTexts, maxTexts } from './leading-texts.js'
import { type Node, PatternError, empty, groupsIn, hasLookahead, sequence } from './syntax-tree.js'

/** A lookahead, and the texts it may stand behind: the URL begins with exactly one of them if it matches at all. */
export interface Hoisted {
  readonly behind: readonly string[]
  readonly body: Node
  readonly negative: boolean
}

/** The pattern without lookaheads, and these. Throws `PatternError` about one whose place can't be told. */
export function hoistLookaheads(pattern: Node): { readonly rest: Node, readonly lookaheads: readonly Hoisted[] } {
  const lookaheads: Hoisted[] = []
  const rest = hoist(pattern, { texts: [''], lookaheads })
  return { rest, lookaheads }
}

interface Progress {
  /** What can stand before the place that has been reached; `undefined` once that is not a few known texts any more. */
  texts: readonly string[] | undefined
  readonly lookaheads: Hoisted[]
}

function hoist(node: Node, progress: Progress): Node {
  if (node.kind === 'sequence') return sequence(node.items.map(item => hoist(item, progress)))
  if (node.kind === 'group') return { ...node, body: hoist(node.body, progress) }

  if (node.kind === 'lookahead') {
    if (progress.texts === undefined || !isPrefixFree(progress.texts)) throw refusal()
    if (hasLookahead(node.body)) throw refusal()
    if (!node.negative && groupsIn(node.body).length > 0) throw refusal()
    progress.lookaheads.push({ behind: progress.texts, body: node.body, negative: node.negative })
    return absentGroups(node.body)
  }

  if (hasLookahead(node)) throw refusal()
  const { texts, whole } = leadingTexts(node)
  const { texts: before } = progress
  const known = whole && before !== undefined && before.length * texts.length <= maxTexts
  progress.texts = known ? before.flatMap(text => texts.map(more => text + more)) : undefined
  return node
}

/** Groups in the place of those of a negative lookahead: they count but never capture. */
export function absentGroups(body: Node): Node {
  const never: Node = { kind: 'set', chars: 0n }
  const absent = groupsIn(body).map(({ name }): Node => (
    { kind: 'repeat', body: { kind: 'group', body: never, name }, min: 0, max: 1, lazy: false }
  ))
  return absent.length === 0 ? empty : sequence(absent)
}

function isPrefixFree(texts: readonly string[]): boolean {
  return texts.every(text => texts.every(other => other === text || !other.startsWith(text)))
}

function refusal(): PatternError {
  return new PatternError('A lookahead can not be matched in linear time here; write (?!...).* at the end of the pattern, or put it behind literal text')
}
