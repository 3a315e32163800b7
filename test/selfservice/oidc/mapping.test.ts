/** Claims become traits: by a schema of the claims, by a declared list, and merged with what was typed. */
import t from 'tap'

import { declaredMapping, traitPath } from '../../../src/selfservice/strategies/oidc/claim-mapping.js'
import { standardClaims } from '../../../src/selfservice/strategies/oidc/claims.js'
import { readMappingSchema } from '../../../src/selfservice/strategies/oidc/mapping-schema.js'
import { mergeTraits, mergeTyped, withoutTrait } from '../../../src/selfservice/strategies/oidc/trait-values.js'
import { schemaUrl } from '../../helpers/identity-schema.js'

const to = (...paths: string[]): object => ({ 'ory.sh/kratos': { mappings: { identity: { traits: paths.map(path => ({ path })) } } } })
const read = (properties: object, more: object = {}) => readMappingSchema(schemaUrl({ type: 'object', properties, ...more }), '/')

t.test('contract O17 nothing typed over nothing', async t => {
  t.strictSame(mergeTyped({}, {}), {})
})

t.test('contract O18 what is typed goes before what is suggested, and not before what is vouched for', async t => {
  const typed = { foo: 'bar', bool: true, opv: 'blubb' }
  t.strictSame(mergeTyped({ baz: 'bar', opv: 'bla' }, typed), { baz: 'bar', opv: 'blubb', foo: 'bar', bool: true })
  t.strictSame(mergeTraits(mergeTyped({}, typed), { baz: 'bar', opv: 'bla' }), { foo: 'bar', bool: true, opv: 'bla', baz: 'bar' })
})

t.test('what is left empty says nothing', async t => {
  t.strictSame(mergeTyped({ a: 'x', b: true, c: 1, d: { e: 'y' } }, { a: '', b: false, c: 0, d: { e: '', f: '' }, g: '', h: false, i: 0 }), {
    a: 'x', b: true, c: 1, d: { e: 'y' }, h: false, i: 0,
  })
})

t.test('contract O19 a claim, and the items of a list', async t => {
  const mapping = await read({ email: { type: 'string', ...to('email') }, names: { type: 'array', items: { type: 'string', ...to('names.-1') } } })
  const declared = declaredMapping({ email: 'email', names: 'names' })
  const claims = { email: 'someone@email.org', email_verified: true, names: ['peter', 'pan'] }
  t.strictSame(declared.toTraits(claims).asserted, { email: 'someone@email.org', names: ['peter', 'pan'] })
  // A list is no standard claim (contract 5.3), so the schema sees it only where it is one.
  t.strictSame(mapping.mapped.map(({ trait }) => trait), [['email'], ['names', '-1']])
  t.strictSame(mapping.toTraits(claims).asserted, { email: 'someone@email.org' })
})

t.test('contract 5.3 standard claims that say something', async t => {
  t.strictSame(standardClaims({ sub: 'a', name: '', email_verified: false, picture: null, updated_at: 1, groups: ['admin'], aud: 'x' }), { sub: 'a', updated_at: 1 })
})

t.test('a schema of claims', async t => {
  t.test('maps through references and branches, to several traits', async t => {
    const mapping = await read({}, {
      definitions: { name: { type: 'string', ...to('name.first', 'nick') } },
      allOf: [{ properties: { given_name: { $ref: '#/definitions/name' } } }],
    })
    t.strictSame(mapping.toTraits({ given_name: 'Ada' }).asserted, { name: { first: 'Ada' }, nick: 'Ada' })
    t.strictSame([...mapping.claimNames], ['given_name'])
  })

  t.test('ends in spite of a circular reference', async t => {
    const mapping = await read({ name: { type: 'string', ...to('name') }, more: { $ref: '#' } })
    t.strictSame(mapping.toTraits({ name: 'Ada' }).asserted, { name: 'Ada' })
  })

  t.test('can refuse claims', async t => {
    const mapping = await read({ email: { type: 'string', ...to('email') } }, { required: ['email'] })
    t.throws(() => mapping.toTraits({ sub: 'a' }), { code: 'internal_error', detail: /do not conform/ })
  })

  const mistakes: readonly (readonly [what: string, document: object | string, message: RegExp])[] = [
    ['no JSON', '{', /1:2: expected/],
    ['no object', '[]', /1:1: a schema of claims is a JSON object/],
    ['no schema', { type: 'strin' }, /"?type|equal to one of/],
    ['no mapping', { type: 'object', properties: { email: { type: 'string' } } }, /nothing of them would become a trait/],
    ['a trait that pollutes', { properties: { email: to('__proto__.admin') } }, /is not the path of a trait/],
    ['a trait without a name', { properties: { email: to('a..b') } }, /is not the path of a trait/],
    ['a mapping of everything', { ...to('all'), properties: {} }, /all claims together/],
    ['a reference to elsewhere', { properties: { email: { $ref: 'https://evil.example/schema.json' } } }, /is not a schema in this document/],
    ['an unknown member of the keyword', { properties: { email: { 'ory.sh/kratos': { mapping: {} } } } }, /is not known/],
    ['a pattern that backtracks', { properties: { email: { pattern: '(a)\\1', ...to('email') } } }, /linear time/],
  ]
  for (const [what, document, message] of mistakes) {
    t.test(`with ${what} is refused`, async t => {
      await t.rejects(readMappingSchema(schemaUrl(document), '/'), { message })
    })
  }

  t.test('that is not there is refused', async t => {
    await t.rejects(readMappingSchema('file://missing.json', '/nowhere'), { message: /^missing\.json: there is no such file$/ })
  })
})

t.test('a declared list', async t => {
  t.test('takes what the provider has verified for true, and the rest as suggestions', async t => {
    const mapping = declaredMapping({ 'email': 'email', 'phone': 'phone_number', 'name.first': 'given_name' })
    const claims = { email: 'a@example.org', phone_number: '+49', given_name: 'Ada' }
    t.strictSame(mapping.toTraits(claims), { asserted: { name: { first: 'Ada' } }, suggested: { email: 'a@example.org', phone: '+49' } })
    t.strictSame(mapping.toTraits({ ...claims, email_verified: true, phone_number_verified: true }).suggested, {})
  })

  t.test('leaves out what says nothing, and looks at own claims alone', async t => {
    const mapping = declaredMapping({ a: 'empty', b: 'null', c: 'toString', d: 'missing', e: 'no' })
    t.strictSame(mapping.toTraits({ empty: '', null: null, no: false }), { asserted: { e: false }, suggested: {} })
  })
})

t.test('paths of traits', async t => {
  t.strictSame(traitPath('name.first'), ['name', 'first'])
  t.strictSame(traitPath('a\\.b'), ['a.b'])
  for (const path of ['', '.', 'a.', 'constructor', 'a.prototype', '__proto__']) t.equal(traitPath(path), undefined, path)
})

t.test('taking a trait out', async t => {
  const traits = { a: { b: 'x', c: 'y' }, list: ['1', '2'] }
  t.strictSame(withoutTrait(traits, 'traits.a.b'), { rest: { a: { c: 'y' }, list: ['1', '2'] }, removed: { a: { b: 'x' } } })
  t.strictSame(withoutTrait(traits, 'traits.list.1'), { rest: { a: { b: 'x', c: 'y' } }, removed: { list: ['1', '2'] } })
  t.strictSame(withoutTrait(traits, 'traits.missing.b'), { rest: traits, removed: {} })
})
