/** Rule files and what becomes of them: golden files of mistakes, and the compiled set. */
import { readFileSync, readdirSync } from 'node:fs'
import t from 'tap'

import { authenticators, authorizers, errorHandlers, mutators } from '../../src/access/handlers.js'
import { RuleMistakes, mistakeText } from '../../src/access/rule-mistakes.js'
import { compileRules } from '../../src/access/rules.js'
import { accessConfig, accessRequest, rule, ruleSet, services } from './requests.js'

function mistakesOf(text: string, config = accessConfig()): string[] {
  try {
    compileRules([{ name: 'rules.yml', text }], config, services())
  } catch (error) {
    if (error instanceof RuleMistakes) return error.mistakes.map(mistakeText)
    throw error
  }
  return []
}

t.test('V-1 to V-9, D9, X13 every mistake of a file is told at once, with its place (test/access/rules/*.txt)', t => {
  const names = (handlers: readonly { name: string }[]): string => handlers.map(({ name }) => name).join(', ')
  const folder = new URL('rules/', import.meta.url)
  for (const name of readdirSync(folder)) {
    const [text = '', expected = ''] = readFileSync(new URL(name, folder), 'utf8').split('----------\n')
    const lines = expected.trimEnd()
      .replaceAll('<authenticators>', names(authenticators)).replaceAll('<authorizers>', names(authorizers))
      .replaceAll('<mutators>', names(mutators)).replaceAll('<errors>', names(errorHandlers))
      .split('\n')
    const mistakes = mistakesOf(text)
    for (const [at, line] of lines.entries()) {
      const [before = '', after] = line.split(/<[a-z ]+>$/)
      t.equal(after === undefined ? mistakes[at] : mistakes[at]?.slice(0, before.length), before, `${name} line ${at + 1}`)
    }
    t.equal(mistakes.length, lines.length, `${name} has no more mistakes`)
  }
  t.end()
})

t.test('V-10 V-11 V-12 a rule may have any method and an upstream with an underscore', t => {
  const rules = ruleSet([rule('http://h/', { match: { url: 'http://h/', methods: ['MKCOL'] }, upstream: { url: 'http://tasks.foo-bar_baz' } })])
  t.equal(rules.match(accessRequest('MKCOL', 'http://h/')).rule.upstream?.origin, 'http://tasks.foo-bar_baz')
  t.end()
})

t.test('V-5 V-13 a handler that is disabled can not be used; the kinds do not share their switch', t => {
  const text = JSON.stringify([rule('http://h/')])
  t.match(mistakesOf(text, accessConfig({ authenticators: { noop: { enabled: false } } })), [/"http:\/\/h\/": Authenticator "noop" is disabled per configuration\.$/])
  t.match(mistakesOf(text, accessConfig({ mutators: { noop: { enabled: false } } })), [/Mutator "noop" is disabled per configuration\.$/])
  t.match(mistakesOf(text, accessConfig({ authorizers: { allow: { enabled: false } } })), [/Authorizer "allow" is disabled per configuration\.$/])
  t.same(mistakesOf(text, accessConfig({ mutators: { noop: { enabled: true }, header: { enabled: false } } })), [])
  t.end()
})

t.test('H-2 a fallback that is disabled or unknown is a mistake of the configuration', t => {
  t.match(mistakesOf('[]', accessConfig({ errors: { fallback: ['json'], handlers: { json: { enabled: false } } } })), [/^configuration errors\.fallback\.0.* Error handler "json" is disabled/])
  t.match(mistakesOf('[]', accessConfig({ errors: { fallback: ['jsno'], handlers: {} } })), [/errors\.fallback\[0\].*did you mean "json"/])
  t.match(mistakesOf('[]', accessConfig({ errors: { fallback: ['redirect'], handlers: {} } })), [/"redirect" could not be validated: to is required/])
  t.end()
})

