/** The decision: the pipeline's order, and every way in which it ends. */
import t from 'tap'

import { decide } from '../../src/access/decide.js'
import type { RuleSet } from '../../src/access/rules.js'
import { GatewayError } from '../../src/errors.js'
import type { AccessRequest } from '../../src/http/access-request.js'
import { accessConfig, accessRequest, rule, ruleSet, services } from './requests.js'

/** What the request comes to, as a client would see it; what the upstream would be told, when it may pass. */
async function outcome(request: AccessRequest, rules: RuleSet): Promise<{ status: number, code?: string, subject?: string, header?: object }> {
  try {
    const { session } = await decide(request, rules)
    return { status: 200, subject: session.subject, header: session.header }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return { status: error.answer?.().status ?? 0, code: error.code }
  }
}

const get = (path: string, headers: Record<string, string> = {}): AccessRequest => accessRequest('GET', `http://h${path}`, { headers })

t.test('P-1 no rule is 404, by the configured fallback', async t => {
  t.same(await outcome(get('/invalid'), ruleSet([])), { status: 404, code: 'no_rule' })

  const { answer } = await decide(get('/invalid'), ruleSet([])).catch((error: GatewayError) => error) as GatewayError
  t.same(JSON.parse(answer?.().body ?? ''), {
    error: { code: 404, status: 'Not Found', request: 'request-1', message: 'The requested resource could not be found' },
  })
})

t.test('P-2 two rules that match are 500', async t => {
  const rules = ruleSet([rule('http://h/<.*>'), rule('http://h/x')])
  t.same(await outcome(get('/x'), rules), { status: 500, code: 'several_rules' })
  t.same((await outcome(get('/y'), rules)).status, 200)
})

t.test('on_multiple_matches: first takes the order of the files', async t => {
  const config = accessConfig({ onMultiple: 'first' })
  const anonymous = (subject: string): object => ({ authenticators: [{ handler: 'anonymous', config: { subject } }] })
  const one = rule('http://h/<.*>', { id: 'one', ...anonymous('one') })
  const other = rule('http://h/x', { id: 'other', ...anonymous('other') })
  t.equal((await outcome(get('/x'), ruleSet([one, other], config))).subject, 'one')
  t.equal((await outcome(get('/x'), ruleSet([other, one], config))).subject, 'other')
})

t.test('P-3 P-7 noop and anonymous let pass; the method is compared in any case (contract 1.1)', async t => {
  const rules = ruleSet([rule('http://h/noop', { match: { url: 'http://h/noop', methods: ['get', 'Custom'] } }), rule('http://h/anonymous', { authenticators: [{ handler: 'anonymous' }] })])
  t.same(await outcome(get('/noop', { authorization: 'bearer token' }), rules), { status: 200, subject: '', header: {} })
  t.same(await outcome(get('/anonymous'), rules), { status: 200, subject: 'anonymous', header: {} })
  t.equal((await outcome(accessRequest('CUSTOM', 'http://h/noop'), rules)).status, 200, 'R-3')
  t.equal((await outcome(accessRequest('DELETE', 'http://h/noop'), rules)).status, 404, 'R-3')
})

t.test('P-5 P-12 no authenticator is responsible, or it refuses: 401', async t => {
  const rules = ruleSet([rule('http://h/a', { authenticators: [{ handler: 'anonymous' }] }), rule('http://h/u', { authenticators: [{ handler: 'unauthorized' }, { handler: 'anonymous' }] })])
  t.same(await outcome(get('/a', { authorization: 'x' }), rules), { status: 401, code: 'unauthorized' })
  t.same(await outcome(get('/u'), rules), { status: 401, code: 'unauthorized' })
})

t.test('P-10 P-11 deny is 403, or what the rule makes of it', async t => {
  const rules = ruleSet([
    rule('http://h/deny', { authorizer: { handler: 'deny' } }),
    rule('http://h/ask', { authorizer: { handler: 'deny' }, errors: [{ handler: 'www_authenticate' }] }),
  ])
  t.same(await outcome(get('/deny'), rules), { status: 403, code: 'forbidden' })
  t.same(await outcome(get('/ask'), rules), { status: 401, code: 'forbidden' })
})

t.test('a session decides who it is; a bad one is refused and never becomes anonymous', async t => {
  const rules = ruleSet([rule('http://h/x', { authenticators: [{ handler: 'cookie_session' }, { handler: 'anonymous' }] })])
  t.equal((await outcome(get('/x', { cookie: 'ory_kratos_session=alice' }), rules)).subject, 'identity-1')
  t.equal((await outcome(get('/x'), rules)).subject, 'anonymous')
  t.same(await outcome(get('/x', { cookie: 'ory_kratos_session=forged' }), rules), { status: 401, code: 'unauthorized' })
})

