/** The quickstarts that people come from: their settings and rules as they are, with other addresses of the services behind. */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify } from 'jose'
import t, { type Test } from 'tap'

import { loadConfig } from '../../src/config/load.js'
import { startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { startRecorder, type Recorder } from '../helpers/recorder.js'
import { newVisitor, type Page } from '../helpers/visitor.js'

/** What browsers say about a page that somebody opens. */
const html = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }
const json = { accept: 'application/json' }
const whoami = { id: 'session-1', active: true, identity: { id: 'identity-1', traits: { email: 'alice@example.org' } } }

interface Quickstart {
  readonly gateway: TestGateway
  readonly kratos: Recorder
  readonly ui: Recorder
  get(path: string, headers?: Record<string, string>): Promise<Page>
}

function fixture(quickstart: string, name: string): string {
  return readFileSync(new URL(`../fixtures/quickstart/${quickstart}/${name}`, import.meta.url), 'utf8')
}

/** Everything of the quickstart but what is behind the gateway, and where its files are. */
async function start(t: Test, quickstart: string): Promise<Quickstart> {
  const [kratos, ui] = [await startRecorder(), await startRecorder()]
  t.teardown(() => Promise.all([kratos.close(), ui.close()]))
  kratos.behave({ answer: (socket, request) => {
    const known = request.fields.some(([name, value]) => name.toLowerCase() === 'cookie' && value.includes('ory_kratos_session=alice'))
    const body = JSON.stringify(known ? whoami : { error: { code: 401 } })
    socket.write(`HTTP/1.1 ${known ? '200 OK' : '401 Unauthorized'}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  } })

  const folder = await mkdtemp(join(tmpdir(), 'oathgate-quickstart-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  await writeFile(join(folder, 'id_token.jwks.json'), JSON.stringify({ keys: [{ ...await exportJWK(privateKey), kid: 'key-1', alg: 'RS256', use: 'sig' }] }))
  for (const name of ['oathkeeper.yml', 'access-rules.yml']) {
    const text = fixture(quickstart, name)
      .replaceAll('http://kratos:4433', kratos.origin)
      .replaceAll('http://kratos-selfservice-ui-node:4435', ui.origin)
      .replaceAll('/etc/config/oathkeeper', folder)
    await writeFile(join(folder, name), text)
  }

  const gateway = await startTestGateway(t, {
    below: [join(folder, 'oathkeeper.yml')],
    config: {
      access_rules: { repositories: [`file://${folder}/access-rules.yml`] },
      // Kratos stays a service of its own here, so the gateway's own pages have to be elsewhere.
      urls: { self: { public: 'http://127.0.0.1:4455/.own' } },
      serve: { public: { cors: { allowed_origins: ['http://127.0.0.1:4455'] } } },
    },
  })
  const get = (path: string, headers: Record<string, string> = {}): Promise<Page> => (
    newVisitor().send(`${gateway.url}${path}`, { headers: { host: '127.0.0.1:4455', ...headers } })
  )
  return { gateway, kratos, ui, get }
}

const quickstarts = [
  { name: '2020', open: ['/auth/login', '/auth/registration', '/error', '/verify', '/style.css', '/a/b/app.js'], closed: ['/', '/dashboard', '/settings'], login: '/auth/login' },
  {
    name: 'newest', open: ['/registration', '/login', '/error', '/health/alive', '/theme.css', '/a/b/logo.svg', '/a/font.woff2'],
    closed: ['/sessions', '/settings'], login: '/login',
  },
]

for (const { name, open, closed, login } of quickstarts) {
  t.test(`the quickstart (${name})`, async t => {
    const { gateway, kratos, ui, get } = await start(t, name)
    t.notOk(gateway.logged.some(({ warning }) => warning !== undefined), 'no warning about a rule')

    t.test('pages for everybody come from the app', async t => {
      for (const path of open) {
        t.equal((await get(path, html)).status, 200, path)
        t.equal(ui.requests.at(-1)?.target, path)
      }
      t.same(ui.field('host'), ['127.0.0.1:4455'], 'preserve_host')
      t.same(ui.field('authorization'), [])
    })

    t.test('without a session, browsers are sent to log in and programs get 401', async t => {
      const before = ui.requests.length
      for (const path of closed) {
        const page = await get(path, html)
        t.same([page.status, page.location], [302, `http://127.0.0.1:4455${login}`], path)
        const answer = await get(path, json)
        t.equal(answer.status, 401, path)
        t.match(answer.headers['content-type'], /^application\/json/)
        t.equal(answer.json().error.code, 401)
      }
      t.equal((await get(closed[0] as string, { ...html, cookie: 'ory_kratos_session=mallory' })).status, 302)
      t.equal(ui.requests.length, before)
    })

    t.test('X-2 with a session, the app gets a token that the published keys verify', async t => {
      for (const path of closed) t.equal((await get(path, { ...html, cookie: 'ory_kratos_session=alice' })).status, 200, path)
      t.match(kratos.requests.at(-1)?.target, /^\/sessions\/(?:me|whoami)$/, 'preserve_path')

      const [authorization = ''] = ui.field('authorization')
      const keys = (await newVisitor().fetch(`${gateway.adminUrl}/.well-known/jwks.json`)).json()
      t.equal(keys.keys[0].d, undefined)
      const { payload } = await jwtVerify(authorization.replace(/^Bearer /, ''), createLocalJWKSet(keys), { issuer: 'http://127.0.0.1:4455/' })
      t.equal(payload.sub, 'identity-1')
      t.same(payload['session'], whoami)
    })

    t.test('Kratos is behind its prefix, which it does not see', async t => {
      await get('/.ory/kratos/public/self-service/registration/browser?return_to=x', html)
      t.equal(kratos.requests.at(-1)?.target, '/self-service/registration/browser?return_to=x')
      t.same(kratos.field('host'), ['127.0.0.1:4455'])
    })

    t.test('what no rule names is 404', async t => {
      t.equal((await get('/other', json)).status, 404)
      const post = await newVisitor().send(`${gateway.url}${open[0]}`, { method: 'POST', headers: { host: '127.0.0.1:4455' }, body: '' })
      t.equal(post.status, 404, 'a method that no rule names')
    })
  })

  t.test(`the CORS of the quickstart (${name}), credentials for every origin, is refused with its place`, async t => {
    const file = new URL(`../fixtures/quickstart/${name}/oathkeeper.yml`, import.meta.url).pathname
    await t.rejects(loadConfig([file], {}), { message: /oathkeeper\.yml:\d+:\d+ serve\.proxy\.cors\.allowed_origins/ })
  })
}
