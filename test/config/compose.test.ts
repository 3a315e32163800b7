/** The compose set-up is the demo's with other hosts, and nothing else. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'

t.test('the rules of the compose set-up are those of the demo, upstream hosts apart', async t => {
  const hosts: Readonly<Record<string, string>> = { 'http://127.0.0.1:4436': 'http://app:4436', 'http://127.0.0.1:4437': 'http://api:4437' }
  const demo = rulesOf('rules/demo.yml')
  t.not(demo.length, 0)
  t.same(rulesOf('config/compose/rules.yml'), demo.map(rule => ({ ...rule, upstream: { ...rule.upstream, url: hosts[rule.upstream.url] } })))
})

t.test('K1 the compose file holds no secret: each is given by the environment or made at the first start', async t => {
  const compose = readFileSync('docker-compose.yml', 'utf8')
  t.match(compose, /SECRETS_SESSION: \$\{SECRETS_SESSION:-\}/)
  t.match(compose, /ADMIN_TOKEN: \$\{ADMIN_TOKEN:-\}/)
  t.notMatch(compose, /[A-Za-z0-9+/]{32,}={0,2}$/m)
})

t.test('no container of it can gain rights; all but Redis, whose image begins as root, have none and can not write', async t => {
  const { services } = parse(readFileSync('docker-compose.yml', 'utf8')) as { services: Readonly<Record<string, Readonly<Record<string, unknown>>>> }
  for (const [name, service] of Object.entries(services)) {
    t.match(service, { security_opt: ['no-new-privileges:true'], ...(name === 'redis' ? {} : { read_only: true, cap_drop: ['ALL'] }) }, name)
  }
  for (const name of ['gateway', 'app', 'api']) t.equal(services[name]?.['user'], '1000:1000', name)
})

function rulesOf(file: string): { upstream: { url: string } }[] {
  return parse(readFileSync(file, 'utf8'), { merge: true }) as { upstream: { url: string } }[]
}
