/** Makes matchers from pattern trees, each with the fastest engine that is linear for it (security D6). */
import { RE2JS } from 're2js'

import { leadingTexts } from './leading-texts.js'
import { hoistLookaheads } from './lookaheads.js'
import { isOnePass } from './one-pass.js'
import { captureOrder, regexpSource } from './source.js'
import { type Node, PatternError, charsOf, complement, groupsIn, hasLookahead, nothing, sequence } from './syntax-tree.js'
import { writeOutLookaheads } from './written-out.js'

/** A compiled pattern. Both functions take time linear in the length of the URL. */
export interface Compiled {
  readonly engine: 'literal' | 'prefix' | 'RegExp' | 'RE2'
  /** The text that a URL begins with, for a pattern that matches every such URL whose rest has no line end; absent for others. */
  readonly beginning?: string
  readonly test: (url: string) => boolean
  /** The captured texts of a URL that matches; `''` for groups that took no part. */
  readonly captures: (url: string) => readonly string[]
}

/** The pattern must match the whole URL. Throws `PatternError` for what can't be matched in linear time. */
export function compile(pattern: Node): Compiled {
  const { texts: [text = '', ...others], whole } = leadingTexts(pattern)
  if (whole && others.length === 0 && groupsIn(pattern).length === 0) return literalMatcher(text)
  const beginning = textBeforeAnything(pattern)
  if (beginning !== undefined) return prefixMatcher(beginning)
  if (isOnePass(pattern)) return regExpMatcher(pattern)
  if (!hasLookahead(pattern)) return re2Matcher(pattern)

  const written = writeOutLookaheads(pattern)
  if (hasLookahead(written)) return composedMatcher(written)
  return isOnePass(written) ? regExpMatcher(written) : re2Matcher(written)
}

function literalMatcher(text: string): Compiled {
  return { engine: 'literal', test: url => url === text, captures: () => [] }
}

function prefixMatcher(text: string): Compiled {
  const test = (url: string): boolean => url.startsWith(text) && !hasLineEnd(url, text.length)
  return { engine: 'prefix', beginning: text, test, captures: url => [url.slice(text.length)] }
}

/** Whether there is what `.` does not stand for, from this place on. */
export function hasLineEnd(url: string, from: number): boolean {
  return url.includes('\n', from)
}

/** What `.` stands for. */
const anyChar = complement(charsOf('\n'))

/** The text that the whole pattern is, but for a last `<.*>`, as most are; `undefined` for others. */
function textBeforeAnything(pattern: Node): string | undefined {
  const [last, ...before] = pattern.kind === 'sequence' ? [pattern.items.at(-1), ...pattern.items.slice(0, -1)] : []
  if (last?.kind !== 'group' || last.body.kind !== 'repeat') return undefined
  const { min, max, body } = last.body
  if (min !== 0 || max !== Infinity || body.kind !== 'set' || body.chars !== anyChar) return undefined

  const beginning = sequence(before)
  const { texts: [text, ...others], whole } = leadingTexts(beginning)
  return whole && others.length === 0 && groupsIn(beginning).length === 0 ? text : undefined
}

function regExpMatcher(pattern: Node): Compiled {
  const regExp = new RegExp(`^(?:${regexpSource(pattern)})$`)
  const order = captureOrder(pattern)
  const captures = (url: string): readonly string[] => {
    const found = regExp.exec(url)
    return order.map(group => found?.[group] ?? '')
  }
  return { engine: 'RegExp', test: url => regExp.test(url), captures: order.length === 0 ? () => [] : captures }
}

function re2Matcher(pattern: Node): Compiled {
  const re2 = compileRe2(pattern)
  const order = captureOrder(pattern)
  const captures = (url: string): readonly string[] => {
    const matcher = re2.matcher(url)
    return matcher.matches() ? order.map(group => matcher.group(group) ?? '') : order.map(() => '')
  }
  return { engine: 'RE2', test: url => re2.matches(url), captures: order.length === 0 ? () => [] : captures }
}

function composedMatcher(pattern: Node): Compiled {
  const { rest, lookaheads } = hoistLookaheads(pattern)
  const whole = re2Matcher(rest)
  const anything: Node = { kind: 'repeat', body: { kind: 'set', chars: complement(nothing) }, min: 0, max: Infinity, lazy: false }
  const conditions = lookaheads.map(({ behind, body, negative }) => {
    const ahead = compileRe2(sequence([body, anything]))
    return (url: string): boolean => {
      const before = behind.find(text => url.startsWith(text))
      return before !== undefined && ahead.matches(url.slice(before.length)) !== negative
    }
  })
  return { ...whole, test: url => conditions.every(condition => condition(url)) && whole.test(url) }
}

/** Programs beyond it make a single match too slow (a match takes length of URL x size of program). */
const maxProgram = 5000

function compileRe2(pattern: Node): RE2JS {
  const source = regexpSource(pattern)
  try {
    const re2 = RE2JS.compile(source)
    if (re2.programSize() <= maxProgram) return re2
  } catch (error) {
    throw new PatternError(`This can not be compiled: ${(error as Error).message}`)
  }
  throw new PatternError('This is too large a pattern')
}
