/** Ten thousand rules: how long they take to load, and that a request does not notice them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parse, stringify } from 'yaml'

import { decide } from '../../src/access/decide.js'
import { loadRules } from '../../src/access/repositories.js'
import { readRuleSource } from '../../src/access/rule-source.js'
import type { RuleSet } from '../../src/access/rules.js'
import { accessConfig, accessRequest, rule, ruleSet, services } from './requests.js'

const folder = mkdtempSync(join(tmpdir(), 'oathgate-rules-'))
t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })

const generated = Array.from({ length: 10_000 }, (_, at) => rule(`https://app-${at % 100}.example.org/service-${at}/<[0-9]+>/items<(/.*)?>`, {
  id: `rule:${at}`, description: 'generated', upstream: { url: `http://service-${at}.internal:8080`, strip_path: `/service-${at}` },
  authenticators: [{ handler: 'cookie_session', config: { only: ['sid'] } }],
}))
const texts = { 'rules.json': JSON.stringify(generated, undefined, 2), 'rules.yml': stringify(generated) }

function cpuMs(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

for (const [name, text] of Object.entries(texts)) {
  t.test(`10,000 rules load from ${name}`, async t => {
    writeFileSync(join(folder, name), text)
    const config = accessConfig({ repositories: [`file://${name}`] })
    config.access_rules.max_bytes = text.length
    const before = process.cpuUsage()
    const rules = await loadRules(config, folder, services())
    const { user, system } = process.cpuUsage(before)
    t.comment(`${Math.round((user + system) / 1000)} ms of processor time for ${text.length} bytes`)
    t.equal(rules.count, 10_000)
    t.equal(rules.match(accessRequest('GET', 'https://app-7.example.org/service-9907/1/items/2')).rule.id, 'rule:9907')
    t.same(rules.warnings, [])
  })
}

t.test('a request costs about the same among 10,000 rules as among ten', async t => {
  const request = accessRequest('GET', 'https://app-7.example.org/service-7/1/items', { headers: { cookie: 'sid=alice' } })
  const [few, many] = [ruleSet(generated.slice(0, 10)), ruleSet(generated)]
  const cost = async (rules: RuleSet): Promise<number> => {
    const before = process.cpuUsage()
    for (let round = 0; round < 10_000; round++) await decide(request, rules)
    const { user, system } = process.cpuUsage(before)
    return user + system
  }
  await cost(few)
  await cost(many)
  const [ten, all] = [[], []] as [number[], number[]]
  for (let round = 0; round < 9; round++) {
    ten.push(await cost(few))
    all.push(await cost(many))
  }
  const ratio = Math.min(...all) / Math.min(...ten)
  t.comment(`${ratio.toFixed(2)} times the cost`)
  t.ok(ratio < 2, `${ratio} times`)
})

t.test('what is read the short way is what the whole parser reads', t => {
  const files = [
    texts['rules.yml'].slice(0, texts['rules.yml'].indexOf('- id: rule:40\n')),
    '# a comment\n---\n- id: one\n\n  # in between\n  match: { url: "http://h/<**>", methods: [GET,\n    POST] }\n-\n    id: two\n    description: >\n      folded\n\n      text\n',
    '- id: one\n  description: |\n    - no item\n    id: no key\n  mutators:\n  - handler: noop\n  - handler: header\n',
    '- id: "a\n\n    b"\n  nothing:\n  number: 12\n  flag: true\n- id: \'- x\'\n  "quoted key": ~\n',
    '- &base\n  id: &id one\n  other: *id\n- <<: *base\n  id: two\n',
    '- one\n- [two]\n- - three\n', '- id: x\r\n  y: z\r\n', '- \n- id: x\n', '[{"a": {"b:c": "d\\"e:"}}, {"f\\\\": [":", {}]}]', '[]', ' [1, {"a": null}]\n',
  ]
  for (const text of files) t.same(readRuleSource(text, 'f').value, parse(text, { merge: true }), JSON.stringify(text.slice(0, 40)))
  t.end()
})

t.test('what the short way would read otherwise is refused, with its place', t => {
  const refused = {
    '[{"a": 1,\n "a": 2}]': 'f:2:2', '[{"a": {"__proto__": 1}}]': 'f:1:9', '- id: one\n  a: 1\n  a: 2\n': 'f:3:3', '- id: one\n- id: two\n  __proto__: 1\n': 'f:3:3',
    '- id: "one\n- id: two"\n': 'f:', '- a: [1,\n- b: 2\n': 'f:', '- a: 1\n---\n- b: 1\n': 'f:', '- a: one\n  two\n': 'f:', 'a: 1\n- b: 1\n': 'f:',
  }
  for (const [text, place] of Object.entries(refused)) t.throws(() => readRuleSource(text, 'f'), { message: new RegExp(`^${place}`) }, JSON.stringify(text))
  t.end()
})

t.test('mistakes among many rules have their place, however they are written', t => {
  const rules = [...generated.slice(0, 50), rule('https://x/', { id: 'wrong', mutators: [{ handler: 'nope' }] })]
  const yaml = stringify(rules)
  const json = JSON.stringify(rules, undefined, 2)
  const lineOf = (text: string): number => text.slice(0, text.indexOf('nope')).split('\n').length
  for (const text of [yaml, json]) t.throws(() => ruleSet(text), { message: new RegExp(`^rules\\.yml:${lineOf(text)}:\\d+ rule "wrong"`) })
  t.end()
})

t.test('comments without end do not slow it down', t => {
  const text = `- id: x\n  ${'#'.repeat(100_000)}\n${'  # #\n'.repeat(10_000)}  y: z\n`
  t.ok(cpuMs(() => readRuleSource(text, 'f')) < 3000)
  t.end()
})
