/** D12 for the whole gateway: a disk that is full fails what has to be written, and nothing else. */
import { execFileSync, spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'

import { goodPassword, signUp } from '../helpers/flows.js'
import { caseSchema } from '../helpers/gateway.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { newVisitor } from '../helpers/visitor.js'

/**
 * Files of the gateway can't grow beyond this many blocks, until the soft limit is lifted: a full disk, from inside. Node
 * ignores the signal of this limit; what tap puts into its children would end them for it.
 */
const limited = ['sh', '-c', 'unset NODE_OPTIONS; ulimit -S -f 4096; exec "$@"', 'sh']
const skip = spawnSync('prlimit', ['--version']).error === undefined ? false : 'prlimit (util-linux) is not installed'

const schema = { ...caseSchema, properties: { ...caseSchema.properties, foobar: { type: 'string', minLength: 2, maxLength: 16_384 } } }

t.test('D12 on a full disk sign-ups are 503, people who are logged in go on, and where room is made all is as before', { skip }, async t => {
  const upstream = createServer((req, res) => { res.end(String(req.headers['x-user'])) })
  await new Promise<void>(resolve => { upstream.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    upstream.close()
    upstream.closeAllConnections()
  })
  const rule = (id: string, authenticator: string): object => ({
    id, match: { url: `<https?://[^/]+>/${id}`, methods: ['GET', 'POST'] }, upstream: { url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` },
    authenticators: [{ handler: authenticator }], authorizer: { handler: 'allow' },
    mutators: [{ handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}' } } }],
  })
  const gateway = await startGatewayProcess(t, { schema, rules: [rule('open', 'noop'), rule('closed', 'cookie_session')] }, { through: limited })
  const { pid } = gateway
  const visitor = newVisitor()
  t.equal((await signUp(visitor, gateway, 'ada')).status, 302)
  const subject = (await visitor.fetch(`${gateway.url}/closed`)).text
  t.match(subject, /^[0-9a-f-]{36}$/)

  const admin = newVisitor()
  const made: string[] = []
  let last = 201
  for (let count = 0; last === 201 && count < 1000; count++) {
    const answer = await admin.submitJson(`${gateway.adminUrl}/identities`, { traits: { username: `person ${count}`, foobar: 'x'.repeat(16_000) } })
    last = answer.status
    if (last === 201) made.push((answer.json() as { id: string }).id)
  }
  t.equal(last, 503, `after ${made.length} identities`)

  // There may still be room for what is small, but not for long.
  const statuses = new Set<number>()
  for (let tries = 0; tries < 200 && !statuses.has(503); tries++) {
    statuses.add((await newVisitor().fetch(`${gateway.publicUrl}/auth/browser/registration`)).status)
  }
  t.ok(statuses.has(503))
  t.same([...statuses].filter(status => status !== 302 && status !== 503), [])
  t.equal((await visitor.fetch(`${gateway.url}/closed`)).text, subject)
  t.equal((await newVisitor().fetch(`${gateway.url}/closed`)).status, 401)
  t.equal((await newVisitor().fetch(`${gateway.url}/open`)).status, 200)
  t.equal((await admin.fetch(`${gateway.adminUrl}/identities/${made[0]}`)).status, 200)
  t.equal((await admin.fetch(`${gateway.adminUrl}/health/alive`)).status, 200)

  execFileSync('prlimit', ['--pid', String(pid), '--fsize=unlimited'])
  const page = await signUp(newVisitor(), gateway, 'grace')
  t.equal(page.status, 302)
  t.match(page.headers['set-cookie'], /ory_kratos_session=/)
  t.equal(gateway.pid, pid)
  t.notMatch(gateway.output.join(''), goodPassword)
})
