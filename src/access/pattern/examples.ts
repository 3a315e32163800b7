/** URLs that a pattern matches, found by walking its tree: the witnesses by which overlapping rules are told at load. */
import { type Node, type SetNode, charOf, codesOf, onlyChar } from './syntax-tree.js'

const variants = 8
const preferred = [...'a1x0-zA_']

/** A few canonical URLs that `test` accepts; none when the walk finds none. */
export function examplesOf(pattern: Node, test: (url: string) => boolean): string[] {
  const urls = new Set<string>()
  for (let variant = 0; variant < variants; variant++) urls.add(walk(pattern, variant))
  return [...urls].filter(url => isCanonical(url) && test(url))
}

function walk(node: Node, variant: number): string {
  switch (node.kind) {
    case 'set': return pick(node, variant)
    case 'group': return walk(node.body, variant)
    case 'sequence': return node.items.map((item, at) => walk(item, variant + (item.kind === 'set' ? 0 : at % 2))).join('')
    case 'choice': return walk(node.branches[variant % node.branches.length] as Node, variant)
    case 'repeat': return walk(node.body, variant).repeat(Math.min(node.max, Math.max(node.min, variant % 3)))
    default: return ''
  }
}

function pick(node: SetNode, variant: number): string {
  const { chars } = node
  const char = onlyChar(node)
  if (char !== undefined) return char
  const usual = preferred.filter(char => (chars & charOf(char.charCodeAt(0))) !== 0n)
  if (usual.length > 0) return usual[variant % usual.length] as string
  const printable = codesOf(chars).filter(code => code > 32 && code < 127)
  return String.fromCharCode(printable[variant % printable.length] ?? 0)
}

function isCanonical(url: string): boolean {
  return /^https?:\/\/[^/]+(?:\/(?!\/|\.{1,2}(?:\/|$))[^/]*)+$/.test(url) && !/[^!-~]|[#?\\]/.test(url)
}
