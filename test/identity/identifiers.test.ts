import fc from 'fast-check'
import t from 'tap'

import { canonicalIdentifier } from '../../src/identity/identifiers.js'
import { identifier, loadSchema } from '../helpers/identity-schema.js'

const canonical = (text: string) => canonicalIdentifier(text, 'identifier')

t.test('ID1 J6 spellings of one identifier are one identifier', async t => {
  const cases: [canonical: string, ...spellings: string[]][] = [
    ['foo@bar.com', 'foo@bar.com', 'fOo@bar.com', 'FOO@bar.com', 'foo@Bar.com', ' foo@bar.com ', '\u3000foo@bar.com', 'ｆｏｏ＠ｂａｒ．ｃｏｍ', 'foo@bar.com.', 'foo@bar。com'],
    ['josé@x.test', 'josé@x.test', 'jose\u0301@x.test', 'JOSÉ@x.test'],
    ['a@xn--bcher-kva.test', 'a@bücher.test', 'a@BÜCHER.test', 'a@xn--bcher-kva.test', 'a@bu\u0308cher.test'],
    ['ada', 'ada', 'Ada', 'ADA '],
    ['a+1@x.test', 'A+1@x.test'],
    ['"a b"@x.test', '"A b"@x.test'],
    ['@ada', '@Ada'],
    ['x@a b', 'X@A b'],
    ['x@ex%61mple.com', 'x@ex%61mple.com'],
    ['', '', '   '],
  ]
  for (const [expected, ...spellings] of cases) {
    for (const spelling of spellings) t.equal(canonical(spelling), expected, JSON.stringify(spelling))
  }
  t.not(canonical('а@x.test'), canonical('a@x.test'), 'a Cyrillic letter stays one')
})

t.test('J6 what nobody can see is no part of an identifier', async t => {
  const hidden = ['\0', '\n', '\t', '\r', '\u200b', '\u200d', '\u202e', '\u2066', '\ufeff', '\u00ad', '\u034f', '\u3164', '\ufe0f', '\u2028', '\ud800', '\ue000', '\u{e0041}']
  for (const character of hidden) {
    const name = `U+${character.codePointAt(0)?.toString(16)}`
    for (const text of [`${character}a@x.test`, `a${character}@x.test`, `a@x.test${character}`]) {
      t.strictSame(canonical(text), { code: 'identifier_characters', field: 'identifier', params: { property: 'identifier' } }, name)
    }
  }
})

t.test('J6 an identifier has at most 320 bytes, before and after it is normalised', async t => {
  t.equal(canonical('a'.repeat(320)), 'a'.repeat(320))
  for (const text of ['a'.repeat(321), 'é'.repeat(161), '\ufdfa'.repeat(20), 'a'.repeat(10_240), ' '.repeat(10_240)]) {
    t.match(canonicalIdentifier(text, 'traits.email'), { code: 'identifier_too_long', field: 'traits.email', params: { property: 'email', max: 320 } })
  }
})

t.test('an identifier that is canonical stays as it is', t => {
  const texts = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.emailAddress(), fc.string({ maxLength: 40 }).map(text => `${text}@bücher.test`))
  const isStable = fc.property(texts, text => {
    const once = canonical(text)
    return typeof once !== 'string' || canonical(once) === once
  })
  t.equal(fc.check(isStable, { numRuns: 5000 }).counterexample, null)
  t.end()
})

t.test('ID4 identifiers come from every trait that is marked, the items of lists included, each once', async t => {
  const schema = await loadSchema({
    properties: {
      email: { type: 'string', format: 'email', ...identifier },
      names: { type: 'array', items: { type: 'string', ...identifier } },
      age: { type: 'integer' },
      nested: { type: 'object', properties: { phones: { type: 'array', items: { type: 'object', properties: { number: { type: 'string', ...identifier } } } } } },
      reference: { $ref: '#/definitions/login' },
    },
    definitions: { login: { allOf: [{ type: 'string', ...identifier }] } },
  })
  t.strictSame(schema.identifiers({ email: 'Foo@bar.com', names: ['foobar', 'BAZQUX'], age: 3 }), ['foo@bar.com', 'foobar', 'bazqux'])
  t.strictSame(schema.identifiers({ names: ['Ada', 'ada', ' '], nested: { phones: [{ number: '1' }, {}] }, reference: 'Ref' }), ['ada', '1', 'ref'])
  t.strictSame(schema.identifiers({ age: 3 }), [])
})

t.test('an identifier that is no text, can not be seen, or is one of too many is a problem of its trait', async t => {
  const schema = await loadSchema({ properties: { login: identifier, names: { type: 'array', items: { type: 'string', ...identifier } } } })
  t.match(schema.validate({ login: 3 }), [{ code: 'type', field: 'traits.login', params: { expected: 'string', given: 'integer' } }])
  t.match(schema.validate({ names: ['a\u200b', 3] }), [{ code: 'type', field: 'traits.names.1' }, { code: 'identifier_characters', field: 'traits.names.0', params: { property: '0' } }])
  t.match(schema.validate({ names: Array.from({ length: 33 }, (_, index) => `n${index}`) }), [{ code: 'too_many_identifiers', params: { max: 32 } }])
  t.equal(schema.validate({ names: [3] }).length, 1)
})
