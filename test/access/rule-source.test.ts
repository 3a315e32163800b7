/** Rule files as text: what is read, and what could make the reader itself fall over (security D9). */
import t from 'tap'

import { RuleMistakes } from '../../src/access/rule-mistakes.js'
import { readRuleSource } from '../../src/access/rule-source.js'

function refusal(text: string): string {
  try {
    readRuleSource(text, 'rules.yml')
  } catch (error) {
    if (error instanceof RuleMistakes) return error.message
    throw error
  }
  return 'accepted'
}

t.test('YAML and JSON are read, also JSON that is indented with tabs', async t => {
  t.same(readRuleSource('[\n\t{\n\t\t"a": 1,\n\t\t"b": [\t"\\/"\t]\n\t}\n]', 'f').value, [{ a: 1, b: ['/'] }])
  t.same(readRuleSource('- a: no\n  b: 010\n  c: 12:30\n  d: ~\n', 'f').value, [{ a: 'no', b: 10, c: '12:30', d: null }])
  t.same(readRuleSource('\ufeff[]', 'f').value, [], 'a byte order mark')
})

t.test('anchors, aliases and merge keys are written out', async t => {
  t.same(readRuleSource('- a: &x { b: 1, c: 2 }\n- <<: *x\n  c: 3\n- *x', 'f').value, [{ a: { b: 1, c: 2 } }, { b: 1, c: 3 }, { b: 1, c: 2 }])
})

t.test('every value knows its place, and what is missing the place of what is around it', async t => {
  const { placeOf } = readRuleSource('- id: a\n- match:\n    url: x\n    methods:\n      - GET\n', 'rules.yml')
  t.same(placeOf([1, 'match', 'url']), { file: 'rules.yml', line: 3, column: 5 })
  t.same(placeOf([1, 'match', 'methods', 0]), { file: 'rules.yml', line: 5, column: 9 })
  t.same(placeOf([1, 'match', 'nothing', 'here']), { file: 'rules.yml', line: 2, column: 3 })
  t.same(placeOf([7]), { file: 'rules.yml', line: 1, column: 1 })
})

t.test('D9 what is nested absurdly is refused before the parser recurses into it', async t => {
  const texts = [
    '['.repeat(200_000), '{a: '.repeat(20_000), '[{"a": '.repeat(20_000), '- '.repeat(200_000), '? '.repeat(20_000),
    `${'['.repeat(20_000)}${']'.repeat(20_000)}`, Array.from({ length: 1400 }, (_, at) => `${' '.repeat(at)}a:`).join('\n'),
  ]
  for (const text of texts) t.match(refusal(text), /^rules\.yml:\d+:1 Nested too deeply$/, text.slice(0, 10))
  t.equal(refusal(`${'['.repeat(60)}${']'.repeat(60)}`), 'accepted')
  t.equal(refusal(`- "${'['.repeat(500)}"\n- |\n  ${'{'.repeat(500)}\n- a${'['.repeat(500)}`), 'accepted', 'brackets in texts do not count')
})

t.test('D9 aliases that multiply and alias loops are refused', async t => {
  let bomb = 'a0: &a0 [x,x,x,x,x,x,x,x,x]\n'
  for (let level = 1; level < 20; level++) bomb += `a${level}: &a${level} [${Array(9).fill(`*a${level - 1}`).join(',')}]\n`
  t.match(refusal(bomb), /^rules\.yml:\d+:\d+ The aliases of this file multiply to too many values$/)
  t.match(refusal('- &a [*a]'), /no anchor "a" before this alias/)
  t.match(refusal('- *nowhere'), /no anchor "nowhere"/)
})

t.test('D9 duplicate keys are refused in time that grows with the file', async t => {
  t.match(refusal('- a: 1\n  a: 2'), /^rules\.yml:2:3 The key "a" stands here twice$/)
  const begin = Date.now()
  t.match(refusal(`${Array.from({ length: 50_000 }, (_, at) => `k${at}: 1`).join('\n')}\nk7: 2`), /:50001:1 The key "k7" stands here twice$/)
  t.ok(Date.now() - begin < 10_000)
})

t.test('keys that mean something to JavaScript do no harm', async t => {
  t.match(refusal('- __proto__: { admin: true }'), /"__proto__" can not be used/)
  t.same(Object.keys(readRuleSource('- constructor: 1\n  toString: 2', 'f').value?.[0 as never] ?? {}), ['constructor', 'toString'])
})

t.test('what is no plain data is refused', async t => {
  for (const text of ['- !!binary aGk=', '- !custom x', '- ? [a]\n  : b', '- a\n---\n- b', '- "\\q"', '- @x', '- a: b: c']) t.not(refusal(text), 'accepted', text)
})

t.test('a mistake does not quote the file, which may hold secrets', async t => {
  for (const text of ['- "s3cret\\q"', '- a: s3cret\n  b: "x" s3cret', '- !s3cret x', '- @s3cret', '- a: s3cret: x', '- {a: "x" s3cret}']) {
    const said = refusal(text)
    t.not(said, 'accepted', text)
    t.notMatch(said, /s3cret/, text)
  }
})
