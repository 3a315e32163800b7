/** The authenticators that ask nobody: `anonymous`, `noop`, `unauthorized` (contract 2.1.1). */
import t from 'tap'

import type { AuthenticationSession } from '../../../src/access/pipeline.js'
import { accessRequest, nobody, rule, ruleSet } from '../requests.js'

async function authenticate(handler: string, headers: Record<string, string> = {}, config?: object): Promise<AuthenticationSession | undefined> {
  const request = accessRequest('GET', 'http://h/x', { headers })
  const rules = ruleSet([rule('http://h/x', { authenticators: [{ handler, config }] })])
  return rules.match(request).rule.authenticators[0]?.authenticate(nobody(request))
}

t.test('anonymous is responsible unless there is an Authorization header; cookies do not matter to it', async t => {
  t.equal((await authenticate('anonymous'))?.subject, 'anonymous')
  t.equal((await authenticate('anonymous', { cookie: 'ory_kratos_session=alice' }))?.subject, 'anonymous')
  t.equal((await authenticate('anonymous', { authorization: '' }))?.subject, 'anonymous')
  t.equal(await authenticate('anonymous', { authorization: 'foo' }), undefined)
  t.equal((await authenticate('anonymous', {}, { subject: 'guest' }))?.subject, 'guest')
})

t.test('noop is always responsible, for nobody', async t => {
  t.match(await authenticate('noop', { authorization: 'bearer x' }), { subject: '', extra: undefined, header: {} })
})

t.test('unauthorized refuses everybody', async t => {
  await t.rejects(authenticate('unauthorized'), { code: 'unauthorized' })
})
