/** The Kubernetes example: it is valid, agrees with the image and with itself, and a gateway runs by it as a container does. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { parse, parseAllDocuments } from 'yaml'

import { durationMs } from '../../src/config/duration.js'
import { freePort } from '../helpers/gateway.js'
import { gatewayProgram, startGatewayProcess } from '../helpers/gateway-process.js'
import { redisSkip, startRedis, until } from '../helpers/redis.js'
import { startService } from '../helpers/service.js'

interface Probe { readonly httpGet: { readonly path: string, readonly port: string } }
interface Container {
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string, readonly value: string }[]
  readonly ports: readonly { readonly name: string, readonly containerPort: number }[]
  readonly startupProbe: Probe
  readonly livenessProbe: Probe
  readonly readinessProbe: Probe
  readonly securityContext: object
  readonly volumeMounts: readonly { readonly name: string, readonly mountPath: string, readonly subPath?: string, readonly readOnly?: boolean }[]
}
interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data: Readonly<Record<string, string>>
  readonly stringData: Readonly<Record<string, string>>
  readonly spec: {
    readonly replicas: number
    readonly selector: { readonly matchLabels?: object } & object
    readonly ports: readonly { readonly targetPort?: string }[]
    readonly template: {
      readonly metadata: { readonly labels: object }
      readonly spec: {
        readonly terminationGracePeriodSeconds: number
        readonly securityContext: { readonly runAsUser: number, readonly runAsGroup: number, readonly runAsNonRoot: boolean }
        readonly containers: readonly Container[]
      }
    }
  }
}

const manifests = ['oathgate.yaml', 'redis.yaml'].flatMap(file => parseAllDocuments(readFileSync(`config/kubernetes/${file}`, 'utf8')).map(document => {
  t.same([...document.errors, ...document.warnings], [], file)
  return document.toJS() as Manifest
}))
const the = (kind: string, name = 'oathgate'): Manifest => manifests.find(one => one.kind === kind && one.metadata.name === name) as Manifest
const files = the('ConfigMap').data
const pod = the('Deployment').spec.template.spec
const container = pod.containers[0] as Container
const config = parse(files['oathgate.yml'] ?? '') as { serve: { public: { drain: string, drain_wait: string } } }

/** The folders that the pod mounts, and its environment with the real secrets in them. */
function mount(t: Test, secrets: Readonly<Record<string, string>>): { folder: string, env: Record<string, string> } {
  const folder = t.testdir({ config: { '..1': { ...files } }, secrets })
  symlinkSync('..1', join(folder, 'config/..data'))
  for (const name of Object.keys(files)) symlinkSync(join('..data', name), join(folder, 'config', name))
  const [configMount, secretMount] = container.volumeMounts.map(({ mountPath }) => mountPath) as [string, string]
  t.equal(container.args.join(' '), `serve -c ${configMount}/oathgate.yml`)
  const env = Object.fromEntries(container.env.map(({ name, value }) => [name, value.replace(secretMount, join(folder, 'secrets'))]))
  return { folder, env }
}

t.test('the configuration, the rules and the schema in the ConfigMap pass validation in production', async t => {
  const secret = 'x'.repeat(48)
  const { folder, env } = mount(t, { ...the('Secret').stringData, session: secret, 'admin-token': secret })
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [gatewayProgram, 'validate', '-c', join(folder, 'config/oathgate.yml')], {
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...env },
  })
  t.equal(stdout, 'valid: 2 access rules, 1 identity schema\n')
  t.equal(stderr, '', 'no warnings')
})