t.test('C-3 a rule\'s config is merged over the global one: maps key by key, lists replaced', async t => {
  const config = accessConfig({
    mutators: { header: { enabled: true, config: { headers: { 'X-Global': 'global', 'X-Both': 'global' } } } },
    authenticators: { cookie_session: { enabled: true, config: { only: ['global'], subject_from: 'identity.traits.email' } } },
  })
  const rules = ruleSet([rule('http://h/', {
    authenticators: [{ handler: 'cookie_session', config: { only: ['own'] } }],
    mutators: [{ handler: 'header', config: { headers: { 'X-Both': 'own' } } }],
  })], config)
  const request = accessRequest('GET', 'http://h/', { headers: { cookie: 'global=nobody; own=alice' } })
  const { rule: { authenticators: [entry], mutators: [mutator] }, captures } = rules.match(request)
  const session = await entry?.authenticate({ subject: '', extra: undefined, header: {}, match: { ruleId: '', captures, request } })
  t.equal(session?.subject, 'alice@example.org')
  t.same((await mutator?.mutate(session as NonNullable<typeof session>))?.header, { 'x-global': 'global', 'x-both': 'own' })
  t.same(config.mutators.header?.config, { headers: { 'X-Global': 'global', 'X-Both': 'global' } }, 'the configuration is as it was')
  t.end()
})

t.test('handlers that take no configuration ignore what is given (contract 2.0)', t => {
  const config = { anything: 1 }
  t.same(mistakesOf(JSON.stringify([rule('http://h/', {
    authenticators: [{ handler: 'noop', config }, { handler: 'unauthorized', config }], authorizer: { handler: 'deny', config }, mutators: [{ handler: 'noop', config }],
  })])), [])
  t.end()
})

t.test('the upstream is read once: base path, strip_path without outer slashes, durations in milliseconds', t => {
  const upstreams: [object, object][] = [
    [{ url: 'http://b:80/' }, { origin: 'http://b', basePath: '', preserveHost: false, keepAlive: true, bodyOnSafeMethods: false }],
    [{ url: 'https://b/base//', strip_path: 'api/', preserve_host: true }, { origin: 'https://b', basePath: '/base', stripPath: '/api', preserveHost: true, keepAlive: true, bodyOnSafeMethods: false }],
    [
      { url: 'http://b', strip_path: '/', timeout: { connect: '1s', response: '1m30s' }, max_body_bytes: 5, keep_alive: false, body_on_safe_methods: true },
      { origin: 'http://b', basePath: '', preserveHost: false, timeout: { connect: 1000, response: 90_000 }, maxBodyBytes: 5, keepAlive: false, bodyOnSafeMethods: true },
    ],
  ]
  for (const [upstream, read] of upstreams) {
    t.same(ruleSet([rule('http://h/', { upstream })]).match(accessRequest('GET', 'http://h/')).rule.upstream, read)
  }
  for (const upstream of [undefined, {}, { url: '' }]) {
    t.equal(ruleSet([rule('http://h/', { upstream })]).match(accessRequest('GET', 'http://h/')).rule.upstream, undefined, 'a rule for the decision API only')
  }
  t.end()
})

t.test('A-2 rules are shown as Oathkeeper shows them, extensions where they are used', t => {
  const [shown] = ruleSet([rule('http://h/', { authorizers: [{ handler: 'allow', config: {} }], upstream: { url: 'http://b', keep_alive: false } })]).documents
  t.strictSame(Object.keys(shown ?? {}), ['id', 'version', 'description', 'match', 'authenticators', 'authorizer', 'authorizers', 'mutators', 'errors', 'upstream'])
  t.match(shown, {
    id: 'http://h/', version: 'v26.2.0', description: '', match: { url: 'http://h/', methods: ['GET', 'POST'] },
    authenticators: [{ handler: 'noop', config: null }], authorizer: { handler: 'allow', config: null }, authorizers: [{ handler: 'allow', config: {} }],
    mutators: [{ handler: 'noop', config: null }], errors: null, upstream: { preserve_host: false, strip_path: '', url: 'http://b', keep_alive: false },
  })
  t.end()
})

