import { randomUUID } from 'node:crypto'

import t from 'tap'

import { createPasswordPolicy, type PasswordPolicyOptions } from '../../src/identity/password-policy.js'
import { isWithinDistance, resembles, sharesRun } from '../../src/identity/password-similarity.js'
import { problemMessage } from '../../src/selfservice/messages.js'

const defaults: PasswordPolicyOptions = {
  min_password_length: 8, max_password_bytes: 1024, identifier_similarity_check_enabled: true, common_passwords_check_enabled: true,
  context_words: [], haveibeenpwned_enabled: false, haveibeenpwned_host: 'api.pwnedpasswords.com', haveibeenpwned_timeout: '1s',
  max_breaches: 0, ignore_network_errors: true,
}
const policy = createPasswordPolicy(defaults)
const codeFor = async (password: string, ...identifiers: string[]) => (await policy(password, identifiers))?.code

t.test('P1 what everybody tries first is refused', async t => {
  for (const password of ['', '12', '1234', '123456', '12345678', 'password', '1234567890', 'qwertyui']) {
    t.match(await policy(password, ['ada@example.org']), { code: /^policy_(common|length)$/, field: 'password' }, password)
  }
  t.equal(await codeFor('12'), 'policy_length')
  t.equal(await codeFor('123456'), 'policy_common', 'known rather than short, as the quickstart shows')
  t.equal(await codeFor('password'), 'policy_common')
})

t.test('P2 long enough and unknown is good enough', async t => {
  for (const password of ['l3f9toh1uaf81n21', 'l3f9toh1', '0'.repeat(516), '93172388957812344432', randomUUID(), 'correct horse battery', 'пароль-для-ады']) {
    t.equal(await policy(password, ['ada@example.org']), undefined, password.slice(0, 30))
  }
})

t.test('P3 P4 a password that resembles the identifier is refused', async t => {
  const pairs = [
    ['l3f9toh1uaf81n21', 'l3f9toh1uaf81n21'], ['hello@example.com', 'hello@example.com12345'], ['hello@example.com', '123hello@example.com123'],
    ['hello@example.com', 'hello@exam'], ['hello@example.com', 'HELLO@EXAMPLE.COM'], ['hello@example.com', 'HELLO@example.com'],
    ['hello@example.com', 'h3ll0@example'], ['hello@exam', 'hello@example.com'],
  ] as const
  for (const [identifier, password] of pairs) {
    t.ok(resembles(password, identifier), password)
    t.equal(await codeFor(password, 'someone@else.test', identifier), 'policy_similar', password)
  }
})

t.test('P5 a short identifier does not stand in the way of other passwords', async t => {
  const short = createPasswordPolicy({ ...defaults, min_password_length: 6 })
  for (const [identifier, password] of [['abcd', '9d3c8a1b'], ['a', 'kjOkla'], ['ab', '0000ab0000']] as const) {
    t.equal(await short(password, [identifier]), undefined, password)
  }
})

t.test('P6 how long a run of characters two texts share', async t => {
  for (const [a, b, longest] of [['foo', 'foo', 3], ['fo', 'foo', 2], ['bar', 'foo', 0], ['foobar', 'foo', 3], ['foobar', 'oo', 2], ['foobar', 'a', 1]] as const) {
    for (const [one, other] of [[a, b], [b, a]] as const) {
      t.equal(longest > 0 && sharesRun(one, other, longest), longest > 0, `${one} and ${other}: ${longest}`)
      t.notOk(sharesRun(one, other, longest + 1), `${one} and ${other}: not ${longest + 1}`)
    }
  }
})

t.test('P6 how many edits two texts are apart', async t => {
  for (const [a, b, distance] of [['', '', 0], ['kitten', 'sitting', 3], ['abc', '', 3], ['flaw', 'lawn', 2], ['abcdef', 'azced', 3], ['a', 'kjokla', 5]] as const) {
    t.ok(isWithinDistance(a, b, distance) && isWithinDistance(b, a, distance), `${a} and ${b}: ${distance}`)
    t.notOk(distance > 0 && (isWithinDistance(a, b, distance - 1) || isWithinDistance(b, a, distance - 1)), `${a} and ${b}: not less`)
  }
})

t.test('A6 a common password with a little around it is refused, with a lot it is not', async t => {
  for (const password of ['password1234', 'PASSWORD', 'ｐａｓｓｗｏｒｄ']) t.equal(await codeFor(password), 'policy_common', password)
  for (const password of ['password1234567', 'Password1!', '99sunshine', '!!monkey!!', 'dragon987654321', 'Sunshine2024', 'monkey------']) {
    t.equal(await codeFor(password), 'policy_decorated', password)
  }
  for (const password of ['password48213905', 'monkeyzebraflute', 'dragon of the north', '7391x284']) t.equal(await codeFor(password), undefined, password)
  const unchecked = createPasswordPolicy({ ...defaults, common_passwords_check_enabled: false })
  t.equal(await unchecked('password', []), undefined)
})

t.test('A6 a password made of context words is refused', async t => {
  const acme = createPasswordPolicy({ ...defaults, context_words: ['Zumbrella', 'quuxtown'] })
  for (const password of ['zumbrellazumbrella', 'ZumbrellaQuuxtown', 'zumbrella-quuxtown-12', 'quuxtown1234567', '12zumbrella34']) t.match(await acme(password, []), { code: 'policy_context' }, password)
  t.equal(await acme('zumbrella hires nine poets', []), undefined)
  t.equal(await codeFor('ada12345', 'ada@example.org'), 'policy_context', 'so is a part of the identifier')
})

t.test('A6 length is counted in characters, the limit in bytes; spaces and emoji are fine', async t => {
  t.equal(await codeFor(`${' '.repeat(64)}😀`), undefined)
  t.strictSame(await policy('😀😀😀😀😀😀😀', []), { code: 'policy_length', field: 'password', params: { length: 7, min: 8 } })
  t.equal(await codeFor('😀😀😀😀😀😀😀😀'), undefined)
  t.equal(await codeFor('é'.repeat(512)), undefined)
  t.strictSame(await policy(`x${'é'.repeat(512)}`, []), { code: 'policy_too_long', field: 'password', params: { max: 1024 } })
})

t.test('the longest password and the most identifiers cost little', async t => {
  const identifiers = Array.from({ length: 32 }, (_, index) => `${index}.`.repeat(100).slice(0, 320))
  const startedAt = performance.now()
  for (let round = 0; round < 10; round++) await policy('ab1-'.repeat(256), identifiers)
  t.ok((performance.now() - startedAt) / 10 < 100)
})

t.test('4.3 the reasons read as they always did', async t => {
  const reason = async (password: string, ...identifiers: string[]) => {
    const problem = await policy(password, identifiers)
    return problem === undefined ? '' : problemMessage(problem)
  }
  const prefix = 'password: password does not meet the password policy because: '
  t.equal(await reason('k7w2z3'), `${prefix}password length must be at least 8 characters but only got 6`)
  t.equal(await reason('password'), `${prefix}the password has been found in data breaches and must no longer be used.`)
  t.equal(await reason('hello@example', 'hello@example.com'), `${prefix}the password is to similar to the user identifier`)
})