t.test('the manifests agree with the image and with each other', async t => {
  const dockerfile = readFileSync('Dockerfile', 'utf8')
  const { runAsUser, runAsGroup, runAsNonRoot } = pod.securityContext
  t.match(dockerfile, `USER ${runAsUser}:${runAsGroup}\n`)
  t.equal(runAsNonRoot, true)
  t.match(dockerfile, `EXPOSE ${container.ports.map(({ containerPort }) => containerPort).join(' ')}\n`)
  t.match(dockerfile, `CMD ${JSON.stringify(container.args).replaceAll('","', '", "')}\n`)
  t.same(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } })
  t.same(container.volumeMounts.filter(({ subPath, readOnly }) => subPath !== undefined || readOnly !== true), [], 'folders, so that their links are swapped')

  t.match([container.startupProbe, container.livenessProbe, container.readinessProbe].map(({ httpGet }) => httpGet), [
    { path: '/health/alive', port: 'admin' }, { path: '/health/alive', port: 'admin' }, { path: '/health/ready', port: 'admin' },
  ])
  const { drain, drain_wait: drainWait } = config.serve.public
  t.ok(pod.terminationGracePeriodSeconds * 1000 >= durationMs(drain) + durationMs(drainWait) + 5000, 'time to stop in order, and to send the last traces')
  t.equal(the('Deployment').spec.replicas, 3)
  for (const kind of ['Deployment', 'PodDisruptionBudget']) t.same(the(kind).spec.selector.matchLabels, the('Deployment').spec.template.metadata.labels, kind)
  for (const name of ['oathgate', 'oathgate-admin']) {
    const { selector, ports } = the('Service', name).spec
    t.same(selector, the('Deployment').spec.template.metadata.labels)
    t.ok(container.ports.some(({ name }) => name === ports[0]?.targetPort))
  }
  t.match(the('Secret').stringData, { session: /^REPLACE/, 'admin-token': /^REPLACE/ }, 'no secret is in the repository')
})

/** A container in all that matters here: another root of the mounts, read-only; no root user, no capabilities. */
const contained = [
  'unshare', '--mount', 'sh', '-euc', 'mount --make-rprivate / && mount -o remount,bind,ro / && exec "$@"', 'sh',
  'setpriv', `--reuid=${pod.securityContext.runAsUser}`, `--regid=${pod.securityContext.runAsGroup}`, '--clear-groups', '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all',
]
const [unshare = '', ...unshareArgs] = contained
const canContain = spawnSync(unshare, [...unshareArgs, 'test', '-r', gatewayProgram]).status === 0
const skip = redisSkip || (!canContain && 'needs root, unshare and setpriv, and a checkout that others can read')

t.test('read-only and as that user it starts, serves and stops, and follows the ConfigMap when its links are swapped', { skip }, async t => {
  const [redis, app] = [await startRedis(t), await startService(t, res => { res.end('hello') })]
  const secret = 'x'.repeat(48)
  const { folder, env } = mount(t, { session: secret, 'admin-token': secret, dsn: redis.url })
  spawnSync('chmod', ['-R', 'a+rX', folder])
  const [port, adminPort] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const gateway = await startGatewayProcess(t, { env: { ...env, SERVE_PUBLIC_PORT: String(port), SERVE_ADMIN_PORT: String(adminPort), SERVE_PUBLIC_DRAIN_WAIT: '0s' } }, {
    place: { url, publicUrl: `${url}/.ory/kratos/public`, adminUrl: `http://127.0.0.1:${adminPort}`, folder, file: join(folder, 'config/oathgate.yml') },
    through: contained, cwd: '/',
  })
  const status = readFileSync(`/proc/${gateway.pid}/status`, 'utf8')
  t.match(status, new RegExp(`^Uid:\\s+${pod.securityContext.runAsUser}\\s`, 'm'))
  t.match(status, /^CapEff:\s+0+$/m)
  const ask = async (): Promise<number> => (await fetch(`${url}/auth/login`)).status
  t.equal(await ask(), 404, 'this host is nobody\'s before the rules are changed')

  const rules = [{
    id: 'changed', match: { url: '<https?>://<[^/]+>/auth/login', methods: ['GET'] }, upstream: { url: app.url },
    authenticators: [{ handler: 'anonymous' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
  }]
  mkdirSync(join(folder, 'config/..2'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'config/..2', name), name === 'rules.yml' ? JSON.stringify(rules) : text)
  symlinkSync('..2', join(folder, 'config/..data_tmp'))
  renameSync(join(folder, 'config/..data_tmp'), join(folder, 'config/..data'))
  rmSync(join(folder, 'config/..1'), { recursive: true })
  await until(async () => await ask() === 200)
  t.equal(await gateway.kill('SIGTERM'), 0)
  const lines = gateway.output.join('').split('\n').filter(line => line.startsWith('{"level":'))
  t.notMatch(lines.join('\n'), /"level":"error"|EROFS|EACCES|read-only/i, 'and it never wanted to write')
})