t.test('R-5 a gRPC rule is accepted and matches no HTTP request', t => {
  const rules = ruleSet([rule('grpc', { match: { authority: 'example.com', full_method: '/full/method' } })])
  t.match(rules.warnings, [/rules\.yml:1:\d+ rule "grpc": it is a gRPC rule/])
  t.equal(rules.documents.length, 1)
  t.throws(() => rules.match(accessRequest('POST', 'http://example.com/full/method')), { code: 'no_rule' })
  t.end()
})

t.test('a rule that matches nothing is warned of', t => {
  t.match(ruleSet([rule('one', { match: { url: 'example.com/x', methods: ['GET'] } }), rule('two', { match: { url: 'http://h/x' } })]).warnings, [
    /rule "one": it matches nothing: it begins with neither/, /rule "two": it matches nothing: it has no methods/,
  ])
  t.end()
})

t.test('H-10 an error handler that answers everything beside another one is warned of, since what both answer is 500', t => {
  const when = [{ error: ['unauthorized'] }]
  const redirect = { handler: 'redirect', config: { to: 'http://h/login', when } }
  const warningsOf = (errors: readonly object[], handlers: object = {}): readonly string[] =>
    ruleSet([rule('http://h/', { errors })], accessConfig({ errors: { fallback: ['json'], handlers } })).warnings
  t.match(warningsOf([redirect, { handler: 'json' }]), [
    /rule "http:\/\/h\/": the error handler "json" has no `when`, so it answers everything; what another one of the rule answers too becomes a 500/,
  ])
  t.equal(warningsOf([{ handler: 'www_authenticate', config: { when: [] } }, { handler: 'json' }]).length, 2)
  t.same(warningsOf([redirect]), [])
  t.same(warningsOf([{ handler: 'json' }]), [])
  t.same(warningsOf([redirect, { handler: 'json', config: { when } }]), [])
  t.same(warningsOf([redirect, { handler: 'json' }], { json: { config: { when } } }), [], 'the one of the configuration counts')
  t.end()
})

t.test('X14 overlapping rules are warned of, with a request that shows it', t => {
  const rules = ruleSet([
    rule('http://h/<.*>', { id: 'all' }), rule('http://h/users/<[0-9]+>', { id: 'users' }), rule('http://h/posted', { id: 'posted', match: { url: 'http://h/posted', methods: ['PUT'] } }),
    rule('http://other/<.*>', { id: 'other' }),
  ])
  t.match(rules.warnings, [/^rules "all" and "users" both match GET http:\/\/h\/users\/\d+, which is answered with 500$/])
  t.match(ruleSet([rule('http://h/<.*>', { id: 'all' }), rule('http://h/x', { id: 'x' })], accessConfig({ onMultiple: 'first' })).warnings, [/which the first takes$/])
  t.end()
})

t.test('M-1 M-2 M-6 each request finds its rule, by port, method and alternative', t => {
  for (const strategy of ['regexp', 'glob'] as const) {
    const pattern = (one: string, other: string): string => strategy === 'regexp' ? `<${one}|${other}>` : `<{${one}*,${other}*}>`
    const rules = ruleSet([
      rule(`https://localhost:1234/${pattern('foo', 'bar')}`, { id: 'R1', match: { url: `https://localhost:1234/${pattern('foo', 'bar')}`, methods: ['POST'] } }),
      rule(`https://localhost:34/${pattern('baz', 'bar')}`, { id: 'R2' }),
      rule(`https://localhost:343/${pattern('baz', 'bar')}`, { id: 'R3' }),
    ], accessConfig({ strategy }))
    t.equal(rules.match(accessRequest('GET', 'https://localhost:34/baz')).rule.id, 'R2')
    t.equal(rules.match(accessRequest('POST', 'https://localhost:1234/foo')).rule.id, 'R1')
    t.throws(() => rules.match(accessRequest('DELETE', 'https://localhost:1234/foo')), { code: 'no_rule' })
    t.throws(() => ruleSet([]).match(accessRequest('GET', 'https://localhost:34/baz')), { code: 'no_rule' }, 'M-1')
  }
  t.end()
})
