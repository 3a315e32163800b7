import fc from 'fast-check'
import t from 'tap'

import { parseJsonSource } from '../../src/identity/json-source.js'

const parse = (text: string) => parseJsonSource(Buffer.from(text))

t.test('keys keep the order of the text, and values have a place', async t => {
  const source = parse('\ufeff{\r\n\t"b": [1, {"10": 0, "2": 0}],\n  "a" : "\\u0041\\n"}')
  t.strictSame(source.value, { b: [1, { 2: 0, 10: 0 }], a: 'A\n' })
  t.strictSame([source.keysAt([]), source.keysAt(['b', 1]), source.keysAt(['nowhere'])], [['b', 'a'], ['10', '2'], []])
  t.equal(source.positionOf([]), '1:1')
  t.equal(source.positionOf(['b', 1, '2']), '2:26')
  t.equal(source.positionOf(['a']), '3:9')
  t.equal(source.positionOf(['b', 1, 'missing', 'deeper']), '2:11', 'the nearest value above')
})

t.test('what is no JSON is refused with its place', async t => {
  const cases: [text: string, message: string | RegExp][] = [
    ['', '1:1: expected a JSON value, found the end of the text'],
    ['{"a":1,}', '1:8: expected a key in double quotes, found "}"'],
    ["{'a':1}", '1:2: expected a key in double quotes, found "\'"'],
    ['[1 2]', '1:4: expected "," or "]", found "2"'],
    ['{"a":1} x', '1:9: expected the end of the text, found "x"'],
    ['{"a":01}', '1:6: expected a JSON value, found "0"'],
    ['"\t"', /^1:1: expected a JSON value/],
    ['{"a":1,"a":1}', '1:8: the key "a" is there already'],
    ['{"__proto__":1,"__proto__":2}', '1:16: the key "__proto__" is there already'],
    ['['.repeat(102), '1:102: expected at most 100 levels, found "["'],
  ]
  for (const [text, message] of cases) t.throws(() => parse(text), { name: 'JsonSyntaxError', message }, text.slice(0, 30))
  t.throws(() => parseJsonSource(Buffer.from([0x22, 0xff, 0x22])), { message: '1:1: the text is not UTF-8' })
})

t.test('it accepts and refuses what JSON.parse does', t => {
  const damaged = fc.tuple(fc.json(), fc.nat(), fc.constantFrom('', '"', ',', '}', '1', '\\', ' ', '\u0000'))
    .map(([text, at, piece]) => text.slice(0, at % (text.length + 1)) + piece + text.slice(at % (text.length + 1) + 1))
  const agrees = fc.property(fc.oneof(fc.json(), damaged), text => {
    try {
      const { value } = parse(text)
      return JSON.stringify(value) === JSON.stringify(JSON.parse(text))
    } catch (error) {
      return (error as Error).name === 'JsonSyntaxError' && (isRefused(text) || (error as Error).message.includes('there already'))
    }
  })
  t.equal(fc.check(agrees, { numRuns: 3000 }).counterexample, null)
  t.end()
})

function isRefused(text: string): boolean {
  try {
    JSON.parse(text)
    return false
  } catch {
    return true
  }
}
