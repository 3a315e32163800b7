/** Compiles `match.url`: the whole URL without its query, literal text outside `<` and `>`, an expression inside. */
import { canonicalHost, canonicalPathText } from './pattern/canonical-text.js'
import { type Compiled, compile } from './pattern/compile.js'
import { type Part, splitDelimiters } from './pattern/delimiters.js'
import { examplesOf } from './pattern/examples.js'
import { parseGlob } from './pattern/glob.js'
import { leadingTexts, mayHold } from './pattern/leading-texts.js'
import { parseRegexp } from './pattern/regexp.js'
import { type Node, PatternError, charsOf, codesOf, childrenOf, literal, sequence } from './pattern/syntax-tree.js'

/** `access_rules.matching_strategy`. */
export type Strategy = 'regexp' | 'glob'

/** A compiled `match.url`. */
export interface UrlMatcher extends Compiled {
  /** Every URL that it matches begins with one of these. */
  readonly prefixes: readonly string[]
  /** Where the host is an expression: every path that it matches begins with one of these. */
  readonly pathPrefixes: readonly string[] | undefined
  /** A few URLs that it matches. */
  readonly examples: () => string[]
  /** Sentences about what makes it match nothing. */
  readonly warnings: readonly string[]
}

/**
 * Literal text is brought into the form that request URLs have: host in lower case without the scheme's own port, path
 * percent-encoded, no path meaning `/`. Throws `PatternError`.
 */
export function compileMatcher(pattern: string, strategy: Strategy): UrlMatcher {
  const { origin, path, hostIsOpen, texts } = readUrl(splitDelimiters(pattern), strategy)
  const tree = sequence([...origin, ...path])
  const compiled = compile(tree)
  const prefixes = leadingTexts(tree).texts

  return {
    ...compiled,
    prefixes,
    pathPrefixes: hostIsOpen ? leadingTexts(sequence(path)).texts : undefined,
    examples: () => examplesOf(tree, compiled.test),
    warnings: neverMatches(prefixes, texts),
  }
}

/** A pattern's text in order, as a tree, cut where the path begins. */
interface UrlTree {
  readonly origin: Node[]
  readonly path: Node[]
  /** Whether the host has an expression, and none of them could reach into the path. */
  hostIsOpen: boolean
  /** Literal texts of the path. */
  readonly texts: string[]
}

const slash = charsOf('/')

function readUrl(parts: readonly Part[], strategy: Strategy): UrlTree {
  const tree: UrlTree = { origin: [], path: [], hostIsOpen: false, texts: [] }
  let zone: 'scheme' | 'host' | 'path' = 'scheme'
  let scheme = ''
  let reachesPath = false

  for (const [index, part] of parts.entries()) {
    if (part.kind === 'expression') {
      const node = readExpression(part, strategy)
      if (zone === 'path') {
        tree.path.push(node)
        continue
      }
      tree.origin.push(node)
      tree.hostIsOpen ||= zone === 'host'
      reachesPath ||= mayHold(node, slash)
      if (spellsSlash(node)) zone = 'path'
      continue
    }

    let { text, offset } = part
    if (zone === 'scheme') {
      const end = text.indexOf('://')
      scheme = end === -1 ? text : text.slice(0, end + 3)
      tree.origin.push(literal(scheme.toLowerCase()))
      if (end === -1) continue
      zone = 'host'
      text = text.slice(scheme.length)
      offset += scheme.length
    }
    if (zone === 'host') {
      const end = text.indexOf('/')
      const host = end === -1 ? text : text.slice(0, end)
      const isLast = end !== -1 || index === parts.length - 1
      tree.origin.push(literal(isLast ? canonicalHost(host, scheme, offset) : asciiHost(host, offset)))
      if (end === -1) continue
      zone = 'path'
      text = text.slice(host.length)
      offset += host.length
    }
    const canonical = canonicalPathText(text, offset)
    tree.path.push(literal(canonical))
    tree.texts.push(canonical)
  }

  if (zone === 'host' && !reachesPath) tree.path.push(literal('/'))
  if (reachesPath) tree.hostIsOpen = false
  return tree
}

function readExpression({ text, offset }: Part, strategy: Strategy): Node {
  if (strategy === 'glob') return parseGlob(text, offset)
  return { kind: 'group', body: parseRegexp(text, offset), name: undefined }
}

/** Whether it names the slash, as `(/.*)?` does, not merely lets it pass, as `.*` does: what follows is path then. */
function spellsSlash(node: Node): boolean {
  if (node.kind === 'set') return mayHold(node, slash) && codesOf(node.chars).length <= 8
  return childrenOf(node).some(spellsSlash)
}

function asciiHost(text: string, offset: number): string {
  if (/[^\x21-\x7e]/.test(text)) throw new PatternError('A host name beside an expression is written in ASCII (xn--...)', offset)
  return text.toLowerCase()
}

function neverMatches(prefixes: readonly string[], pathTexts: readonly string[]): string[] {
  const possible = prefixes.some(prefix => ['http://', 'https://'].some(scheme => prefix.startsWith(scheme) || scheme.startsWith(prefix)))
  const warnings: string[] = []
  if (!possible) warnings.push('it begins with neither http:// nor https://')
  if (pathTexts.some(text => text.includes('?'))) warnings.push('the query is no part of what is matched')
  if (pathTexts.some(text => text.includes('//'))) warnings.push('paths have no empty segments')
  if (pathTexts.some(text => /\/\.{1,2}\//.test(text))) warnings.push('paths have no dot segments')
  return warnings
}
