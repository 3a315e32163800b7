/** The table of folders finds what going through all of them would find. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'

import { createFolderTable, hashOf } from '../../src/access/folder-table.js'

const folders = fc.array(fc.constantFrom('a', 'b', 'ab', ''), { maxLength: 4 }).map(segments => segments.map(segment => `${segment}/`).join(''))

t.test('what is found along a text are its folders, shortest first', async t => {
  let found = 0
  fc.assert(fc.property(fc.uniqueArray(folders, { maxLength: 40 }), fc.array(folders, { minLength: 1, maxLength: 20 }), (kept, texts) => {
    const table = createFolderTable(kept.map(folder => ({ folder })))
    for (const text of texts.flatMap(text => [text, `${text}x`])) {
      const wanted = kept.filter(folder => text.startsWith(folder)).sort((a, b) => a.length - b.length)
      found += wanted.length
      const got = table.along(text).map(({ folder }) => folder)
      if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(`${text}: ${got.join(' ')} instead of ${wanted.join(' ')}`)
    }
  }), { numRuns: 500 })
  t.ok(found > 1000, `${found} found`)
})

/** Two folders of the same length and hash: among so many there are some. */
function colliding(): [string, string] {
  const seen = new Map<number, string>()
  for (let at = 0; at < 1_000_000; at++) {
    const folder = `${createHash('sha256').update(String(at)).digest('hex').slice(0, 12)}/`
    const other = seen.get(hashOf(folder))
    if (other !== undefined) return [other, folder]
    seen.set(hashOf(folder), folder)
  }
  throw new Error('no two folders have the same hash')
}

t.test('folders whose hashes are the same are told apart', async t => {
  const [one, other] = colliding()
  t.same(createFolderTable([{ folder: one }]).along(`${other}x`), [])
  t.same(createFolderTable([{ folder: one }, { folder: other }]).along(`${other}x`), [{ folder: other }])
  t.same(createFolderTable([{ folder: other }, { folder: one }]).along(`${other}x`), [{ folder: other }])
})
