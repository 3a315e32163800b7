import t from 'tap'

import { flattenTraits } from '../../src/identity/traits.js'
import { loadSchema } from '../helpers/identity-schema.js'

const schema = await loadSchema({
  type: 'object', additionalProperties: false,
  properties: {
    email: { type: 'string', format: 'email' },
    age: { type: 'integer' },
    height: { type: 'number' },
    tos: { type: 'boolean' },
    names: { type: 'array', items: { type: 'string' } },
    nums: { type: 'array', items: { type: 'number' } },
    flags: { type: 'array', items: { type: 'boolean' } },
    mixed: { type: 'array', items: [{ type: 'string' }, { type: 'number' }] },
    meta: { type: 'object' },
    nick: { type: ['string', 'null'] },
    address: { type: 'object', properties: { home: { type: 'object', properties: { city: { type: 'string' } } } } },
    'dotted.name': { type: 'string' },
    toString: { type: 'object', properties: { valueOf: { type: 'string' } } },
  },
})

const decode = (body: string) => schema.decodeForm(new URLSearchParams(body))

t.test('4.1 form values are typed by the schema, and what can not be typed stays a text', async t => {
  const cases: [body: string, traits: object][] = [
    ['', {}],
    ['traits.email=a%40b.test', { email: 'a@b.test' }],
    ['traits.email=', { email: '' }],
    ['traits.age=18', { age: 18 }],
    ['traits.age=1.5', { age: 1.5 }],
    ['traits.age=', { age: '' }],
    ['traits.age=old', { age: 'old' }],
    ['traits.age=0x10', { age: '0x10' }],
    ['traits.age= 1', { age: ' 1' }],
    ['traits.age=12345678901234567890', { age: '12345678901234567890' }],
    ['traits.height=1e2', { height: 100 }],
    ['traits.height=-.5', { height: -0.5 }],
    ['traits.height=1e999', { height: '1e999' }],
    ['traits.height=Infinity', { height: 'Infinity' }],
    ['traits.tos=on', { tos: 'on' }],
    ['traits.names=a&traits.names=b', { names: ['a', 'b'] }],
    ['traits.nums=1&traits.nums=x', { nums: [1, 'x'] }],
    ['traits.flags=true&traits.flags=F', { flags: [true, false] }],
    ['traits.mixed=a&traits.mixed=1', { mixed: ['a', '1'] }],
    ['traits.meta=x', { meta: 'x' }],
    ['traits.nick=Al', { nick: 'Al' }],
    ['traits.address.home.city=Ulm', { address: { home: { city: 'Ulm' } } }],
    ['traits.dotted%5C.name=x', { 'dotted.name': 'x' }],
    ['traits.toString.valueOf=x', { toString: { valueOf: 'x' } }],
    ['password=93172388957812344432&csrf_token=1&state=active&id=1&traits=x&traits[role]=admin', {}],
  ]
  for (const [body, traits] of cases) t.strictSame(decode(body), { traits, problems: [] }, body)
})

t.test('4.1 of a checkbox and the hidden field before it, the last value counts', async t => {
  for (const text of ['1', 't', 'T', 'TRUE', 'true', 'True']) t.strictSame(decode(`traits.tos=false&traits.tos=${text}`).traits, { tos: true }, text)
  for (const text of ['0', 'f', 'F', 'FALSE', 'false', 'False']) t.strictSame(decode(`traits.tos=true&traits.tos=${text}`).traits, { tos: false }, text)
  t.strictSame(decode('traits.tos=false&traits.tos=true').problems, [])
})

t.test('F3 a form and a JSON body give the same traits', async t => {
  const { traits } = decode('traits.address.home.city=Ulm&traits.age=3&traits.names=a&traits.names=b&traits.tos=true')
  t.strictSame(traits, JSON.parse('{"age":3,"tos":true,"names":["a","b"],"address":{"home":{"city":"Ulm"}}}'))
})

