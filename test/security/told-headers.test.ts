/** H2 for header fields that only a service names at request time: no other spelling of a client stands beside them. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'

import { startTestGateway } from '../helpers/gateway.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'

const server = async (t: Test, onRequest: RequestListener): Promise<string> => {
  const made = createServer(onRequest)
  await new Promise<void>(resolve => { made.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    made.close()
    made.closeAllConnections()
  })
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}`
}

/** What the service says about everybody. */
const hydrating: RequestListener = (req, res) => {
  let text = ''
  req.on('data', chunk => { text += String(chunk) }).on('end', () => {
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify({ ...JSON.parse(text) as object, header: { 'X-Role': ['user'], 'X-Surprise': ['yes'] } }))
  })
}

/** Values of a field by the name's letters alone, as an upstream that folds names sees them. */
const valuesOf = (seen: readonly string[], fold: string): string[] => (
  seen.filter((_, at) => at % 2 === 1 && (seen[at - 1] as string).toLowerCase().replace(/[^a-z0-9]/g, '') === fold)
)

t.test('H3 what a hydrator says it sets, no client can send on any route', async t => {
  const upstream = await server(t, (req, res) => { res.end(JSON.stringify(req.rawHeaders)) })
  const service = await server(t, hydrating)
  const route = (id: string, mutators: readonly object[]): object => ({
    id, match: { url: `<http://.*>/${id}`, methods: ['GET'] }, upstream: { url: upstream },
    authenticators: [{ handler: 'noop' }], authorizer: { handler: 'allow' }, mutators,
  })
  const gateway = await startTestGateway(t, {
    config: { mutators: { hydrator: { enabled: true, config: { api: { url: service } } } } },
    rules: [
      route('plain', [{ handler: 'noop' }]),
      route('hydrated', [{ handler: 'header', config: { headers: { 'X-Before': 'ours' } } }, { handler: 'hydrator', config: { headers: ['X-Role', 'X-Absent'] } }]),
    ],
  })
  const asked = async (path: string): Promise<string[]> => {
    const forged = 'X-Role: admin\r\nX_Role: admin\r\nX-Absent: forged\r\nX-Before: forged\r\nX-Other: stays\r\n'
    const answer = await sendRaw(Number(new URL(gateway.url).port), `GET /${path} HTTP/1.1\r\nHost: a.test\r\n${forged}Connection: close\r\n\r\n`, { until: oneAnswer })
    return JSON.parse(/\[.*\]/s.exec(answer.text)?.[0] ?? '[]') as string[]
  }
  const plain = await asked('plain')
  t.same(['xrole', 'xabsent', 'xbefore', 'xsurprise', 'xother'].map(fold => valuesOf(plain, fold)), [[], [], [], [], ['stays']])
  const hydrated = await asked('hydrated')
  t.same(['xrole', 'xabsent', 'xbefore', 'xsurprise', 'xother'].map(fold => valuesOf(hydrated, fold)), [['user'], [], [], [], ['stays']], 'the answer takes the place of what was there')
  t.same(gateway.logged.filter(line => JSON.stringify(line).includes('its hydrator')), [])
})

t.test('H3 a hydrator that does not say what it sets is warned of', async t => {
  const service = await server(t, hydrating)
  const gateway = await startTestGateway(t, {
    config: { mutators: { hydrator: { enabled: true, config: { api: { url: service } } } } },
    rules: ['silent', 'empty'].map(id => ({
      id, match: { url: `<http://.*>/${id}`, methods: ['GET'] }, upstream: { url: service }, authenticators: [{ handler: 'noop' }],
      authorizer: { handler: 'allow' }, mutators: [{ handler: 'hydrator', ...(id === 'empty' && { config: { headers: [] } }) }],
    })),
  })
  const warned = gateway.logged.map(line => JSON.stringify(line)).filter(text => text.includes('its hydrator may set'))
  t.match(warned, [/rules\.yml:\d+:\d+ rule \\"silent\\": its hydrator may set header fields/])
  t.equal(warned.length, 1)
})

t.test('H2 what a hydrator tells the upstream is told once, in our spelling', async t => {
  const upstream = await server(t, (req, res) => { res.end(JSON.stringify(req.rawHeaders)) })
  const service = await server(t, hydrating)
  const gateway = await startTestGateway(t, {
    config: { mutators: { hydrator: { enabled: true, config: { api: { url: service } } } } },
    rules: [{
      id: 'hydrated', match: { url: '<http://.*>', methods: ['GET'] }, upstream: { url: upstream },
      authenticators: [{ handler: 'noop' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'hydrator' }],
    }],
  })
  const request = 'GET /x HTTP/1.1\r\nHost: a.test\r\nX_Role: admin\r\nX.Role: admin\r\nX-Role: admin\r\nX-Other: stays\r\nConnection: close\r\n\r\n'
  const answer = await sendRaw(Number(new URL(gateway.url).port), request, { until: oneAnswer })
  const seen = JSON.parse(/\[.*\]/s.exec(answer.text)?.[0] ?? '[]') as string[]
  const roles = seen.filter((_, at) => at % 2 === 0 && /^x.?role$/i.test(seen[at] as string)).map(name => name.toLowerCase())
  t.same(roles, ['x-role'])
  t.equal(seen[seen.findIndex(name => name.toLowerCase() === 'x-role') + 1], 'user')
  t.ok(seen.includes('stays'))
})
