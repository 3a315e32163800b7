/** Cases of contract oathkeeper 7.6 and 7.14 through the whole gateway: reloads, the API, what overrides what. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'

import { startTestGateway } from '../helpers/gateway.js'
import { startRecorder } from '../helpers/recorder.js'
import { newVisitor } from '../helpers/visitor.js'

const upstream = await startRecorder()
t.teardown(() => upstream.close())

function rule(id: string, over: object = {}): object {
  return {
    id, match: { url: `http://app.test/${id}`, methods: ['GET'] }, upstream: { url: upstream.origin },
    authenticators: [{ handler: 'anonymous' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }], ...over,
  }
}

const deny = { authorizer: { handler: 'deny' } }
const host = { host: 'app.test' }

t.test('F-1 F-2 F-8 rule files are followed without a restart; one that is not right changes nothing and /health/ready says why', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'oathgate-reload-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const write = (name: string, ...rules: object[]): void => writeFileSync(join(folder, name), JSON.stringify(rules))
  write('one.json')
  const gateway = await startTestGateway(t, {
    config: { access_rules: { repositories: [`file://${folder}/`] }, authorizers: { remote_json: { enabled: false } } },
  })
  const statuses = async (): Promise<number[]> => Promise.all(
    ['rules', 'other-rules'].map(async path => (await newVisitor().send(`${gateway.url}/${path}`, { headers: host })).status),
  )
  const become = async (expected: number[]): Promise<void> => {
    for (const end = Date.now() + 8000; Date.now() < end; await sleep(20)) if (String(await statuses()) === String(expected)) break
    t.same(await statuses(), expected)
  }

  await become([404, 404])
  t.equal((await newVisitor().fetch(`${gateway.adminUrl}/health/ready`)).status, 200, 'a gateway without rules still signs people up')
  write('one.json', rule('rules'))
  await become([200, 404])
  write('one.json', rule('rules', deny))
  await become([403, 404])

  write('one.json', rule('rules', { authorizer: { handler: 'remote_json' } }))
  const isTold = (): boolean => gateway.logged.some(({ reason }) => /Authorizer "remote_json" is disabled per configuration/.test(String(reason)))
  for (const end = Date.now() + 8000; Date.now() < end && !isTold(); await sleep(20));
  t.ok(isTold())
  await become([403, 404])
  t.match((await newVisitor().fetch(`${gateway.adminUrl}/health/ready`)).text, /rules/)

  write('one.json', rule('rules'))
  write('two.json', rule('other-rules'))
  await become([200, 200])
  write('two.json', rule('other-rules', deny))
  await become([200, 403])
  write('one.json')
  rmSync(join(folder, 'two.json'))
  await become([404, 404])
})

t.test('A-1 A-2 alive, ready, the list of rules and each of them', async t => {
  const gateway = await startTestGateway(t, { rules: [rule('one'), rule('two', deny)] })
  const ask = (path: string): ReturnType<ReturnType<typeof newVisitor>['fetch']> => newVisitor().fetch(`${gateway.adminUrl}${path}`)
  t.same([(await ask('/health/alive')).status, (await ask('/health/ready')).status], [200, 200])
  const listed = (await ask('/rules')).json() as { id: string }[]
  t.same(listed.map(({ id }) => id), ['one', 'two'])
  for (const document of listed) t.same((await ask(`/rules/${document.id}`)).json(), document)
  t.equal((await ask('/rules/three')).status, 404)
})

t.test('C-1 C-2 C-3 the environment beats the file, a rule beats both: maps key by key, lists as a whole', async t => {
  const headers = (more: Record<string, string>): object => ({ mutators: [{ handler: 'header', config: { headers: { 'X-Rule': 'rule', ...more } } }] })
  const gateway = await startTestGateway(t, {
    config: {
      authenticators: { anonymous: { config: { subject: 'file' } } },
      mutators: { header: { config: { headers: { 'X-File': 'file', 'X-Subject': '{{ print .Subject }}' } } } },
    },
    env: { AUTHENTICATORS_ANONYMOUS_CONFIG_SUBJECT: 'environment' },
    rules: [rule('env', headers({})), rule('own', { authenticators: [{ handler: 'anonymous', config: { subject: 'rule' } }], ...headers({ 'X-File': 'rule' }) })],
  })
  for (const [path, subject, file] of [['env', 'environment', 'file'], ['own', 'rule', 'rule']] as const) {
    t.equal((await newVisitor().send(`${gateway.url}/${path}`, { headers: host })).status, 200)
    t.same(['x-subject', 'x-file', 'x-rule'].map(name => upstream.field(name)), [[subject], [file], ['rule']], path)
  }
})

t.test('C-2 what a rule overrides has to be as the handler wants it', async t => {
  const config = { mutators: { hydrator: { enabled: true, config: { api: { url: 'http://hydrator.test/' } } } } }
  const start = (override: object): Promise<string> => (
    startTestGateway(t, { config, rules: [rule('one', { mutators: [{ handler: 'hydrator', config: override }] })] }).then(() => 'started', (error: Error) => error.message)
  )
  t.match(await start({ not_api: 'invalid' }), /not_api is not a known key/)
  t.match(await start({ api: { url: 'not-a-url' } }), /api\.url must be a URL/)
  t.equal(await start({ api: { retry: { give_up_after: '15s' } } }), 'started')
})
