/** Matching takes linear time whatever a rule says: evil patterns, and the proof by which patterns reach the fast engine. */
import fc from 'fast-check'
import { RE2JS } from 're2js'
import t from 'tap'

import { compileMatcher } from '../../src/access/matcher.js'
import { isOnePass } from '../../src/access/pattern/one-pass.js'
import { parseRegexp } from '../../src/access/pattern/regexp.js'
import { type Node, PatternError } from '../../src/access/pattern/syntax-tree.js'
import { captureOrder, regexpSource } from '../../src/access/pattern/source.js'

const length = 8192

t.test('D6 no pattern makes a match of 8 KiB slow', async t => {
  const patterns = [
    '<(a+)+>', '<(a|aa)+>b', '<(a*)*>b', '<.*><.*><.*>b', '<.*>/b/<.*>/c/<.*>', '<([a-z]+)*>x', '<(x+x+)+>y', '<(a?){50}a{50}>',
    '<(?!.*.*.*x).*>', '<.*>/<(?!(a|b)/)(?!x).*>', '<.*>/<.*>/<(?!(admin|a)(/|$)).*>', '<(?!(a+)+b).*>y', '<(?!(a|aa)+b)[a/]*>', '<(.*?,){11}>P', '<((?:a|a)*)*>', '<[a/]*[a-c/]*[^x]*>y', '<(\\w+\\s?)*>!',
  ]
  const paths = ['a'.repeat(length), 'a/b/c/'.repeat(length / 6), 'x'.repeat(length), `${'a'.repeat(length)}!`, 'a,'.repeat(length / 2)]

  for (const pattern of patterns) {
    const matcher = compileMatcher(`http://h/${pattern}`, 'regexp')
    for (const path of paths) {
      const begin = process.cpuUsage()
      if (matcher.test(`http://h/${path}`)) matcher.captures(`http://h/${path}`)
      const took = process.cpuUsage(begin).user / 1000
      t.ok(took < 100, `${pattern} on ${path.slice(0, 8)}...: ${took.toFixed(1)} ms`)
    }
  }
})

/** Regexps over a small alphabet, where ambiguity is the rule. */
const { source: regexps } = fc.letrec<{ source: string }>(tie => ({
  source: fc.oneof(
    { depthSize: 'medium', maxDepth: 4 },
    fc.constantFrom('a', 'b', '/', '[ab]', '[^/]', '.', 'ab', '(a|b)', '(?!a)', '(?!b/|ab)', '$'),
    fc.tuple(tie('source'), tie('source')).map(([one, other]) => one + other),
    fc.tuple(tie('source'), tie('source')).map(([one, other]) => `(${one}|${other})`),
    fc.tuple(tie('source'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '*?')).map(([one, count]) => `(${one})${count}`),
    fc.tuple(tie('source'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '*?')).map(([one, count]) => `(?:${one})${count}`),
  ),
}))
/** The tree of a generated regexp; `undefined` for what the parser refuses, such as a repeated lookahead. */
function treeOf(source: string): Node | undefined {
  try {
    return parseRegexp(source, 0)
  } catch (error) {
    if (error instanceof PatternError) return undefined
    throw error
  }
}

const urls = fc.stringMatching(/^[ab/]{0,12}$/)

t.test('D6 what is called one-pass is matched by backtracking without reading a text twice', async t => {
  let proven = 0
  fc.assert(fc.property(regexps, fc.array(urls, { minLength: 1, maxLength: 3 }), (source, units) => {
    const tree = treeOf(source)
    if (tree === undefined || !isOnePass(tree)) return
    proven++
    const regExp = new RegExp(`^(?:${regexpSource(tree)})$`)
    for (const text of [...units.map(unit => (unit || 'a').repeat(4000)), 'a'.repeat(30_000), 'ab/'.repeat(10_000)]) {
      const begin = process.cpuUsage()
      regExp.exec(`${text}!`)
      regExp.exec(text)
      const took = process.cpuUsage(begin).user / 1000
      if (took > 250) throw new Error(`/${source}/ took ${took} ms`)
    }
  }), { numRuns: 3000 })
  t.ok(proven > 200, `${proven} patterns were proven`)
})

