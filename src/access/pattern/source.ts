/** Writes a pattern's tree as the text of a regular expression that JavaScript and RE2 read alike. */
import { type Node, type SetNode, codesOf, groupsIn, nothing, onlyChar } from './syntax-tree.js'

/** Matches nothing, in both languages. */
const never = '\\b\\B'

/**
 * Flags are gone from it (sets hold both cases), classes are spelled as ASCII ranges and groups are unnamed: nothing is
 * left that the two engines could understand differently.
 */
export function regexpSource(node: Node): string {
  switch (node.kind) {
    case 'set': return setSource(node)
    case 'sequence': return node.items.map(item => item.kind === 'choice' ? `(?:${regexpSource(item)})` : regexpSource(item)).join('')
    case 'choice': return node.branches.map(regexpSource).join('|')
    case 'group': return `(${regexpSource(node.body)})`
    case 'lookahead': return `(?${node.negative ? '!' : '='}${regexpSource(node.body)})`
    case 'edge': return { start: '^', end: '$', word: '\\b', 'not-word': '\\B' }[node.at]
    case 'repeat': return `${repeatable(node.body)}${quantifier(node.min, node.max)}${node.lazy ? '?' : ''}`
  }
}

/**
 * For each captured text, in the order that rules count them, the number of its group in the source: groups are numbered
 * by their opening parentheses, named ones after all others (contract 1.4).
 */
export function captureOrder(node: Node): number[] {
  const numbered = groupsIn(node).map(({ name }, at) => ({ name, number: at + 1 }))
  const unnamed = numbered.filter(({ name }) => name === undefined)
  const named = numbered.filter(({ name }) => name !== undefined)
  return [...unnamed, ...named].map(({ number }) => number)
}

function repeatable(body: Node): string {
  const source = regexpSource(body)
  return body.kind === 'set' || body.kind === 'group' ? source.startsWith(never) ? `(?:${source})` : source : `(?:${source})`
}

function quantifier(min: number, max: number): string {
  if (max === Infinity) return min === 0 ? '*' : min === 1 ? '+' : `{${min},}`
  return min === max ? `{${min}}` : min === 0 && max === 1 ? '?' : `{${min},${max}}`
}

function setSource(node: SetNode): string {
  const { chars } = node
  if (chars === nothing) return never
  const char = onlyChar(node)
  if (char !== undefined) return charSource(char.charCodeAt(0))
  return `[${rangesOf(codesOf(chars)).map(([from, to]) => from === to ? charSource(from) : `${charSource(from)}-${charSource(to)}`).join('')}]`
}

function rangesOf(codes: readonly number[]): [from: number, to: number][] {
  const ranges: [from: number, to: number][] = []
  for (const code of codes) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === code - 1) last[1] = code
    else ranges.push([code, code])
  }
  return ranges
}

function charSource(code: number): string {
  const char = String.fromCharCode(code)
  if (/[0-9A-Za-z/_%~:=&,;]/.test(char)) return char
  if (code > 32 && code < 127) return `\\${char}`
  return `\\x${code.toString(16).padStart(2, '0')}`
}
