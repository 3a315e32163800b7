/** The mutator `header` (contract 7.12). */
import t from 'tap'

import type { AuthenticationSession } from '../../../src/access/pipeline.js'
import { accessRequest, nobody, rule, ruleSet } from '../requests.js'

async function mutate(headers: Record<string, string>, over: Partial<AuthenticationSession> = {}): Promise<Readonly<Record<string, string>>> {
  const request = accessRequest('GET', 'http://h/x', { headers: { 'x-user': 'admin', 'x-issuer': 'mallory' } })
  const rules = ruleSet([rule('http://h/x', { mutators: [{ handler: 'header', config: { headers } }] })])
  const session = await rules.match(request).rule.mutators[0]?.mutate(nobody(request, over))
  return (session as AuthenticationSession).header
}

t.test('each field is made from its template, under its lower-case name', async t => {
  t.same(await mutate({ 'X-User': '{{ print .Subject }}', 'X-Text': 'user {{ .Subject }}!' }, { subject: 'foo' }), { 'x-user': 'foo', 'x-text': 'user foo!' })
  const extra = { example: { n: 10, f: 3.14159, b: true } }
  t.same(await mutate({ 'X-N': '{{ print .Extra.example.n }}', 'X-F': '{{ print .Extra.example.f }}', 'X-B': '{{ print .Extra.example.b }}' }, { extra }), {
    'x-n': '10', 'x-f': '3.14159', 'x-b': 'true',
  })
})

t.test('H1 a field without a value is set empty, so that the client\'s own never gets through', async t => {
  t.same(await mutate({ 'X-User': '{{ print .Subject }}', 'X-Issuer': '{{ print .Extra.iss }}' }, { subject: 'anonymous' }), { 'x-user': 'anonymous', 'x-issuer': '' })
})

t.test('H9 a value is one line of printable ASCII, whatever people are called', async t => {
  const rows: [subject: string, value: string][] = [
    ['alice\r\nX-Role: admin', 'alice%0D%0AX-Role: admin'], ['ålice', '%C3%A5lice'], ['a\0b', 'a%00b'], ['a\tb', 'a%09b'], ['\u{1f600}', '%F0%9F%98%80'],
    ['100% "sure"', '100% "sure"'], ['\ud800', '%EF%BF%BD'],
  ]
  for (const [subject, value] of rows) t.same(await mutate({ 'X-User': '{{ .Subject }}' }, { subject }), { 'x-user': value }, JSON.stringify(subject))
})

t.test('fields that were set before stay, except those it sets itself', async t => {
  t.same(await mutate({ 'X-User': 'new' }, { header: { 'x-user': 'old', 'x-other': 'kept' } }), { 'x-user': 'new', 'x-other': 'kept' })
})

t.test('a template that fails refuses the request', async t => {
  await t.rejects(mutate({ 'X-User': '{{ .Extra.a.b.c }}' }, { extra: {} }))
})

t.test('what frames a message can not be set', t => {
  for (const name of ['Host', 'content-length', 'Transfer-Encoding', 'Connection', 'Upgrade', 'TE', 'Expect', '__proto__', 'X User', 'X:', '']) {
    t.throws(() => ruleSet([rule('http://h/x', { mutators: [{ handler: 'header', config: JSON.parse(`{"headers":{${JSON.stringify(name)}:"x"}}`) as object }] })]), { name: 'RuleMistakes' }, name)
  }
  t.throws(() => ruleSet([rule('http://h/x', { mutators: [{ handler: 'header', config: { headers: { 'X-User': 'a', 'x-user': 'b' } } }] })]), /"x-user" is set twice/)
  t.end()
})
