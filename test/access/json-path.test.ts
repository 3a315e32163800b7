/** Paths into JSON documents (the part of GJSON that rule files use). */
import t from 'tap'

import { compileJsonPath } from '../../src/access/json-path.js'
import type { JsonValue } from '../../src/store/records.js'

const document: JsonValue = { a: { b: [{ c: 1 }, null], 'x.y': 2 }, '0': 'zero', 'own\\': 3 }

t.test('keys, indexes, escaped dots and @this', async t => {
  const rows: [path: string, value: JsonValue | undefined][] = [
    ['@this', document], ['a', document['a'] as JsonValue], ['a.b.0.c', 1], ['a.b.1', null], ['a.b.2', undefined], ['a.b.-1', undefined], ['a.b.00', undefined],
    ['a.x\\.y', 2], ['0', 'zero'], ['own\\\\', 3], ['a.b.c', undefined], ['missing.x', undefined], ['@this.a.@this.b.0.c', 1],
    ['constructor', undefined], ['a.__proto__', undefined], ['a.b.length', undefined],
  ]
  for (const [path, value] of rows) t.strictSame(compileJsonPath(path)(document), value, path)
})

t.test('what is not supported is refused, not misread', async t => {
  for (const path of ['', '.', 'a..b', 'a.', '.a', '#', 'a.#', 'a.#.b', 'a*', 'a?', 'a|b', '@reverse', 'a.@pretty', '{a,b}', '[a]', '!"x"', 'a.#(b==1)']) {
    t.throws(() => compileJsonPath(path), /is no path/, path)
  }
  t.equal(compileJsonPath('a\\*b')({ 'a*b': 1 }), 1)
})
