/** The authenticator `cookie_session` with the gateway's own sessions. */
import t from 'tap'

import { cookieSession } from '../../../src/access/authenticators/cookie-session.js'
import type { AuthenticationSession } from '../../../src/access/pipeline.js'
import { accessRequest, alice, nobody, rule, ruleSet, services } from '../requests.js'

const document = { sid: 'session-1', identity: { id: 'identity-1', traits: { email: 'alice@example.org' } } }

/** What the configured handler makes of a request with these cookies, by way of a rule so that defaults are there. */
async function authenticate(cookie: string | undefined, config: object = {}): Promise<AuthenticationSession | undefined> {
  const request = accessRequest('GET', 'http://h/x', cookie === undefined ? {} : { headers: { cookie } })
  const rules = ruleSet([rule('http://h/x', { authenticators: [{ handler: 'cookie_session', config }] })])
  return rules.match(request).rule.authenticators[0]?.authenticate(nobody(request))
}

t.test('the subject is the identity, and templates see the whole session', async t => {
  t.match(await authenticate('a=b; ory_kratos_session=alice'), { subject: 'identity-1', extra: document })
})

t.test('CS-10 CS-11 without its cookie it is not responsible, and asks nobody', async t => {
  for (const cookie of [undefined, '', 'sessionid=alice', 'xory_kratos_session=alice']) t.equal(await authenticate(cookie), undefined, `cookie: ${cookie}`)
})

t.test('C2 two cookies of its name count as none', async t => {
  t.equal(await authenticate('ory_kratos_session=alice; ory_kratos_session=alice'), undefined)
})

t.test('a cookie that no session belongs to is refused', async t => {
  await t.rejects(authenticate('ory_kratos_session=forged'), { code: 'unauthorized' })
  await t.rejects(authenticate('ory_kratos_session='), { code: 'unauthorized' })
})

t.test('CS-12 only names the cookies that count', async t => {
  const config = { only: ['session', 'sid'] }
  t.match(await authenticate('sid=alice', config), { subject: 'identity-1' })
  t.equal(await authenticate('ory_kratos_session=alice', config), undefined)
  t.match(await authenticate('ory_kratos_session=alice', { only: [] }), { subject: 'identity-1' }, 'an empty list means the session cookie')
})

t.test('CS-13 CS-14 subject_from and extra_from are paths into the session', async t => {
  t.match(await authenticate('ory_kratos_session=alice', { subject_from: 'identity.traits.email', extra_from: 'identity.traits' }), {
    subject: 'alice@example.org', extra: { email: 'alice@example.org' },
  })
  t.match(await authenticate('ory_kratos_session=alice', { subject_from: 'identity.nothing', extra_from: 'nothing' }), { subject: '', extra: undefined })
  await t.rejects(authenticate('ory_kratos_session=alice', { subject_from: 'identity.traits' }), { code: 'forbidden' })
  await t.rejects(authenticate('ory_kratos_session=alice', { extra_from: 'sid' }), { code: 'forbidden' })
})

t.test('the session it is given is left as it was', async t => {
  const request = accessRequest('GET', 'http://h/x', { headers: { cookie: 'ory_kratos_session=alice' } })
  const before = Object.freeze(nobody(request, { header: Object.freeze({ 'x-a': 'b' }) }))
  const authenticate = cookieSession.create({ subject_from: 'identity.id', extra_from: '@this' } as never, services(async () => alice))
  t.match(await authenticate(before), { subject: 'identity-1', header: { 'x-a': 'b' } })
  t.equal(before.subject, '')
})
