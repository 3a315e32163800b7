/** A whole gateway for a test: really listening, on ports and a store of its own, closed when the test ends. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import type { Test } from 'tap'

import { loadConfig } from '../../src/config/load.js'
import { logOptions, type Log } from '../../src/log.js'
import { startGateway, type RunningGateway } from '../../src/start.js'

export interface TestGateway {
  /** `http://127.0.0.1:PORT`, the public listener. */
  readonly url: string
  /** The same with `/.ory/kratos/public`. */
  readonly publicUrl: string
  readonly adminUrl: string
  readonly folder: string
  /** Everything that was logged, one parsed line each. */
  readonly logged: readonly Record<string, unknown>[]
  stop(): Promise<void>
}

/** Where the pages of the imaginary app are; nothing listens there, tests look at redirects. */
export const ui = 'http://ui.test'

export interface GatewayOptions {
  /** Laid over the test configuration, map by map. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly rules?: readonly unknown[]
  /** Default: `username` (identifier) and `foobar` (minLength 2), both required: the schema of the contract's cases. */
  readonly schema?: object
  readonly env?: NodeJS.ProcessEnv
  /** Configuration files that are laid below the test's own. */
  readonly below?: readonly string[]
  /** Debug level, to see that nothing secret is logged. */
  readonly logLevel?: string
}

export const caseSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  type: 'object',
  properties: {
    foobar: { type: 'string', minLength: 2 },
    username: { type: 'string', 'ory.sh/kratos': { credentials: { password: { identifier: true } } } },
  },
  required: ['foobar', 'username'],
  additionalProperties: false,
}

/** Starts one; it is stopped at the end of the test. */
export async function startTestGateway(t: Test, options: GatewayOptions = {}): Promise<TestGateway> {
  const { file, ...place } = await prepareGateway(t, options)
  const logged: Record<string, unknown>[] = []
  const log = recordingLog(logged, options.logLevel ?? 'info')
  const loaded = await loadConfig([...options.below ?? [], file], options.env ?? {})
  const gateway: RunningGateway = await startGateway(loaded, log)
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => stopped ??= gateway.stop(AbortSignal.timeout(2000))
  t.teardown(stop)
  return { ...place, logged, stop }
}

/** Where a gateway will be, and the configuration file that says so. */
export type GatewayPlace = Pick<TestGateway, 'url' | 'publicUrl' | 'adminUrl' | 'folder'> & { readonly file: string }

/** Writes configuration, rules and schema into a folder that is gone after the test. */
export async function prepareGateway(t: Test, options: GatewayOptions = {}): Promise<GatewayPlace> {
  const folder = await mkdtemp(join(tmpdir(), 'oathgate-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const port = await freePort()
  const adminPort = await freePort()
  await writeFile(join(folder, 'rules.yml'), JSON.stringify(options.rules ?? []))
  await writeFile(join(folder, 'identity.schema.json'), JSON.stringify(options.schema ?? caseSchema))
  const file = join(folder, 'oathgate.yml')
  await writeFile(file, JSON.stringify(merge(testConfig(folder, port, adminPort), options.config ?? {})))

  const url = `http://127.0.0.1:${port}`
  return { url, publicUrl: `${url}/.ory/kratos/public`, adminUrl: `http://127.0.0.1:${adminPort}`, folder, file }
}

/** A port that nothing listens on at the moment of asking, below those that systems give to outgoing connections: one of these may take it meanwhile. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000)
    const server = createServer()
    const isFree = await new Promise<boolean>(resolve => {
      server.once('error', () => { resolve(false) })
      server.listen(port, '127.0.0.1', () => { resolve(true) })
    })
    await new Promise(resolve => { server.close(resolve) })
    if (isFree) return port
  }
}

function testConfig(folder: string, port: number, adminPort: number): Record<string, unknown> {
  const after = [{ run: 'session' }, { run: 'redirect', config: { default_redirect_url: `${ui}/dashboard`, allow_user_defined_redirect: true } }]
  return {
    dsn: `embedded://${join(folder, 'data')}`,
    serve: { public: { host: '127.0.0.1', port, drain: '2s' }, admin: { host: '127.0.0.1', port: adminPort } },
    urls: {
      self: { public: `http://127.0.0.1:${port}/.ory/kratos/public`, admin: `http://127.0.0.1:${adminPort}` },
      registration_ui: `${ui}/auth/registration`,
      login_ui: `${ui}/auth/login`,
      error_ui: `${ui}/error`,
      default_return_to: `${ui}/`,
      whitelisted_return_to_domains: [ui],
    },
    identity: { traits: { default_schema_url: 'file://identity.schema.json' } },
    selfservice: {
      registration: { after: { password: after } },
      login: { after: { password: after } },
      logout: { redirect_to: `${ui}/auth/login` },
    },
    // The smallest that the schema allows: tests are about what is hashed when, not about how hard.
    hashers: { argon2: { memory: 1024, iterations: 1 } },
    security: { rate_limits: { enabled: false } },
    access_rules: { repositories: ['file://rules.yml'] },
  }
}

function recordingLog(logged: Record<string, unknown>[], level: string): Log {
  return pino({ level, base: null, serializers: logOptions(level).serializers }, new Writable({
    write(chunk: Buffer, _encoding, done) {
      logged.push(JSON.parse(chunk.toString()) as Record<string, unknown>)
      done()
    },
  }))
}

function merge(base: Record<string, unknown>, over: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const merged = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    merged[key] = isMap(below) && isMap(value) ? merge(below, value) : value
  }
  return merged
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
