/** What every match of a pattern begins with, where that is a few known texts: the index of rules is made of it. */
import { type Node, childrenOf, onlyChar } from './syntax-tree.js'

export interface LeadingTexts {
  /** Every match begins with one of them. */
  readonly texts: readonly string[]
  /** They are all the matches there are. */
  readonly whole: boolean
}

/** How many texts are kept; a pattern with more begins with anything. */
export const maxTexts = 32

const anything: LeadingTexts = { texts: [''], whole: false }

export function leadingTexts(node: Node): LeadingTexts {
  switch (node.kind) {
    case 'set': return ofSet(onlyChar(node))
    case 'group': return leadingTexts(node.body)
    case 'sequence': return ofSequence(node.items)
    case 'choice': return ofChoice(node.branches)
    case 'repeat': return ofRepeat(node.min, node.max, leadingTexts(node.body))
    default: return anything
  }
}

/** Whether a `char` can be part of what the node matches. */
export function mayHold(node: Node, chars: bigint): boolean {
  return node.kind === 'set' ? (node.chars & chars) !== 0n : childrenOf(node).some(child => mayHold(child, chars))
}

function ofSet(char: string | undefined): LeadingTexts {
  return char === undefined ? anything : { texts: [char], whole: true }
}

function ofSequence(items: readonly Node[]): LeadingTexts {
  let texts: readonly string[] = ['']
  for (const item of items) {
    const next = leadingTexts(item)
    if (texts.length * next.texts.length > maxTexts) return { texts, whole: false }
    texts = next.texts.length === 1 ? texts.map(text => text + next.texts[0]) : [...new Set(texts.flatMap(text => next.texts.map(more => text + more)))]
    if (!next.whole) return { texts, whole: false }
  }
  return { texts, whole: true }
}

function ofChoice(branches: readonly Node[]): LeadingTexts {
  const each = branches.map(leadingTexts)
  const texts = [...new Set(each.flatMap(branch => branch.texts))]
  return texts.length > maxTexts ? anything : { texts, whole: each.every(branch => branch.whole) }
}

function ofRepeat(min: number, max: number, once: LeadingTexts): LeadingTexts {
  if (max === 0) return { texts: [''], whole: true }
  if (min === 0) return max === 1 ? { texts: [...new Set([...once.texts, ''])], whole: once.whole } : anything
  return max === 1 ? once : { texts: once.texts, whole: false }
}
