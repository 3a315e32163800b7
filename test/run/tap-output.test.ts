/** What `npm test` counts, and what it calls a failure. */
import { Readable } from 'node:stream'
import t from 'tap'

import { readTap } from './tap-output.mjs'

const cases: readonly (readonly [name: string, tap: string, passed: number, failed: number, failure?: string])[] = [
  ['assertions count, the points that sum up subtests do not', `
# Subtest: test/a.test.ts
    # Subtest: outer
        ok 1 - one
        ok 2 - two \\# not a comment
        1..2
    ok 1 - outer # time=1ms
    ok 2 - three
    1..2
ok 1 - test/a.test.ts # time=20ms`, 3, 0],

  ['a failed assertion counts once, with its diagnostics', `
# Subtest: test/a.test.ts
    # Subtest: outer
        not ok 1 - one
          ---
          diff: |
            ok 9 - this is text, not an assertion
          ...
        1..1
    not ok 1 - outer # time=1ms
      ---
      at: x
      ...
    1..1
not ok 1 - test/a.test.ts # time=20ms`, 0, 1, 'test/a.test.ts › outer › one'],

  ['a file that ends before its first test is a failure', `
# Subtest: test/a.test.ts
    1..0
not ok 1 - test/a.test.ts # time=20ms
  ---
  exitCode: 1
  ...`, 0, 1, 'test/a.test.ts'],

  ['a file that crashes inside a subtest does not swallow the next one', `
# Subtest: test/a.test.ts
    # Subtest: outer
        ok 1 - one
not ok 1 - test/a.test.ts # time=20ms
# Subtest: test/b.test.ts
    ok 1 - one
    1..1
ok 2 - test/b.test.ts # time=20ms`, 2, 1, 'test/a.test.ts'],

  ['what is skipped is neither', `
# Subtest: test/a.test.ts
    ok 1 - one # SKIP no browser
    not ok 2 - two # TODO later
    1..2
ok 1 - test/a.test.ts # time=20ms`, 0, 0],
]

t.test('counts what tap prints', async t => {
  for (const [name, tap, passed, failed, failure] of cases) {
    const result = await readTap(Readable.from([tap]), () => {})
    t.match({ passed: result.passed, failed: result.failures.length }, { passed, failed }, name)
    t.same(result.failures.map(({ path }) => path.join(' › ')), failure === undefined ? [] : [failure], name)
  }
})

t.test('tells of each file as it ends, and why something was skipped', async t => {
  const files: string[] = []
  const result = await readTap(Readable.from([cases[4]?.[1] ?? '', cases[0]?.[1] ?? '']), ({ file, passed, milliseconds }) => {
    files.push(`${file} ${passed} ${milliseconds}`)
  })
  t.same(files, ['test/a.test.ts 0 20', 'test/a.test.ts 3 20'])
  t.same(result.skipped, ['test/a.test.ts › one: no browser', 'test/a.test.ts › two: later'])
})
