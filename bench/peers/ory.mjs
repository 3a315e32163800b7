/** ORY Oathkeeper, which asks ORY Kratos about the session of every request: what the gateway does in one process. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { root } from '../../demo/prepare.mjs'
import { findProgram } from '../machine.mjs'
import { freePort, runProgram, startProgram } from '../processes.mjs'

/** @typedef {import('../bench.mjs').Bench} Bench */

/** What is missing of the two, as the goal says it; `undefined` when both are on the PATH. */
export function missingOry(/** @type {(name: string) => string | undefined} */ find = findProgram) {
  const missing = [['oathkeeper', 'Oathkeeper'], ['kratos', 'Kratos']].filter(([program = '']) => find(program) === undefined)
  const names = missing.map(([, name]) => name).join(' and ')
  return missing.length === 0 ? undefined : `${names} ${missing.length === 1 ? 'is' : 'are'} missing`
}

/**
 * Both, on the cores of what is measured, with somebody who has signed up: `cookie` is their session. Rejects unless `/private/…`
 * answers them and nobody else, so that nothing is measured that forwards without asking, or refuses.
 * @param {Bench} bench
 */
export async function startOry(bench) {
  const kratos = await startKratos(bench)
  const oathkeeper = await startOathkeeper(bench, kratos.url)
  const cookie = await signUp(kratos.url)

  const page = `http://127.0.0.1:${oathkeeper.port}/private/small`
  await expectStatus(200, page, { Cookie: cookie })
  await expectStatus(401, page, { Cookie: cookie.slice(0, -20) })
  await expectStatus(401, page, {})
  return { ...oathkeeper, others: [kratos.program], cookie }
}

/** Neither reports its use, nor writes a line per request, whatever the environment of the bench says. */
const environment = { SQA_OPT_OUT: 'true', LOG_LEVEL: 'error' }

/** @param {Bench} bench */
async function startKratos(bench) {
  const folder = join(bench.folder, 'kratos')
  mkdirSync(folder, { recursive: true })
  const [port, adminPort] = [await freePort(), await freePort()]
  const config = join(folder, 'kratos.yml')
  // As it is the fastest: with the journal and the two connections of the default, whoami takes a tenth more.
  const dsn = `sqlite://${folder}/db.sqlite?_fk=true&mode=rwc&_journal_mode=WAL&max_conns=20&max_idle_conns=20`
  writeFileSync(join(folder, 'identity.schema.json'), JSON.stringify(kratosSchema()))
  writeFileSync(config, JSON.stringify(kratosSettings(folder, dsn, port, adminPort)))

  const kratos = findProgram('kratos') ?? 'kratos'
  // Named here and below, since DSN of the environment, which may be somebody's real database, precedes the file.
  await runProgram([kratos, 'migrate', 'sql', dsn, '--yes', '-c', config], bench.cores?.proxy, environment)
  const program = await startProgram({
    name: 'kratos', cores: bench.cores?.proxy, port, log: join(folder, 'output.log'),
    command: [kratos, 'serve', '-c', config], env: { ...environment, DSN: dsn },
  })
  return { program, url: `http://127.0.0.1:${port}` }
}

/** @param {string} folder @param {string} dsn @param {number} port @param {number} adminPort */
function kratosSettings(folder, dsn, port, adminPort) {
  const url = `http://127.0.0.1:${port}`
  return {
    dsn,
    serve: { public: { host: '127.0.0.1', port, base_url: `${url}/` }, admin: { host: '127.0.0.1', port: adminPort } },
    identity: { default_schema_id: 'person', schemas: [{ id: 'person', url: `file://${folder}/identity.schema.json` }] },
    secrets: { default: ['only for measuring, and nothing else'] },
    // A second factor would have to be looked for with every request.
    session: { whoami: { required_aal: 'aal1' } },
    selfservice: {
      default_browser_return_url: `${url}/`,
      flows: { registration: { after: { password: { hooks: [{ hook: 'session' }] } } } },
      // The check for leaked passwords asks a service on the internet.
      methods: { password: { enabled: true, config: { haveibeenpwned_enabled: false } } },
    },
    log: { level: environment.LOG_LEVEL },
  }
}

