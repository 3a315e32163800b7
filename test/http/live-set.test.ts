/** A set of what comes and goes: what is in it, whatever came and went. */
import fc from 'fast-check'
import t from 'tap'

import { createLiveSet } from '../../src/http/live-set.js'

t.test('it holds what has been added and not deleted, each once', async t => {
  let compared = 0
  const items = Array.from({ length: 20 }, (_, at) => ({ at }))
  const steps = fc.array(fc.record({ adds: fc.boolean(), at: fc.nat(19) }), { maxLength: 200 })
  fc.assert(fc.property(steps, steps => {
    const [set, wanted] = [createLiveSet<{ at: number }>(), new Set<{ at: number }>()]
    for (const { adds, at } of steps) {
      const item = items[at] as { at: number }
      set[adds ? 'add' : 'delete'](item)
      wanted[adds ? 'add' : 'delete'](item)
    }
    const held = (all: Iterable<{ at: number }>): string => [...all].map(({ at }) => at).sort((a, b) => a - b).join()
    if (held(set) !== held(wanted) || set.size !== wanted.size) throw new Error(`${held(set)} instead of ${held(wanted)}`)
    if (items.some(item => set.has(item) !== wanted.has(item))) throw new Error('has() says otherwise')
    compared++
  }), { numRuns: 300 })
  t.equal(compared, 300)
})

t.test('going through it shows all that was in it, though each is deleted on the way', async t => {
  const set = createLiveSet<{ at: number }>()
  for (let at = 0; at < 10; at++) set.add({ at })
  const seen: number[] = []
  for (const item of set) {
    seen.push(item.at)
    set.delete(item)
  }
  t.same(seen.sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  t.equal(set.size, 0)
})
