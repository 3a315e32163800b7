import t from 'tap'

import { scopeStrategy, type ScopeStrategyName } from '../../src/access/scope-strategy.js'

t.test('C-4 what a granted scope covers', test => {
  const rows: readonly (readonly [strategy: ScopeStrategyName, granted: string, wanted: string, covers: boolean])[] = [
    ['exact', 'foo', 'foo', true], ['exact', 'foo', 'foo.bar', false], ['exact', 'foo.*', 'foo.bar', false],
    ['hierarchic', 'foo', 'foo', true], ['hierarchic', 'foo', 'foo.bar', true], ['hierarchic', 'foo', 'foo.bar.baz', true],
    ['hierarchic', 'foo', 'foobar', false], ['hierarchic', 'foo.bar', 'foo', false], ['hierarchic', 'foo.bar', 'foo.baz', false],
    ['wildcard', 'foo', 'foo', true], ['wildcard', 'foo', 'foo.bar', false], ['wildcard', 'foo.*', 'foo.bar', true],
    ['wildcard', 'foo.*', 'foo.bar.baz', true], ['wildcard', 'foo.*', 'foo', false], ['wildcard', 'foo.*', 'foo.', false],
    ['wildcard', 'foo.*.baz', 'foo.bar.baz', true], ['wildcard', 'foo.*.baz', 'foo.bar.qux', false], ['wildcard', 'foo.*.baz', 'foo..baz', false],
    ['wildcard', '*', 'foo.bar', true], ['wildcard', 'fo*', 'foo', false],
  ]
  for (const [name, granted, wanted, covers] of rows) {
    test.equal(scopeStrategy(name)?.(['other', granted], wanted), covers, `${name}: ${granted} ${covers ? 'covers' : 'does not cover'} ${wanted}`)
  }
  for (const name of ['exact', 'hierarchic', 'wildcard'] as const) test.equal(scopeStrategy(name)?.([], 'foo'), false)
  test.equal(scopeStrategy('none'), undefined)
  test.end()
})
