/** The authorizers `allow` and `deny`. */
import t from 'tap'

import { accessRequest, nobody, rule, ruleSet } from '../requests.js'

t.test('allow lets everybody pass, deny nobody', async t => {
  const request = accessRequest('GET', 'http://h/x')
  const session = nobody(request, { subject: 'alice' })
  const authorizer = (handler: string) => ruleSet([rule('http://h/x', { authorizer: { handler } })]).match(request).rule.authorizers[0]
  t.equal(await authorizer('allow')?.authorize(session), session)
  t.throws(() => authorizer('deny')?.authorize(session), { code: 'forbidden' })
})
