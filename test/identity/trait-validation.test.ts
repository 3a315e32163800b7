import t from 'tap'

import { problemMessage } from '../../src/selfservice/messages.js'
import { identifier, loadSchema } from '../helpers/identity-schema.js'

const schema = await loadSchema({
  type: 'object', additionalProperties: false, required: ['foobar'],
  properties: {
    foobar: { type: 'string' },
    name: { type: 'object', required: ['first'], properties: { first: { type: 'string', minLength: 2, maxLength: 3 }, last: { type: 'string', pattern: '^[A-Z].*$' } }, additionalProperties: false },
    tos: { type: 'boolean' },
    age: { type: 'integer', minimum: 18, maximum: 150 },
    above: { type: 'number', exclusiveMinimum: 1 },
    below: { type: 'number', exclusiveMaximum: 2, multipleOf: 0.5 },
    cents: { type: 'number', multipleOf: 0.1 },
    plan: { enum: ['free', 'pro'] },
    version: { const: { v: 1 } },
    email: { type: 'string', format: 'email', minLength: 3, ...identifier },
    day: { type: 'string', format: 'date' },
    nums: { type: 'array', items: { type: 'number' }, uniqueItems: true, minItems: 2, maxItems: 3 },
    nick: { type: ['string', 'null'] },
    pair: { type: 'object', minProperties: 1, maxProperties: 1 },
    either: { anyOf: [{ type: 'string', maxLength: 1 }, { type: 'number' }] },
    card: { type: 'object', dependencies: { number: ['code'] }, propertyNames: { pattern: '^[a-z]+$' } },
    list: { uniqueItems: true },
    banned: false,
  },
})

/** The sentences for traits that are valid but for these; `undefined` leaves one out. */
const sentences = (traits: object): string[] => schema.validate(JSON.parse(JSON.stringify({ foobar: 'x', ...traits }))).map(problemMessage)

t.test('3.5 every cause has the sentence that it always had', async t => {
  const cases: [traits: object, sentences: string[]][] = [
    [{}, []],
    [{ foobar: undefined }, ['traits.foobar: foobar is required']],
    [{ name: {} }, ['traits.name.first: first is required']],
    [{ tos: 'on' }, ['traits.tos: Invalid type. Expected: boolean, given: string']],
    [{ age: 18.5 }, ['traits.age: Invalid type. Expected: integer, given: number']],
    [{ foobar: 3 }, ['traits.foobar: Invalid type. Expected: string, given: integer']],
    [{ foobar: null }, ['traits.foobar: Invalid type. Expected: string, given: null']],
    [{ nick: [] }, ['traits.nick: Invalid type. Expected: [string,null], given: array']],
    [{ name: { first: 'a' } }, ['traits.name.first: String length must be greater than or equal to 2']],
    [{ name: { first: 'abcd' } }, ['traits.name.first: String length must be less than or equal to 3']],
    [{ name: { first: 'ab', last: 'x' } }, ["traits.name.last: Does not match pattern '^[A-Z].*$'"]],
    [{ day: '2020-02-30' }, ["traits.day: Does not match format 'date'"]],
    [{ email: '' }, ['traits.email: String length must be greater than or equal to 3', "traits.email: Does not match format 'email'"]],
    [{ age: 3 }, ['traits.age: Must be greater than or equal to 18']],
    [{ age: 300 }, ['traits.age: Must be less than or equal to 150']],
    [{ above: 1 }, ['traits.above: Must be greater than 1']],
    [{ below: 2 }, ['traits.below: Must be less than 2']],
    [{ below: 0.7 }, ['traits.below: Must be a multiple of 0.5']],
    [{ cents: 0.3 }, []],
    [{ plan: 'x' }, ['traits.plan: plan must be one of the following: "free", "pro"']],
    [{ version: 2 }, ['traits.version: version does not match: {"v":1}']],
    [{ nums: [1, 1] }, ['traits.nums: array items[0,1] must be unique']],
    [{ list: [{}, 1, {}] }, ['traits.list: array items[0,2] must be unique']],
    [{ nums: [1] }, ['traits.nums: Array must have at least 2 items']],
    [{ nums: [1, 2, 3, 4] }, ['traits.nums: Array must have at most 3 items']],
    [{ nums: [1, 'x'] }, ['traits.nums.1: Invalid type. Expected: number, given: string']],
    [{ zzz: 1 }, ['Additional property zzz is not allowed']],
    [{ name: { first: 'ab', zzz: 1 } }, ['traits.name: Additional property zzz is not allowed']],
    [{ pair: {} }, ['traits.pair: Must have at least 1 properties']],
    [{ pair: { a: 1, b: 2 } }, ['traits.pair: Must have at most 1 properties']],
    [{ either: 'ab' }, [
      'traits.either: String length must be less than or equal to 1', 'traits.either: Invalid type. Expected: number, given: string',
      'traits.either: Must match at least one of several schemas',
    ]],
    [{ card: { number: 1 } }, ['traits.card: Has a dependency on code']],
    [{ card: { N: 1 } }, ['traits.card: The property name N is not allowed']],
    [{ banned: 1 }, ['traits.banned: No value is allowed here']],
  ]
  for (const [traits, expected] of cases) t.strictSame(sentences(traits), expected, JSON.stringify(traits))
})