/** Kratos has had traits one level deeper since 2020. */
function kratosSchema() {
  const { $id, $schema, ...traits } = JSON.parse(readFileSync(join(root, 'config/identity.schema.json'), 'utf8'))
  return { $id, $schema, type: 'object', properties: { traits } }
}

/** @param {Bench} bench @param {string} kratosUrl */
async function startOathkeeper(bench, kratosUrl) {
  const folder = join(bench.folder, 'oathkeeper')
  mkdirSync(folder, { recursive: true })
  const [port, apiPort, metricsPort] = [await freePort(), await freePort(), await freePort()]
  const config = join(folder, 'oathkeeper.yml')
  writeFileSync(config, JSON.stringify(oathkeeperSettings(kratosUrl, bench.upstreamPort, port, apiPort, metricsPort)))
  const program = await startProgram({
    name: 'oathkeeper', cores: bench.cores?.proxy, port, log: join(folder, 'output.log'),
    command: [findProgram('oathkeeper') ?? 'oathkeeper', 'serve', '-c', config], env: environment,
  })
  return { program, port }
}

/** @param {string} kratosUrl @param {number} upstreamPort @param {number} port @param {number} apiPort @param {number} metricsPort */
function oathkeeperSettings(kratosUrl, upstreamPort, port, apiPort, metricsPort) {
  const rules = JSON.stringify([{
    id: 'bench:private', match: { url: `http://127.0.0.1:${port}/private/<.*>`, methods: ['GET'] },
    upstream: { url: `http://127.0.0.1:${upstreamPort}`, preserve_host: true },
    authenticators: [{ handler: 'cookie_session' }], authorizer: { handler: 'allow' },
    mutators: [{ handler: 'header', config: { headers: { 'X-User-Id': '{{ print .Subject }}', 'X-User-Email': '{{ print .Extra.identity.traits.email }}' } } }],
  }])
  const session = {
    check_session_url: `${kratosUrl}/sessions/whoami`, preserve_path: true, only: ['ory_kratos_session'],
    subject_from: 'identity.id', extra_from: '@this',
  }
  return {
    serve: { proxy: { host: '127.0.0.1', port }, api: { host: '127.0.0.1', port: apiPort }, prometheus: { host: '127.0.0.1', port: metricsPort } },
    // Rules in files are read some time after the port is open.
    access_rules: { repositories: [`inline://${Buffer.from(rules).toString('base64')}`] },
    authenticators: { cookie_session: { enabled: true, config: session } },
    authorizers: { allow: { enabled: true } },
    mutators: { header: { enabled: true, config: { headers: {} } } },
    log: { level: environment.LOG_LEVEL },
  }
}

/**
 * Signs up as a browser does that runs JavaScript; the session cookie as `name=value`.
 * @param {string} kratosUrl
 */
async function signUp(kratosUrl) {
  const begun = await fetch(`${kratosUrl}/self-service/registration/browser`, { headers: { Accept: 'application/json' } })
  const { ui } = /** @type {{ ui: { action: string, nodes: { attributes: { name: string, value?: string } }[] } }} */ (await begun.json())
  const token = ui.nodes.find(({ attributes }) => attributes.name === 'csrf_token')?.attributes.value
  const done = await fetch(ui.action, {
    method: 'POST',
    headers: { 'Accept': 'application/json', 'Content-Type': 'application/json', 'Cookie': cookies(begun).join('; ') },
    body: JSON.stringify({
      method: 'password', csrf_token: token, password: randomBytes(18).toString('base64url'), traits: { email: 'ada@example.org' },
    }),
  })
  const cookie = cookies(done).find(pair => pair.startsWith('ory_kratos_session='))
  if (cookie === undefined) throw new Error(`Kratos answered the sign-up with ${done.status} ${await done.text()}`)
  return cookie
}

/** @param {Response} response */
function cookies(response) {
  return response.headers.getSetCookie().map(field => field.split(';', 1)[0] ?? '')
}

/** @param {number} status @param {string} url @param {Record<string, string>} headers */
async function expectStatus(status, url, headers) {
  const response = await fetch(url, { headers })
  const text = await response.text()
  if (response.status !== status) throw new Error(`Oathkeeper answered ${response.status} instead of ${status}: ${text}`)
}
