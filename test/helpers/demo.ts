/** What `npm start` starts, for tests: the built gateway with the sample app, API and OpenID provider, on free ports and with a store of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readyWithinMs = 20_000

/** The sample set-up, listening. */
export interface Demo {
  /** The gateway, as a browser knows it. */
  readonly url: string
  /** Its admin listener. */
  readonly adminUrl: string
}

/** Starts all four with the repository's own `config/` and `rules/`, in which only the ports are others. Ends them with the test. */
export async function startDemo(t: Test): Promise<Demo> {
  const [gateway, admin, app, api, provider] = await freePorts(5) as [number, number, number, number, number]
  const url = `http://127.0.0.1:${gateway}`
  const adminUrl = `http://127.0.0.1:${admin}`
  const folder = t.testdir({})
  const ports: Readonly<Record<string, number>> = { 4455: gateway, 4434: admin, 4436: app, 4437: api, 4438: provider }
  for (const name of ['config', 'rules']) copyWithPorts(join(root, name), join(folder, name), ports)

  await Promise.all([
    start(t, ['dist/main.js', 'serve', '-c', join(folder, 'config/oathgate.yml')], `${adminUrl}/health/ready`, {
      DSN: `embedded://${join(folder, 'data')}`,
    }),
    start(t, ['demo/app/server.mjs'], `http://127.0.0.1:${app}/health`, {
      PORT: `${app}`, PUBLIC_URL: `${url}/.ory/kratos/public`, ADMIN_URL: adminUrl,
    }),
    start(t, ['demo/api/server.mjs'], `http://127.0.0.1:${api}/health`, { PORT: `${api}` }),
    start(t, ['demo/provider/server.mjs'], `http://127.0.0.1:${provider}/health`, {
      PORT: `${provider}`, REDIRECT_URI: `${url}/.ory/kratos/public/auth/browser/methods/oidc/callback/demo`,
    }),
  ])
  return { url, adminUrl }
}

async function start(t: Test, command: string[], readyUrl: string, env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], ...env } })
  const words: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => words.push(chunk))
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'close')
  })

  const deadline = Date.now() + readyWithinMs
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const response = await fetch(readyUrl).catch(() => undefined)
    if (response?.ok === true) return
    await sleep(50)
  }
  throw new Error(`${command[0]} is not ready:\n${words.join('')}`)
}

function copyWithPorts(from: string, to: string, ports: Readonly<Record<string, number>>): void {
  cpSync(from, to, { recursive: true })
  for (const name of readdirSync(to, { recursive: true, encoding: 'utf8' })) {
    const file = join(to, name)
    if (!statSync(file).isFile()) continue
    writeFileSync(file, readFileSync(file, 'utf8').replace(/(?<=: ?)\d{4}\b/g, port => String(ports[port] ?? port)))
  }
}

/** Ports that nobody listened on a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(server => once(server.close(), 'close')))
  return ports
}
