/** YAML 1.2 as plain data, whatever the file tries. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import t from 'tap'

import { ConfigError } from '../../src/config/config-error.js'
import { readYamlFile } from '../../src/config/yaml-file.js'

async function read(t: { testdir: (content: Record<string, string>) => string }, content: string | Buffer) {
  const file = join(t.testdir({}), 'x.yml')
  writeFileSync(file, content)
  return readYamlFile(file)
}

t.test('D9 values are YAML 1.2: no is a text, 010 is ten, merge keys are keys', async t => {
  const { value } = await read(t, 'a: no\nb: on\nc: 010\nd: 0o10\ne: 12:30\nf: ~\ng:\nh: true\ni: 1.5\nj: "1"\nk: [x, [y]]\n<<: { z: 1 }\n1: one\n')
  t.same(value, { a: 'no', b: 'on', c: 10, d: 8, e: '12:30', f: null, g: null, h: true, i: 1.5, j: '1', k: ['x', ['y']], '<<': { z: 1 }, 1: 'one' })
})

t.test('an empty file, a byte order mark, CRLF and JSON are fine', async t => {
  t.same((await read(t, '')).value, {})
  t.same((await read(t, '# nothing\n')).value, {})
  t.same((await read(t, '\uFEFFa: 1\r\nb: 2\r\n')).value, { a: 1, b: 2 })
  t.same((await read(t, '{"a": {"b": [1, "x"]}}')).value, { a: { b: [1, 'x'] } })
})

t.test('places are those of the keys', async t => {
  const { places } = await read(t, 'a:\n  b: 1\n  "c/d~":\n    - x\n    - y: 2\n')
  t.same([...places].map(([pointer, { line, column, path }]) => [pointer, line, column, path]), [
    ['', 1, 1, ''], ['/a', 1, 1, 'a'], ['/a/b', 2, 3, 'a.b'], ['/a/c~1d~0', 3, 3, 'a."c/d~"'],
    ['/a/c~1d~0/0', 4, 7, 'a."c/d~"[0]'], ['/a/c~1d~0/1', 5, 7, 'a."c/d~"[1]'], ['/a/c~1d~0/1/y', 5, 7, 'a."c/d~"[1].y'],
  ])
})

const layers = Array.from({ length: 30 }, (_, index) => `l${index + 1}: &l${index + 1} [${Array(10).fill(`*l${index}`).join(', ')}]`)
const hostile: [name: string, content: string | Buffer, message: RegExp][] = [
  ['an alias bomb', `l0: &l0 x\n${layers.join('\n')}\n`, /:2:10 l1\[0\] is an alias/],
  ['a single alias', 'a: &x 1\nb: *x\n', /:2:1 b is an alias \(\*\)/],
  ['an alias of a map around it', 'a: &x\n  b: *x\n', /:2:3 a\.b is an alias/],
  ['duplicate keys', 'a: 1\n"a": 2\n', /:2:1 a stands in line 1 already/],
  ['__proto__', 'a: { __proto__: { x: 1 } }\n', /:1:6 a\.__proto__ is not a known key/],
  ['a tag of its own', 'a: !!js/function x\n', /:1:4 Unknown tag/],
  ['a binary', 'a: !!binary aGk=\n', /neither text nor a number|Unknown tag/],
  ['lists nested 100,000 deep', '['.repeat(100_000), /Nested too deeply/],
  ['maps nested 100,000 deep', '{a: '.repeat(100_000), /Nested too deeply/],
  ['blocks nested 100,000 deep', '- '.repeat(100_000), /Nested too deeply/],
  ['more than 1 MiB', `# ${'x'.repeat(1024 * 1024)}`, /is larger than 1 MiB$/],
  ['bytes that are not UTF-8', Buffer.from([0x61, 0x3a, 0x20, 0xff]), /is not UTF-8 text$/],
]

for (const [name, content, message] of hostile) {
  t.test(`D9 ${name} is refused`, async t => {
    const begin = process.hrtime.bigint()
    const error: unknown = await read(t, content).catch((thrown: unknown) => thrown)
    t.ok(error instanceof ConfigError)
    t.match((error as Error).message.split('\n')[0], message)
    t.ok(Number(process.hrtime.bigint() - begin) / 1e9 < 10, 'in a moment')
  })
}

t.test('D9 a file of a hundred thousand keys is read in a moment', async t => {
  const begin = process.hrtime.bigint()
  const { value } = await read(t, Array.from({ length: 80_000 }, (_, index) => `k${index}: 1\n`).join(''))
  t.equal(Object.keys(value).length, 80_000)
  t.ok(Number(process.hrtime.bigint() - begin) / 1e9 < 20)
})