t.test('the items of a list come back one by one after a failed submit, in the order of their numbers', async t => {
  t.strictSame(decode('traits.names.1=b&traits.names.0=a&traits.names.10=c&traits.names=').traits, { names: ['a', 'b', 'c'] })
  t.match(decode('traits.names.x=b'), { traits: {}, problems: [{ code: 'unknown_trait', params: { property: 'names.x' } }] })
})

t.test('J1 a name that pollutes prototypes is refused wherever it stands', async t => {
  const names = [
    'traits.__proto__.isAdmin', 'traits.constructor.prototype.x', 'traits[__proto__][x]', '__proto__', 'traits.address.__proto__',
    'traits.__pro\\to__.x', 'x[constructor]', 'prototype', 'traits.a\\.__proto__',
  ]
  for (const name of names) t.throws(() => schema.decodeForm([[name, 'yes']]), { code: 'bad_request' }, name)
  t.strictSame(schema.decodeForm([['traits.email', 'constructor']]).traits, { email: 'constructor' }, 'values may be called anything')
  t.equal(({} as { isAdmin?: string }).isAdmin, undefined)
  t.equal(({} as { x?: string }).x, undefined)

  const parsed = JSON.parse('{"email":"a@b.test","__proto__":{"isAdmin":true}}')
  t.throws(() => schema.validate(parsed), { code: 'bad_request' })
  t.throws(() => schema.validate({ address: JSON.parse('{"constructor":{}}') }), { code: 'bad_request' })
})

t.test('J2 a trait that the schema does not know is a problem, and never stored', async t => {
  const { traits, problems } = decode('traits.role=admin&traits.email=a%40b.test&traits.role=root&traits.=x&traits.meta.x=1')
  t.strictSame(traits, { email: 'a@b.test' })
  t.strictSame(problems, [
    { code: 'unknown_trait', params: { property: 'role' } }, { code: 'unknown_trait', params: { property: '' } },
    { code: 'unknown_trait', params: { property: 'meta.x' } },
  ])
})

t.test('J3 a field given twice is a problem, unless it is a list or a checkbox', async t => {
  const { traits, problems } = decode('traits.email=a&traits.email=b&traits.age=1&traits.age=1')
  t.strictSame(traits, { email: 'a', age: 1 })
  t.strictSame(problems, [
    { code: 'given_twice', field: 'traits.email', params: { property: 'email' } },
    { code: 'given_twice', field: 'traits.age', params: { property: 'age' } },
  ])
  t.match(schema.validate({ email: ['a@b.test'] }), [{ code: 'type', field: 'traits.email', params: { expected: 'string', given: 'array' } }])
})

t.test('D5 a form has at most 100 fields, with names of 2 KiB and five levels', async t => {
  const pairs = (count: number) => Array.from({ length: count }, () => ['x', ''] as const)
  t.strictSame(schema.decodeForm(pairs(100)).traits, {})
  t.throws(() => schema.decodeForm(pairs(101)), { code: 'bad_request' })
  t.throws(() => schema.decodeForm([['a'.repeat(2049), '']]), { code: 'bad_request' })
  t.match(schema.decodeForm([['traits.a.b.c.d.e', '']]).problems, [{ code: 'unknown_trait' }])
  t.throws(() => schema.decodeForm([['traits.a.b.c.d.e.f', '']]), { code: 'bad_request' })
})

t.test('F2 traits are flattened to dotted names, lists by index, without empty containers', async t => {
  const traits = JSON.parse('{"numby":1.5,"stringy":"foobar","objy":{"objy":{},"numby":1.5,"stringy":"foobar"},"list":["a",{"b":null}],"none":[],"a.b":1}')
  t.strictSame(flattenTraits(traits), [
    ['numby', 1.5], ['stringy', 'foobar'], ['objy.numby', 1.5], ['objy.stringy', 'foobar'], ['list.0', 'a'], ['list.1.b', null], ['a\\.b', 1],
  ])
})
