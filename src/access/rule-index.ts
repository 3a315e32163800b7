/** Finds the rules that may match a URL without looking at the others: trees of the literal texts that patterns begin with. */
import type { AccessRequest } from '../http/access-request.js'
import type { UrlMatcher } from './matcher.js'

/** What the index needs of an entry. */
export interface Indexed {
  readonly matcher: UrlMatcher
  /** In upper case. */
  readonly methods: ReadonlySet<string>
}

/** All entries that match, in no particular order. */
export type FindMatches<Entry> = (request: Pick<AccessRequest, 'method' | 'url' | 'path'>) => Entry[]

export interface RuleIndex<Entry> {
  readonly find: FindMatches<Entry>
  /** False for an entry that certainly matches no URL that another one matches, going by what their texts begin with. */
  readonly mayOverlap: (entry: Entry) => boolean
}

/**
 * Patterns with an expression for a host are found by their path, all others by host and path. The number of rules does
 * not matter, only how many of them begin like the URL.
 */
export function indexRules<Entry extends Indexed>(entries: readonly Entry[]): RuleIndex<Entry> {
  const byUrl = emptyTree<Entry>()
  const byPath = emptyTree<Entry>()
  for (const entry of entries) {
    const { prefixes, pathPrefixes } = entry.matcher
    const tree = pathPrefixes === undefined ? byUrl : byPath
    for (const prefix of shortest(pathPrefixes ?? prefixes)) insert(tree, prefix, entry)
  }

  return {
    find({ method, url, path }) {
      const upper = method.toUpperCase()
      const found: Entry[] = []
      collect(byUrl, url, upper, url, found)
      collect(byPath, path, upper, url, found)
      return found
    },
    mayOverlap: ({ matcher: { prefixes } }) => !isEmpty(byPath) || shortest(prefixes).some(prefix => hasCompany(byUrl, prefix)),
  }
}

/** A node of a radix tree: the entries whose text ends here, and where longer texts go on. */
interface Tree<Entry> {
  entries: Entry[]
  /** By the code of the first character of their label. */
  branches: Map<number, { label: string, tree: Tree<Entry> }>
}

function emptyTree<Entry>(): Tree<Entry> {
  return { entries: [], branches: new Map() }
}

function insert<Entry>(tree: Tree<Entry>, text: string, entry: Entry): void {
  if (text === '') {
    tree.entries.push(entry)
    return
  }

  const branch = tree.branches.get(text.charCodeAt(0))
  if (branch === undefined) {
    tree.branches.set(text.charCodeAt(0), { label: text, tree: { entries: [entry], branches: new Map() } })
    return
  }

  const common = commonLength(branch.label, text)
  if (common < branch.label.length) {
    const lower = { label: branch.label.slice(common), tree: branch.tree }
    branch.tree = { entries: [], branches: new Map([[lower.label.charCodeAt(0), lower]]) }
    branch.label = branch.label.slice(0, common)
  }
  insert(branch.tree, text.slice(common), entry)
}

/** Walks down along the text and tests what it comes past. */
function collect<Entry extends Indexed>(root: Tree<Entry>, text: string, method: string, url: string, found: Entry[]): void {
  let tree = root
  let at = 0
  for (;;) {
    for (const entry of tree.entries) {
      if (entry.methods.has(method) && entry.matcher.test(url)) found.push(entry)
    }
    if (at === text.length) return
    const branch = tree.branches.get(text.charCodeAt(at))
    if (branch === undefined || !text.startsWith(branch.label, at)) return
    at += branch.label.length
    tree = branch.tree
  }
}

function isEmpty({ entries, branches }: Tree<unknown>): boolean {
  return entries.length === 0 && branches.size === 0
}

/** Whether another entry has a text that this one begins with, or one that begins with it. */
function hasCompany(root: Tree<unknown>, text: string): boolean {
  let tree = root
  for (let at = 0; at < text.length;) {
    const branch = tree.branches.get(text.charCodeAt(at))
    if (tree.entries.length > 0 || branch === undefined) return true
    at += branch.label.length
    tree = branch.tree
  }
  return tree.entries.length > 1 || tree.branches.size > 0
}

/** Without those that begin with another: an entry must not be met twice. */
function shortest(texts: readonly string[]): string[] {
  return texts.filter(text => !texts.some(other => other !== text && text.startsWith(other)))
}

function commonLength(one: string, other: string): number {
  let length = 0
  while (length < one.length && length < other.length && one[length] === other[length]) length++
  return length
}
