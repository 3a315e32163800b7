/** Finds the rules that may match a URL without looking at the others: trees of the literal texts that patterns begin with. */
import type { AccessRequest } from '../http/access-request.js'
import { createFolderTable, type FolderTable } from './folder-table.js'
import type { UrlMatcher } from './matcher.js'
import { hasLineEnd } from './pattern/compile.js'

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
  const byUrl = foldersOf(entries.filter(isFoundByUrl), ({ prefixes }) => prefixes)
  const byPath = foldersOf(entries.filter(entry => !isFoundByUrl(entry)), ({ pathPrefixes = [] }) => pathPrefixes)

  return {
    find({ method, url, path }) {
      const upper = method.toUpperCase()
      const found: Entry[] = []
      collect(byUrl, url, upper, url, found)
      collect(byPath, path, upper, url, found)
      return found
    },
    mayOverlap: overlapCheck(entries),
  }
}

function isFoundByUrl({ matcher }: Indexed): boolean {
  return matcher.pathPrefixes === undefined
}

function overlapCheck<Entry extends Indexed>(entries: readonly Entry[]): RuleIndex<Entry>['mayOverlap'] {
  if (!entries.every(isFoundByUrl)) return () => true
  const tree = emptyTree<Entry>()
  for (const entry of entries) for (const prefix of shortest(entry.matcher.prefixes)) insert(tree, prefix, entry)
  return ({ matcher: { prefixes } }) => shortest(prefixes).some(prefix => hasCompany(tree, prefix))
}

/** The entries whose text begins with a folder. */
interface Folder<Entry> {
  readonly folder: string
  /** The only entry, when it matches whatever is in the folder, as most do: with many rules, every object that is not read counts. */
  readonly sole: Entry | undefined
  /** By what follows the folder. */
  readonly tree: Tree<Entry>
}

function foldersOf<Entry extends Indexed>(entries: readonly Entry[], textsOf: (matcher: UrlMatcher) => readonly string[]): FolderTable<Folder<Entry>> {
  const trees = new Map<string, Tree<Entry>>()
  for (const entry of entries) {
    for (const text of shortest(textsOf(entry.matcher))) {
      const folder = text.slice(0, text.lastIndexOf('/') + 1)
      let tree = trees.get(folder)
      if (tree === undefined) trees.set(folder, tree = emptyTree())
      insert(tree, text.slice(folder.length), entry)
    }
  }
  return createFolderTable([...trees].map(([folder, tree]) => ({ folder: inOnePiece(folder), sole: soleOf(tree, folder), tree })))
}

function soleOf<Entry extends Indexed>({ entries: [entry, ...others], branches }: Tree<Entry>, folder: string): Entry | undefined {
  if (others.length > 0 || branches !== undefined) return undefined
  return entry?.matcher.beginning === folder ? entry : undefined
}

/** V8 keeps a part of a text as a reference to the whole, which is one more step into memory. */
function inOnePiece(text: string): string {
  return Buffer.from(text).toString()
}

/** A node of a radix tree: the entries whose text ends here, and where longer texts go on. */
interface Tree<Entry> {
  entries: Entry[]
  /** By the code of the first character of their label; absent where no text goes on. */
  branches?: Map<number, { label: string, tree: Tree<Entry> }>
}

function emptyTree<Entry>(): Tree<Entry> {
  return { entries: [] }
}

function insert<Entry>(tree: Tree<Entry>, text: string, entry: Entry): void {
  if (text === '') {
    tree.entries.push(entry)
    return
  }

  const branches = tree.branches ??= new Map()
  const branch = branches.get(text.charCodeAt(0))
  if (branch === undefined) {
    branches.set(text.charCodeAt(0), { label: text, tree: { entries: [entry] } })
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

/** Goes through the folders of a text, and down from each along the rest of it, and tests what it comes past. */
function collect<Entry extends Indexed>(folders: FolderTable<Folder<Entry>>, text: string, method: string, url: string, found: Entry[]): void {
  for (const { folder, sole, tree } of folders.along(text)) {
    if (sole === undefined) collectBelow(tree, text, folder.length, method, url, found)
    else if (sole.methods.has(method) && !hasLineEnd(url, folder.length)) found.push(sole)
  }
}

function collectBelow<Entry extends Indexed>(root: Tree<Entry>, text: string, from: number, method: string, url: string, found: Entry[]): void {
  let tree = root
  for (let at = from;;) {
    for (const entry of tree.entries) {
      if (entry.methods.has(method) && entry.matcher.test(url)) found.push(entry)
    }
    if (at === text.length || tree.branches === undefined) return
    const branch = tree.branches.get(text.charCodeAt(at))
    if (branch === undefined || !text.startsWith(branch.label, at)) return
    at += branch.label.length
    tree = branch.tree
  }
}

/** Whether another entry has a text that this one begins with, or one that begins with it. */
function hasCompany(root: Tree<unknown>, text: string): boolean {
  let tree = root
  for (let at = 0; at < text.length;) {
    const branch = tree.branches?.get(text.charCodeAt(at))
    if (tree.entries.length > 0 || branch === undefined) return true
    at += branch.label.length
    tree = branch.tree
  }
  return tree.entries.length > 1 || tree.branches !== undefined
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
