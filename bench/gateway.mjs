/** The gateway to be measured, with rules and a store of its own making. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { root } from '../demo/prepare.mjs'
import { freePort, startProgram } from './processes.mjs'

/**
 * @typedef {object} GatewayOptions
 * @property {string} name
 * @property {string} [checkout] Whose `dist/` runs; this repository's when absent.
 * @property {boolean} [logging] A line per request, as shipped; else warnings only.
 * @property {number} [ruleCount] So many rules besides the usual ones, at `/service-N/`.
 * @property {string} [cores] Other than those for what is measured.
 * @property {string[]} [nodeOptions]
 *
 * @typedef {Awaited<ReturnType<typeof startGateway>>} Gateway
 */

/**
 * `/plain/…` lets everybody through, `/private/…` people with a session, whom it names to the upstream.
 * @param {import('./bench.mjs').Bench} bench @param {GatewayOptions} options
 */
export async function startGateway(bench, options) {
  const { name, checkout = root, logging = false, ruleCount = 0, cores = bench.cores?.proxy, nodeOptions = [] } = options
  const folder = join(bench.folder, name)
  mkdirSync(folder, { recursive: true })
  const [port, adminPort] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  writeFileSync(join(folder, 'rules.json'), JSON.stringify(rules(url, bench.upstreamPort, ruleCount)))
  const config = join(folder, 'oathgate.yml')
  writeFileSync(config, JSON.stringify(settings(bench, folder, port, adminPort, logging)))
  const program = await startProgram({
    name, cores, port, log: join(folder, 'output.log'),
    command: [bench.node, ...nodeOptions, join(checkout, 'dist/main.js'), 'serve', '-c', config],
    env: { NODE_ENV: 'development' },
  })
  return { program, port, adminPort, publicUrl: `${url}/.ory/kratos/public`, adminUrl: `http://127.0.0.1:${adminPort}` }
}

/** @param {import('./bench.mjs').Bench} bench @param {string} folder @param {number} port @param {number} adminPort @param {boolean} logging */
function settings({ redisPort }, folder, port, adminPort, logging) {
  const url = `http://127.0.0.1:${port}`
  return {
    dsn: redisPort === undefined ? `embedded://${folder}/data` : `redis://127.0.0.1:${redisPort}`,
    serve: { public: { host: '127.0.0.1', port }, admin: { host: '127.0.0.1', port: adminPort } },
    urls: {
      self: { public: `${url}/.ory/kratos/public`, admin: `http://127.0.0.1:${adminPort}` },
      registration_ui: `${url}/auth/registration`, login_ui: `${url}/auth/login`, error_ui: `${url}/error`, default_return_to: `${url}/`,
    },
    identity: { traits: { default_schema_url: `file://${root}/config/identity.schema.json` } },
    secrets: { session: ['only for measuring, and nothing else'] },
    selfservice: {
      registration: { after: { password: [{ run: 'session' }, { run: 'redirect', config: { default_redirect_url: `${url}/` } }] } },
      logout: { redirect_to: `${url}/` },
    },
    // All visitors of a measurement come from one address.
    security: { rate_limits: { enabled: false } },
    access_rules: { repositories: ['file://rules.json'], max_bytes: 16_777_216 },
    log: { level: logging ? 'info' : 'warn' },
  }
}

/** @param {string} url @param {number} upstreamPort @param {number} count */
function rules(url, upstreamPort, count) {
  const upstream = { url: `http://127.0.0.1:${upstreamPort}`, preserve_host: true }
  const open = { upstream, authenticators: [{ handler: 'anonymous' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }] }
  return [
    { id: 'bench:plain', match: { url: `${url}/plain/<.*>`, methods: ['GET'] }, ...open },
    {
      id: 'bench:private', match: { url: `${url}/private/<.*>`, methods: ['GET'] }, upstream,
      authenticators: [{ handler: 'cookie_session' }], authorizer: { handler: 'allow' },
      mutators: [{ handler: 'header', config: { headers: { 'X-User-Id': '{{ print .Subject }}', 'X-User-Email': '{{ print .Extra.identity.traits.email }}' } } }],
    },
    ...Array.from({ length: count }, (_, at) => (
      { id: `bench:service-${at}`, match: { url: `${url}/service-${at}/<.*>`, methods: ['GET', 'POST'] }, ...open }
    )),
  ]
}
