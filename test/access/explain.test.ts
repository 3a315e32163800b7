/** Why a request is let through or not. */
import t from 'tap'

import { decide } from '../../src/access/decide.js'
import { explain } from '../../src/access/explain.js'
import type { GatewayError } from '../../src/errors.js'
import { accessConfig, accessRequest, rule, ruleSet } from './requests.js'

const rules = ruleSet([
  rule('http://h/users/<[0-9]+>', {
    id: 'users', upstream: { url: 'http://b:8080/base' },
    authenticators: [{ handler: 'anonymous', config: { subject: 'guest' } }, { handler: 'cookie_session' }],
    mutators: [{ handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}' } } }, { handler: 'noop' }],
  }),
  rule('http://h/closed', { id: 'closed', authenticators: [{ handler: 'cookie_session', optional: true }, { handler: 'noop' }], authorizer: { handler: 'deny' } }),
  rule('http://h/broken', { id: 'broken', mutators: [{ handler: 'header', config: { headers: { 'X-User': '{{ .Extra.a.b }}' } } }] }),
  rule('grpc', { id: 'grpc', match: { authority: 'h', full_method: '/a/b' } }),
])

t.test('each rule says whether it matches, and why not', async t => {
  const { rules: considered } = await explain(accessRequest('DELETE', 'http://h/users/7'), rules)
  t.same(considered.map(({ id, verdict }) => [id, verdict]), [['users', 'other method'], ['closed', 'other URL'], ['broken', 'other URL'], ['grpc', 'gRPC only']])
})

t.test('each handler says what it did, and what the upstream is told', async t => {
  const request = accessRequest('GET', 'http://h/users/7', { headers: { authorization: 'x', cookie: 'ory_kratos_session=alice' } })
  t.match(await explain(request, rules), {
    method: 'GET', url: 'http://h/users/7', rule: 'users', captures: ['7'],
    steps: [
      { kind: 'authenticator', handler: 'anonymous', outcome: 'not responsible' },
      { kind: 'authenticator', handler: 'cookie_session', outcome: 'passed', subject: 'identity-1' },
      { kind: 'authorizer', handler: 'allow', outcome: 'passed' },
      { kind: 'mutator', handler: 'header', outcome: 'passed', header: { 'x-user': 'identity-1' } },
      { kind: 'mutator', handler: 'noop', outcome: 'passed' },
    ],
    forward: { upstream: 'http://b:8080/base', subject: 'identity-1', header: { 'x-user': 'identity-1' } },
  })
})

t.test('a refusal names the handler, and shows what the client gets', async t => {
  const { steps, refusal, forward } = await explain(accessRequest('GET', 'http://h/closed', { headers: { cookie: 'ory_kratos_session=ended' } }), rules)
  t.match(steps, [
    { handler: 'cookie_session', outcome: 'refused', failure: { code: 'unauthorized', reason: 'The session is unknown or has ended' } },
    { handler: 'noop', outcome: 'passed' },
    { handler: 'deny', outcome: 'refused', failure: { code: 'forbidden' } },
    { handler: 'noop', outcome: 'not asked' },
  ])
  t.match(refusal, { code: 'forbidden', answer: { status: 403 } })
  t.equal(forward, undefined)
})

t.test('what fails inside a handler is told with its cause', async t => {
  const { refusal } = await explain(accessRequest('GET', 'http://h/broken'), rules)
  t.match(refusal, { code: 'internal_error', detail: /\w/, answer: { status: 500 } })
})

t.test('no rule, and several, are explained without steps', async t => {
  t.match(await explain(accessRequest('GET', 'http://h/none'), rules), { rule: undefined, steps: [], refusal: { code: 'no_rule', answer: { status: 404 } } })
  const twice = ruleSet([rule('http://h/<.*>', { id: 'one' }), rule('http://h/x', { id: 'other' })])
  const { rules: considered, refusal } = await explain(accessRequest('GET', 'http://h/x'), twice)
  t.same(considered.map(({ verdict }) => verdict), ['matches', 'matches'])
  t.match(refusal, { code: 'several_rules', detail: 'rules one, other', answer: { status: 500 } })
})

t.test('what is explained is what is decided', async t => {
  const targets = ['http://h/users/7', 'http://h/closed', 'http://h/broken', 'http://h/none', 'http://h/users/a%2Fb']
  for (const target of targets) {
    for (const cookie of ['', 'ory_kratos_session=alice', 'ory_kratos_session=ended']) {
      const request = accessRequest('GET', target, { headers: { cookie } })
      const decided = await decide(request, rules).then(({ session }) => session.header, (error: GatewayError) => error.answer?.())
      const { forward, refusal } = await explain(request, rules)
      t.same(forward?.header ?? refusal?.answer, decided, `${target} ${cookie}`)
    }
  }
  t.match(await explain(accessRequest('GET', 'http://h/x'), ruleSet([rule('http://h/<.*>', { id: 'one' }), rule('http://h/x', { id: 'other' })], accessConfig({ onMultiple: 'first' }))), { rule: 'one' })
})