t.test('both engines agree on what matches and what it captures', async t => {
  let compared = 0
  fc.assert(fc.property(regexps, fc.array(urls, { minLength: 5, maxLength: 30 }), (source, texts) => {
    const tree = treeOf(source)
    if (tree === undefined || !isOnePass(tree) || source.includes('(?!')) return
    const text = regexpSource(tree)
    const regExp = new RegExp(`^(?:${text})$`)
    const re2 = RE2JS.compile(text)
    const order = captureOrder(tree)
    for (const url of texts) {
      const found = regExp.exec(url)
      const matcher = re2.matcher(url)
      const captures = matcher.matches() ? order.map(group => matcher.group(group) ?? '') : undefined
      compared++
      if (JSON.stringify(found === null ? undefined : order.map(group => found[group] ?? '')) !== JSON.stringify(captures)) {
        throw new Error(`/${source}/ on ${url}: ${JSON.stringify(found)} and ${JSON.stringify(captures)}`)
      }
    }
  }), { numRuns: 5000 })
  t.ok(compared > 2000, `${compared} comparisons`)
})

t.test('a lookahead that was taken out of its pattern judges as it did inside', async t => {
  const bodies = fc.constantFrom('a', 'ab', '(a|b/)', 'a(/|$)', '[ab]*/', '.*b')
  const rests = fc.constantFrom('.*/.*', '(a|ab)*', '.*b.*', '[ab]+[b/]+')
  let matched = 0
  fc.assert(fc.property(bodies, rests, fc.boolean(), urls, (body, rest, negative, path) => {
    const look = `(?${negative ? '!' : '='}${negative ? body : body.replaceAll('(', '(?:')})`
    const matcher = compileMatcher(`<http|https>://h/<${look}${rest}>`, 'regexp')
    const native = new RegExp(`^(http|https)://h/(${look}${rest})$`).exec(`http://h/${path}`)
    const found = matcher.test(`http://h/${path}`) ? matcher.captures(`http://h/${path}`) : undefined
    if (found !== undefined) matched++
    const expected = native?.slice(1).map(text => text ?? '')
    return JSON.stringify(found?.slice(0, 2)) === JSON.stringify(expected?.slice(0, 2)) && found?.length === expected?.length
  }), { numRuns: 1000 })
  t.ok(matched > 50, `${matched} URLs matched`)
})

t.test('a lookahead that was written out judges as it did', async t => {
  const bodies = fc.constantFrom('a', 'ab', '(a|b/)', 'a(/|$)', '(a|ab)(/|$)', 'ab?', '[ab]/', 'a.*', 'a/.*$', '$', '(?i)A', 'a$|b', '', 'a|', 'a(b|$)b?', 'b[^/]*')
  const looks = fc.array(bodies, { minLength: 1, maxLength: 3 }).map(all => all.map(body => `(?!${body})`).join(''))
  const tails = fc.constantFrom('.*', '.+', '[^/]*', '[ab]+', '.*$', '.*?')
  const urls = fc.stringMatching(/^[ab/A]{0,6}$/)
  let matched = 0
  fc.assert(fc.property(looks, tails, fc.constantFrom('', 'x|', 'b'), urls, (look, tail, before, path) => {
    const matcher = compileMatcher(`http://<.*>/<${before}${look}${tail}>`, 'regexp')
    const url = `http://h/${path}`
    const source = `^http://(.*)/(${before}${look}${tail})$`.replaceAll('(?i)A', '[aA]')
    const found = matcher.test(url) ? matcher.captures(url) : undefined
    if (found !== undefined) matched++
    return JSON.stringify(found) === JSON.stringify(new RegExp(source).exec(url)?.slice(1).map(text => text ?? ''))
  }), { numRuns: 3000 })
  t.ok(matched > 50, `${matched} URLs matched`)
})
