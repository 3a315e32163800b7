/** The index of rules finds what looking at every rule would find, in time that does not depend on how many there are. */
import fc from 'fast-check'
import t from 'tap'

import { compileMatcher } from '../../src/access/matcher.js'
import { indexRules } from '../../src/access/rule-index.js'
import { accessRequest } from './requests.js'

const hosts = ['h', 'h:8080', 'other.example', '<[a-z]+>', '<(h|other)(.example)?>', '<.*>', 'h<(:8080)?>']
const paths = ['', '/', '/a', '/a/<.*>', '/a<(/.*)?>', '/<[a-z]+>/b', '/<a|b>/c', '/<(?!a).*>', '/ab', '/abc', '<.*>', '/<.*>/<.*>', '/%61', '/<(a|ab|abc)>x']
const patterns = fc.tuple(fc.constantFrom('http', 'https', '<http|https>', '<https?>'), fc.constantFrom(...hosts), fc.constantFrom(...paths))
  .map(([scheme, host, path]) => `${scheme}://${host}${path}`)
const urls = fc.tuple(
  fc.constantFrom('http', 'https'), fc.constantFrom('h', 'h:8080', 'other.example', 'x'),
  fc.array(fc.constantFrom('a', 'b', 'c', 'ab', 'abc', 'abcx', 'ax', ''), { maxLength: 3 }).map(segments => `/${segments.join('/')}`.replace(/\/+/g, '/')),
).map(([scheme, host, path]) => `${scheme}://${host}${path}`)

t.test('what the index finds is what a scan of all rules finds', async t => {
  let matches = 0
  fc.assert(fc.property(fc.array(patterns, { maxLength: 30 }), fc.array(urls, { minLength: 1, maxLength: 20 }), (given, targets) => {
    const indexed = given.map((pattern, at) => ({ at, pattern, matcher: compileMatcher(pattern, 'regexp'), methods: new Set([at % 3 === 0 ? 'PUT' : 'GET']) }))
    const { find, mayOverlap } = indexRules(indexed)
    for (const target of targets) {
      const { url, path } = accessRequest('GET', target)
      const found = find({ method: 'get', url, path }).map(({ at }) => at).sort((a, b) => a - b)
      const scanned = indexed.filter(({ matcher, methods }) => methods.has('GET') && matcher.test(url)).map(({ at }) => at)
      matches += scanned.length
      const lonely = scanned.length > 1 ? indexed.filter(entry => scanned.includes(entry.at) && !mayOverlap(entry)) : []
      if (lonely.length > 0) throw new Error(`${url}: taken for alone ${lonely.map(({ at }) => at).join()} of ${given.join(' ')}`)
      if (JSON.stringify(found) !== JSON.stringify(scanned)) throw new Error(`${url}: found ${found.join()}, scanned ${scanned.join()} of ${given.join(' ')}`)
    }
  }), { numRuns: 500 })
  t.ok(matches > 100, `${matches} matches`)
})

let looked = 0
const entries = Array.from({ length: 10_000 }, (_, at) => {
  const matcher = compileMatcher(at % 2 === 0 ? `http://h/service${at}/<.*>` : `<https?>://<[a-z]+>/service${at}/<.*>`, 'regexp')
  const test = (url: string): boolean => {
    looked++
    return matcher.test(url)
  }
  return { at, methods: new Set(['GET']), matcher: { ...matcher, test } }
})

t.test('of 10,000 rules only those are looked at that begin like the URL', async t => {
  const { find } = indexRules(entries)
  for (const at of [0, 5, 1234, 9999]) {
    looked = 0
    t.same(find({ method: 'GET', url: `http://h/service${at}/x`, path: `/service${at}/x` }).map(entry => entry.at), [at])
    t.ok(looked <= 5, `${looked} looked at`)
  }
})

t.test('10,000 rules answer about as fast as 10', async t => {
  const { find: few } = indexRules(entries.slice(0, 10))
  const { find: many } = indexRules(entries)
  const time = (find: typeof few): number => {
    const request = accessRequest('GET', 'http://h/service7/item')
    const begin = process.hrtime.bigint()
    for (let round = 0; round < 20_000; round++) find(request)
    return Number(process.hrtime.bigint() - begin)
  }
  const ratios = Array.from({ length: 7 }, () => time(many) / time(few)).sort((a, b) => a - b)
  t.ok((ratios[3] as number) < 3, `10,000 rules take ${ratios[3]?.toFixed(2)} times as long as 10`)
})