t.test('F4 what a form leaves out of a nested object is missing there', async t => {
  const text = { type: 'string' }
  const meals = await loadSchema({ properties: { meal: { type: 'object', required: ['name', 'chef'], properties: { name: text, chef: text } } }, required: ['meal'] })
  const { traits, problems } = meals.decodeForm([['traits.meal.chef', 'aeneas']])
  t.strictSame({ traits, problems }, { traits: { meal: { chef: 'aeneas' } }, problems: [] })
  t.strictSame(meals.validate(traits).map(problemMessage), ['traits.meal.name: name is required'])
})

t.test('everything that is wrong is said at once, each thing once', async t => {
  const problems = schema.validate({ tos: 'x', age: 1, name: {} })
  t.strictSame(problems.map(({ code, field }) => [code, field]).sort(), [
    ['minimum', 'traits.age'], ['required', 'traits.foobar'], ['required', 'traits.name.first'], ['type', 'traits.tos'],
  ])
})

t.test('ID3 the admin API says what it always said', async t => {
  const ages = await loadSchema({ properties: { age: { type: 'integer', minimum: 1 } }, additionalProperties: false })
  t.match(ages.validate({ age: -1 }).map(problemMessage), [/Must be greater than or equal to 1/])
  t.strictSame(ages.validate({ whatever: 1 }).map(problemMessage), ['Additional property whatever is not allowed'])
  t.strictSame(ages.validate('x').map(problemMessage), ['Invalid type. Expected: object, given: string'])
  t.strictSame(ages.validate([]).map(problemMessage), ['Invalid type. Expected: object, given: array'])
})

t.test('J4 an inherited name does not count as present', async t => {
  const inherited = await loadSchema({ type: 'object', required: ['toString', 'valueOf'], properties: { hasOwnProperty: { type: 'string' } } })
  t.strictSame(inherited.validate({}).map(({ code, field }) => [code, field]), [['required', 'traits.toString'], ['required', 'traits.valueOf']])
  t.match(inherited.validate({ toString: 1, valueOf: 1, hasOwnProperty: 1 }), [{ code: 'type', field: 'traits.hasOwnProperty' }])
})

t.test('D7 a pattern takes linear time, whatever it is and whatever is typed', async t => {
  const evil = await loadSchema({ properties: { a: { type: 'string', pattern: '^(a+)+$' } } })
  const startedAt = performance.now()
  t.match(evil.validate({ a: `${'a'.repeat(1023)}!` }), [{ code: 'pattern', field: 'traits.a' }])
  // A backtracking engine needs longer than the universe for this.
  t.ok(performance.now() - startedAt < 1000)
  t.strictSame(evil.validate({ a: 'aaa' }), [])
})

t.test('D7 a text is measured before any pattern sees it', async t => {
  const capped = await loadSchema({
    properties: { a: { type: 'string', pattern: '^a*$' }, b: { type: 'string', maxLength: 2000 }, list: { type: 'array', items: { type: 'string', maxLength: 1500 } }, huge: { type: 'string', maxLength: 1_000_000 } },
  })
  t.match(capped.validate({ a: 'b'.repeat(1025) }), [{ code: 'max_length', field: 'traits.a', params: { max: 1024 } }])
  t.match(capped.validate({ a: 'b'.repeat(1024) }), [{ code: 'pattern' }])
  t.strictSame(capped.validate({ b: 'x'.repeat(2000), list: ['x'.repeat(1500)] }), [])
  t.match(capped.validate({ b: 'x'.repeat(2001) }), [{ code: 'max_length', field: 'traits.b', params: { max: 2000 } }])
  t.match(capped.validate({ huge: 'x'.repeat(16_385) }), [{ code: 'max_length', params: { max: 16_384 } }])
  t.match(capped.validate({ unknown: 'x'.repeat(1025) }), [{ code: 'max_length', field: 'traits.unknown' }])
})

t.test('patterns may be written for RE2 or for JavaScript', async t => {
  for (const [pattern, good, bad] of [['^\\u0041\\d$', 'A1', 'B1'], ['^(?P<x>a)$', 'a', 'b'], ['^\\-$', '-', '+'], ['^\\p{L}+$', 'é', '1'], ['^.$', '😀', 'ab']] as const) {
    const { validate } = await loadSchema({ properties: { a: { pattern } } })
    t.strictSame(validate({ a: good }), [], pattern)
    t.match(validate({ a: bad }), [{ code: 'pattern', params: { pattern } }], pattern)
  }
})

t.test('D10 traits that are too deep or too many are refused before a schema sees them', async t => {
  const nested = (levels: number) => JSON.parse('{"pair":'.repeat(levels - 1) + '{}' + '}'.repeat(levels - 1))
  const open = await loadSchema({})
  t.strictSame(open.validate(nested(20)), [])
  t.throws(() => open.validate(nested(21)), { code: 'bad_request' })
  t.throws(() => open.validate(nested(20_000)), { code: 'bad_request' })
  t.throws(() => open.validate({ list: Array.from({ length: 1000 }, () => 1) }), { code: 'bad_request' })
})

t.test('at most fifty problems are listed', async t => {
  const list = await loadSchema({ properties: { a: { type: 'array', items: { type: 'number' } } } })
  t.equal(list.validate({ a: Array.from({ length: 90 }, () => 'x') }).length, 50)
})