t.test('optional: true asks the next authenticator when credentials are refused', async t => {
  const rules = ruleSet([rule('http://h/x', { authenticators: [{ handler: 'cookie_session', optional: true }, { handler: 'anonymous' }] })])
  t.equal((await outcome(get('/x', { cookie: 'ory_kratos_session=forged' }), rules)).subject, 'anonymous')
  t.equal((await outcome(get('/x', { cookie: 'ory_kratos_session=alice' }), rules)).subject, 'identity-1')
})

t.test('optional: true passes nobody when the store can not be asked, or a handler fails', async t => {
  const anyone = [rule('http://h/x', { authenticators: [{ handler: 'cookie_session', optional: true }, { handler: 'anonymous' }] })]
  const cookie = { cookie: 'ory_kratos_session=alice' }
  const down = services(async () => {
    throw new GatewayError('store_unavailable')
  })
  t.same(await outcome(get('/x', cookie), ruleSet(anyone, accessConfig(), down)), { status: 503, code: 'store_unavailable' })

  const broken = services(async () => {
    throw new TypeError('a defect')
  })
  t.same(await outcome(get('/x', cookie), ruleSet(anyone, accessConfig(), broken)), { status: 500, code: 'internal_error' })
})

t.test('all authorizers must allow', async t => {
  const rules = ruleSet([
    rule('http://h/both', { authorizers: [{ handler: 'allow' }] }),
    rule('http://h/one', { authorizers: [{ handler: 'allow' }, { handler: 'deny' }] }),
    rule('http://h/only', { authorizer: undefined, authorizers: [{ handler: 'allow' }] }),
  ])
  t.equal((await outcome(get('/both'), rules)).status, 200)
  t.equal((await outcome(get('/one'), rules)).status, 403)
  t.equal((await outcome(get('/only'), rules)).status, 200)
})

t.test('an encoded slash is refused with 400 unless the rule allows it, and is no slash to a pattern', async t => {
  const rules = ruleSet([
    rule('http://h/no/<[^/]+>'),
    rule('http://h/yes/<[^/]+>', { match: { url: 'http://h/yes/<[^/]+>', methods: ['GET'], encoded_slashes: 'allow' } }),
  ])
  t.same(await outcome(get('/no/a%2Fb'), rules), { status: 400, code: 'bad_request' })
  t.equal((await outcome(get('/yes/a%2Fb'), rules)).status, 200)
  t.equal((await outcome(get('/yes/a%5Cb'), rules)).status, 200)
})

t.test('mutators run in order, each over what the one before has set', async t => {
  const rules = ruleSet([rule('http://h/<[a-z]+>/<[0-9]+>', {
    mutators: [
      { handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}', 'X-Item': '{{ printIndex .MatchContext.RegexpCaptureGroups 1 }}' } } },
      { handler: 'header', config: { headers: { 'x-user': 'second' } } },
    ],
  })])
  t.same((await outcome(get('/items/42'), rules)).header, { 'x-user': 'second', 'x-item': '42' })
})

t.test('H2 what any rule may set is stripped on every route, under its folded name; credentials are not', async t => {
  const rules = ruleSet([
    rule('http://h/a', { mutators: [{ handler: 'header', config: { headers: { 'X-User': 'a', 'Authorization': 'b', 'X-Real.Name': 'c' } } }] }),
    rule('http://h/b', { mutators: [{ handler: 'cookie', config: { cookies: { user: 'a' } } }] }),
  ])
  const { stripped } = await decide(get('/b'), rules)
  t.same([...stripped].sort(), ['xrealname', 'xuser'])
  t.equal(rules.stripped, stripped)
})

t.test('H14 a session that one rule accepts is judged anew by every other', async t => {
  const rules = ruleSet([
    rule('http://h/a', { authenticators: [{ handler: 'cookie_session' }] }),
    rule('http://h/b', { authenticators: [{ handler: 'cookie_session', config: { only: ['other'] } }] }),
    rule('http://h/c', { authenticators: [{ handler: 'cookie_session' }], authorizer: { handler: 'deny' } }),
  ])
  const statuses: number[] = []
  for (const path of ['/a', '/b', '/c']) statuses.push((await outcome(get(path, { cookie: 'ory_kratos_session=alice' }), rules)).status)
  t.same(statuses, [200, 401, 403])
})

t.test('an error is never changed on its way out', async t => {
  const shared = Object.freeze(new GatewayError('unauthorized', { detail: 'seen' }))
  const failing = services(async () => {
    throw shared
  })
  const rules = ruleSet([rule('http://h/x', { authenticators: [{ handler: 'cookie_session' }], errors: [{ handler: 'www_authenticate' }] })], accessConfig(), failing)
  const error = await decide(get('/x', { cookie: 'ory_kratos_session=a' }), rules).catch((thrown: unknown) => thrown) as GatewayError
  t.not(error, shared)
  t.equal(shared.answer, undefined)
  t.match(error, { code: 'unauthorized', detail: 'seen' })
  t.equal(error.answer?.().headers['www-authenticate'], 'Basic realm=Please authenticate.')
})
