/** Configuration that changes while the gateway runs, in the ways in which files are changed. */
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'

import { prepareGateway, type GatewayOptions } from '../helpers/gateway.js'
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.js'
import { redisSkip, startRedis, until } from '../helpers/redis.js'

type Line = Readonly<Record<string, unknown>>
type Values = Record<string, Record<string, unknown>>

const linesOf = ({ output }: GatewayProcess): Line[] => output.join('').split('\n').filter(line => line.startsWith('{')).map(line => JSON.parse(line) as Line)
const about = (gateway: GatewayProcess): Line[] => linesOf(gateway).filter(({ msg }) => /configuration|log level/.test(String(msg)))

/** Whether requests are logged now. Their lines come at once, so one that has not come in a while is none. */
async function logsRequests(gateway: GatewayProcess): Promise<boolean> {
  const before = linesOf(gateway).filter(({ msg }) => msg === 'request').length
  await fetch(`${gateway.url}/nothing`)
  await new Promise(resolve => { setTimeout(resolve, 50) })
  return linesOf(gateway).filter(({ msg }) => msg === 'request').length > before
}

async function start(t: Test, options: GatewayOptions = {}): Promise<{ gateway: GatewayProcess, change: (how: (config: Values) => void) => Promise<void> }> {
  const gateway = await startGatewayProcess(t, options)
  const file = join(gateway.folder, 'oathgate.yml')
  const first = await readFile(file, 'utf8')
  return {
    gateway,
    async change(how) {
      const config = JSON.parse(first) as Values
      how(config)
      await writeFile(`${file}.next`, JSON.stringify(config))
      await rename(`${file}.next`, file)
    },
  }
}

t.test('log.level takes effect at once, both ways; of other keys one line says that they wait', async t => {
  const { gateway, change } = await start(t)
  t.equal(await logsRequests(gateway), true)

  await change(config => { config['log'] = { level: 'warn' } })
  await until(async () => !await logsRequests(gateway))

  await change(config => {
    config['log'] = { level: 'debug' }
    config['session'] = { lifespan: '1h', cookie: { name: 'other' } }
    config['secrets'] = { session: ['a-secret-of-some-length-0123456789'] }
  })
  await until(() => about(gateway).length === 2)
  t.match(about(gateway), [
    { level: 'warn', keys: 'secrets.session, session.lifespan, session.cookie.name', msg: 'the configuration has changed, but these keys need a restart' },
    { level: 'info', log_level: 'debug', msg: 'log level changed' },
  ])
  t.equal(await logsRequests(gateway), true)
  t.notMatch(gateway.output.join(''), /a-secret/)

  await change(config => { config['log'] = { level: 'debug' } })
  await until(() => about(gateway).length === 3)
  t.match(about(gateway)[2], { level: 'info', msg: 'the configuration is the one that is in force' })
  t.equal(await gateway.kill('SIGTERM'), 0)
})

t.test('a file with a mistake changes nothing, and the log says where it is, once', async t => {
  const { gateway, change } = await start(t)
  const file = join(gateway.folder, 'oathgate.yml')
  await writeFile(file, 'log:\n  level: error\n  colour: red\n')
  await until(() => about(gateway).length === 1)
  t.match(about(gateway), [{
    level: 'error', msg: 'the configuration can not be loaded, nothing changes', reason: /oathgate\.yml:3:3 log\.colour is not a known key/,
  }])
  t.equal(await logsRequests(gateway), true)

  await rm(file)
  await until(() => about(gateway).length === 2)
  t.match(about(gateway)[1], { reason: /can't be read: there is no such file/ })
  await change(config => { config['log'] = { level: 'error' } })
  await until(async () => !await logsRequests(gateway))
})

t.test('a folder whose links are swapped, as Kubernetes updates a ConfigMap, is followed', async t => {
  const place = await prepareGateway(t)
  const config = JSON.parse(await readFile(place.file, 'utf8')) as Values
  const folder = dirname(place.file)
  for (const [name, level] of [['..1', 'warn'], ['..2', 'info'], ['..3', 'warn'], ['..4', 'info']] as const) {
    await mkdir(join(folder, name))
    await writeFile(join(folder, name, 'oathgate.yml'), JSON.stringify({ ...config, log: { level } }))
    for (const file of ['rules.yml', 'identity.schema.json']) await writeFile(join(folder, name, file), await readFile(join(folder, file)))
  }
  const pointTo = async (name: string): Promise<void> => {
    await symlink(name, join(folder, '..data_tmp'))
    await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  await pointTo('..1')
  for (const file of ['oathgate.yml', 'rules.yml', 'identity.schema.json']) {
    await rm(join(folder, file))
    await symlink(join('..data', file), join(folder, file))
  }
  const gateway = await startGatewayProcess(t, {}, { place })
  t.equal(await logsRequests(gateway), false)
  for (const [before, name, expected] of [['..1', '..2', true], ['..2', '..3', false], ['..3', '..4', true]] as const) {
    await pointTo(name)
    await rm(join(folder, before), { recursive: true })
    await until(async () => await logsRequests(gateway) === expected)
  }
})

t.test('SIGHUP reads the file again, also in workers', { skip: redisSkip }, async t => {
  const redis = await startRedis(t)
  const { gateway, change } = await start(t, {
    config: { serve: { workers: 2 }, dsn: redis.url, secrets: { session: ['0123456789abcdef0123456789abcdef'] } },
  })
  await until(() => gateway.output.join('').includes('oathgate is ready'))
  t.equal(await logsRequests(gateway), true)
  await change(config => {
    config['log'] = { level: 'error' }
    config['dsn'] = 'redis://nowhere' as never
  })
  await until(() => about(gateway).length > 0)
  for (let asked = 0; asked < 4; asked++) process.kill(gateway.pid, 'SIGHUP')
  await until(async () => !(await logsRequests(gateway) || await logsRequests(gateway)))
  t.match(about(gateway), [{ level: 'warn', keys: 'dsn' }], 'said by the primary alone, once')
  t.equal(await gateway.kill('SIGTERM'), 0)
})
