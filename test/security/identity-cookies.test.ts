/** H2 for cookies: what a rule tells an upstream in a cookie, no client can tell it, on no route. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'

import { startTestGateway } from '../helpers/gateway.js'
import { newVisitor } from '../helpers/visitor.js'

t.test('H2 cookies that a mutator sets are taken off every request before they are set', async t => {
  const upstream: Server = createServer((req, res) => { res.end(req.headers.cookie ?? '') })
  await new Promise<void>(resolve => { upstream.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    upstream.close()
    upstream.closeAllConnections()
  })
  const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const rule = (id: string, mutators: object[]): object => ({
    id, match: { url: `<http://.*>/${id}`, methods: ['GET'] }, upstream: { url },
    authenticators: [{ handler: 'anonymous' }], authorizer: { handler: 'allow' }, mutators,
  })
  const tells = (name: string): object => ({ handler: 'cookie', config: { cookies: { [name]: '{{ print .Subject }}' } } })
  const gateway = await startTestGateway(t, { rules: [rule('user', [tells('user')]), rule('role', [tells('role')]), rule('open', [{ handler: 'noop' }])] })

  const ask = async (path: string): Promise<string> => (await newVisitor().send(`${gateway.url}/${path}`, {
    headers: { cookie: 'user=mallory; theme=dark; role=admin; ory_kratos_session=x; users=2' },
  })).text
  t.equal(await ask('open'), 'theme=dark; users=2')
  t.equal(await ask('user'), 'user=anonymous; theme=dark; users=2')
  t.equal(await ask('role'), 'role=anonymous; theme=dark; users=2')
})
