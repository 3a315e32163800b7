/** H2 for header fields that only a service names at request time: no other spelling of a client stands beside them. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'

import { startTestGateway } from '../helpers/gateway.js'
import { oneAnswer, sendRaw } from '../helpers/raw.js'

t.test('H2 what a hydrator tells the upstream is told once, in our spelling', async t => {
  const upstream = createServer((req, res) => { res.end(JSON.stringify(req.rawHeaders)) })
  const service = createServer((req, res) => {
    let text = ''
    req.on('data', chunk => { text += String(chunk) }).on('end', () => {
      res.setHeader('content-type', 'application/json')
      res.end(JSON.stringify({ ...JSON.parse(text) as object, header: { 'X-Role': ['user'] } }))
    })
  })
  for (const server of [upstream, service]) {
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
    t.teardown(() => {
      server.close()
      server.closeAllConnections()
    })
  }
  const urlOf = (server: typeof upstream): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const gateway = await startTestGateway(t, {
    config: { mutators: { hydrator: { enabled: true, config: { api: { url: urlOf(service) } } } } },
    rules: [{
      id: 'hydrated', match: { url: '<http://.*>', methods: ['GET'] }, upstream: { url: urlOf(upstream) },
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
