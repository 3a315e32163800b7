import fc from 'fast-check'
import t from 'tap'

import { splitRecords, type SourceRecord } from '../../src/cli/record-source.js'

async function records(...pieces: string[]): Promise<SourceRecord[]> {
  const found: SourceRecord[] = []
  for await (const record of splitRecords(stream(pieces))) found.push(record)
  return found
}

async function* stream(pieces: readonly string[]): AsyncGenerator<string> {
  yield* pieces
}

t.test('JSON Lines: one document a line, blank lines are nothing, the last line may lack its end', async t => {
  t.strictSame(await records('{"a":1}\n\n  \n{"b":"\\n"}\r\n', '{"c":', '3}'), [
    { line: 1, text: '{"a":1}' }, { line: 4, text: '{"b":"\\n"}\r' }, { line: 5, text: '{"c":3}' },
  ])
  t.strictSame(await records('\n', '\n', '{"a":1}'), [{ line: 3, text: '{"a":1}' }])
  t.strictSame(await records('', '  \n'), [])
})

t.test('an array: its elements, whatever texts they hold, with the lines on which they begin', async t => {
  t.strictSame(await records('\n[\n {"a":"],[\\"}"},\n\n', ' {"b":[1,{"c":2}]}, 3\n]', '\n'), [
    { line: 3, text: '{"a":"],[\\"}"}' }, { line: 5, text: '{"b":[1,{"c":2}]}' }, { line: 5, text: '3\n' },
  ])
  t.strictSame(await records('[]'), [])
  await t.rejects(records('[{"a":1}'), /line 1: the array does not end/)
  await t.rejects(records('[{"a":1}]\n{"b":1}'), /line 2: something comes after the end/)
})

t.test('however a file is cut into pieces, the documents are the same', async () => {
  const documents = fc.array(fc.record({ a: fc.string({ unit: 'grapheme' }), b: fc.array(fc.oneof(fc.string(), fc.integer())) }, { noNullPrototype: true }), { minLength: 1 })
  await fc.assert(fc.asyncProperty(documents, fc.boolean(), fc.array(fc.nat(2000)), async (values, asArray, cuts) => {
    const text = asArray ? JSON.stringify(values, undefined, 1) : values.map(value => JSON.stringify(value)).join('\n')
    const places = [0, ...cuts.map(cut => cut % text.length).sort((a, b) => a - b), text.length]
    const found = await records(...places.slice(1).map((end, at) => text.slice(places[at], end)))
    t.strictSame(found.map(record => JSON.parse(record.text)), values)
  }), { numRuns: 200 })
})

t.test('a document without end is refused before it fills the memory', async t => {
  await t.rejects(records('{"a":"', ...Array.from({ length: 100 }, () => 'x'.repeat(1000))), /line 1: a document may have at most 65536/)
  await t.rejects(records('[{"a":"', ...Array.from({ length: 100 }, () => 'x'.repeat(1000))), /line 1: a document may have at most 65536/)
})
