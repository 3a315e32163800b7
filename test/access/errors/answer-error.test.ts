/** How failures are answered: which error handler is responsible, and what it says (contract 2.5, 7.8). */
import t from 'tap'

import { decide } from '../../../src/access/decide.js'
import type { AccessConfig } from '../../../src/access/compile-rule.js'
import { type Answer, type ErrorCode, GatewayError } from '../../../src/errors.js'
import { accessConfig, accessRequest, rule, ruleSet } from '../requests.js'

interface Case {
  readonly code: ErrorCode
  /** The rule's error handlers; absent: no rule is known. */
  readonly errors?: readonly object[]
  readonly config?: AccessConfig['errors']
  readonly accept?: string
}

function answer({ code, errors, config, accept }: Case): Answer {
  const rules = ruleSet([rule('http://h/test', errors === undefined ? {} : { errors })], accessConfig(config === undefined ? {} : { errors: config }))
  const request = accessRequest('GET', 'http://h/test', accept === undefined ? {} : { headers: { accept } })
  const { answerError } = errors === undefined ? rules : rules.match(request).rule
  return answerError(new GatewayError(code), request)
}

const json = { handler: 'json' }
const when = (...error: string[]): object => ({ when: [{ error }] })
const whenAccepts = (error: string, accept: string): object => ({ when: [{ error: [error], request: { header: { accept: [accept] } } }] })

t.test('H-1 without a rule the fallback answers, as JSON unless configured', async t => {
  t.match(answer({ code: 'not_found' }), { status: 404, headers: { 'content-type': 'application/json' } })
})

t.test('H-3 H-4 the rule\'s own handler answers when it is responsible, else the fallback', async t => {
  const errors = [{ handler: 'redirect', config: { to: 'http://test/test', ...when('unauthorized') } }]
  t.match(answer({ code: 'unauthorized', errors }), { status: 302, headers: { location: 'http://test/test' } })
  t.match(answer({ code: 'not_found', errors }), { status: 404, headers: { 'content-type': 'application/json' } })
})

t.test('H-5 H-6 what the client accepts decides between handlers', async t => {
  const errors = [
    { handler: 'json', config: whenAccepts('unauthorized', 'application/json') },
    { handler: 'redirect', config: { to: 'http://test/test', ...whenAccepts('unauthorized', 'application/xml') } },
  ]
  t.match(answer({ code: 'not_found', errors, accept: 'application/json' }), { status: 404, headers: { 'content-type': 'application/json' } })
  t.match(answer({ code: 'unauthorized', errors, accept: 'application/xml' }), { status: 302 })
  t.match(answer({ code: 'unauthorized', errors, accept: 'application/json' }), { status: 401, headers: { 'content-type': 'application/json' } })
})

t.test('H-7 H-8 of the fallback the first responsible handler answers', async t => {
  const fallback = ['www_authenticate', 'json']
  const errors = [{ handler: 'json', config: whenAccepts('unauthorized', 'application/json') }]
  t.match(answer({ code: 'unauthorized', errors, accept: 'mime/undefined', config: { fallback, handlers: {} } }), {
    status: 401, headers: { 'www-authenticate': 'Basic realm=Please authenticate.' },
  })
  t.match(answer({ code: 'forbidden', config: { fallback, handlers: { www_authenticate: { config: { ...when('not_found') } } } } }), {
    status: 403, headers: { 'content-type': 'application/json' },
  })
})

t.test('H-9 when nobody is responsible it is 500, and says so', async t => {
  const { status, body } = answer({ code: 'forbidden', config: { fallback: ['www_authenticate'], handlers: { www_authenticate: { config: { ...when('not_found') } } } } })
  t.equal(status, 500)
  t.match(body, /no matching error handling strategy was found/)
})

t.test('several responsible handlers of a rule are 500', async t => {
  const { status, body } = answer({ code: 'forbidden', errors: [json, { handler: 'www_authenticate' }] })
  t.equal(status, 500)
  t.match(body, /Found more than one error handlers to be responsible/)
})

t.test('a rule\'s handler takes the global config, and its own over it', async t => {
  const config = { fallback: ['json'], handlers: { redirect: { config: { to: 'http://global/', ...when('unauthorized') } } } }
  const errors = [{ handler: 'redirect', config: { code: 301 } }]
  t.match(answer({ code: 'unauthorized', errors, config }), { status: 301, headers: { location: 'http://global/' } })
  t.match(answer({ code: 'forbidden', errors, config }), { status: 403 })
})

t.test('what a rule refuses before its pipeline runs is answered by the rule, too', async t => {
  const rules = ruleSet([rule('http://h/<.*>', { errors: [{ handler: 'www_authenticate' }] })])
  const error = await decide(accessRequest('GET', 'http://h/a%2Fb'), rules).catch((thrown: unknown) => thrown) as GatewayError
  t.equal(error.answer?.().status, 401)
})

t.test('a request that was refused before it could be read is answered, too', async t => {
  const config = { fallback: ['redirect', 'json'], handlers: { redirect: { config: { to: 'login', return_to_query_param: 'r', when: [{ request: { header: { accept: ['text/html'] } } }] } } } }
  const rules = ruleSet([], accessConfig({ errors: config }))
  t.match(rules.answerError(new GatewayError('bad_request'), undefined), { status: 400, headers: { 'content-type': 'application/json' } })
  const anywhere = ruleSet([], accessConfig({ errors: { fallback: ['redirect'], handlers: { redirect: { config: { to: 'login', return_to_query_param: 'r' } } } } }))
  t.match(anywhere.answerError(new GatewayError('bad_request'), undefined), { status: 302, headers: { location: 'login' } })
})
