/** The mutator `cookie` (contract 2.3). */
import t from 'tap'

import type { AuthenticationSession } from '../../../src/access/pipeline.js'
import { accessRequest, nobody, rule, ruleSet } from '../requests.js'

async function mutate(cookies: Record<string, string>, sent: string | undefined, over: Partial<AuthenticationSession> = {}): Promise<string | undefined> {
  const request = accessRequest('GET', 'http://h/x', sent === undefined ? {} : { headers: { cookie: sent } })
  const rules = ruleSet([rule('http://h/x', { mutators: [{ handler: 'cookie', config: { cookies } }] })])
  return (await rules.match(request).rule.mutators[0]?.mutate(nobody(request, over)))?.header['cookie']
}

t.test('the rule\'s cookies come first, the client\'s of the same names are gone', async t => {
  t.equal(await mutate({ user: '{{ print .Subject }}', role: 'x' }, 'a=1; user=admin;b=2 ; user = admin', { subject: 'foo' }), 'user=foo; role=x; a=1; b=2')
  t.equal(await mutate({ user: '{{ print .Subject }}' }, undefined, { subject: 'foo' }), 'user=foo')
  t.equal(await mutate({ user: 'u' }, 'a=1', { header: { cookie: 'b=2; user=old' } }), 'user=u; b=2', 'what an earlier mutator set counts')
})

t.test('a value can not break out of its cookie', async t => {
  const rows: [subject: string, value: string][] = [
    ['foo issuer audience', '"foo issuer audience"'], ['a,b', '"a,b"'], ['a;b"c\\d', 'abcd'], ['a\r\nb', 'ab'], ['ålice', 'lice'], ['', ''],
  ]
  for (const [subject, value] of rows) t.equal(await mutate({ user: '{{ .Subject }}' }, undefined, { subject }), `user=${value}`, JSON.stringify(subject))
})
