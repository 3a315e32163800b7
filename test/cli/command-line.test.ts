/** What the command line says to people who mistype it: what is wrong, and the lines of its usage that are about that. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import t, { type Test } from 'tap'

import { temporaryDirectory } from '../helpers/store.js'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))

interface Said { readonly code: number | null, readonly stdout: string, readonly stderr: string }

function oathgate(args: string, cwd = root): Said {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args.split(' ').filter(Boolean)], { cwd, encoding: 'utf8', timeout: 20_000 })
  return { code: status, stdout, stderr }
}

/** A folder with the configuration of the demo, and with these rules. */
function configured(t: Test, rules = '[]'): string {
  const folder = temporaryDirectory(t)
  for (const name of ['config', 'rules']) mkdirSync(join(folder, name))
  for (const name of ['oathgate.yml', 'identity.schema.json']) copyFileSync(join(root, 'config', name), join(folder, 'config', name))
  writeFileSync(join(folder, 'rules', 'rules.yml'), rules)
  return folder
}

t.test('an argument that a command has no use for is refused, and not passed over', async t => {
  const folder = configured(t)
  const unwanted = {
    'validate mine.yml': /^"mine\.yml" is one argument too many; a configuration is named by -c: -c mine\.yml\n/,
    'serve mine.yml': /^"mine\.yml" is one argument too many; a configuration is named by -c: -c mine\.yml\n/,
    'rules list mine.yml': /^"mine\.yml" is one argument too many; a configuration is named by -c: -c mine\.yml\n/,
    'identities list ann': /^"ann" is one argument too many\n/,
    'identities create one.json two.json': /^"two\.json" is one argument too many\n/,
    'sessions list ann bob': /^"bob" is one argument too many\n/,
    'health ready now': /^"now" is one argument too many\n/,
    'jwks generate ES256': /^"ES256" is one argument too many\n/,
  }
  for (const [args, message] of Object.entries(unwanted)) t.match(oathgate(args, folder), { code: 2, stdout: '', stderr: message }, args)
})

t.test('a mistake is told with the usage of its command alone', async t => {
  const { code, stdout, stderr } = oathgate('identities delete')
  t.equal(code, 2)
  t.equal(stdout, '')
  t.match(stderr, /^identities delete needs the ids to delete\n\n {2}oathgate identities list /)
  t.match(stderr, /\n {2}oathgate identities import FILE\|- .*\n {30,}\[--dry-run\]/)
  t.match(stderr, /\n\n`oathgate help` shows all of it\.\n$/)
  t.notMatch(stderr, /oathgate (serve|sessions|rules)/)
})

t.test('a command that does not exist is told with the one that was meant', async t => {
  t.match(oathgate('serv'), { code: 2, stderr: /^"serv" is not a command; did you mean serve\?\n\n {2}oathgate serve / })
  t.match(oathgate('constructor'), { code: 2, stderr: /^"constructor" is not a command\n\n`oathgate help` shows all of it\.\n$/ })
  t.match(oathgate('identities'), { code: 2, stderr: /^identities needs "list", "get", "create", "import" or "delete"\n/ })
  t.match(oathgate('sessions end'), { code: 2, stderr: /^sessions needs "list" or "revoke"\n/ })
})

t.test('--help is about the command that it follows, and help about all', async t => {
  const all = oathgate('help')
  t.match(all, { code: 0, stderr: '', stdout: /oathgate serve [^]*oathgate sessions revoke [^]*-c may be given several times/ })
  for (const same of ['', '--help', '-h', 'nonsense --help']) t.strictSame(oathgate(same), all, same)
  const one = oathgate('rules explain --help')
  t.match(one, { code: 0, stderr: '', stdout: /^ {2}oathgate rules list [^]*\[-H 'Name: value'\][^]*-c may be given several times/ })
  t.notMatch(one.stdout, /oathgate (serve|sessions)/)
})

t.test('rules explain says why a refusal is answered with 500', async t => {
  const folder = configured(t, `
    - id: both
      match: { url: http://h/, methods: [GET] }
      upstream: { url: http://127.0.0.1:9 }
      authenticators: [{ handler: unauthorized }]
      authorizer: { handler: allow }
      mutators: [{ handler: noop }]
      errors: [{ handler: redirect }, { handler: json }]
  `)
  t.match(oathgate('rules explain GET http://h/', folder), { code: 1, stdout: /the client gets 401/ })
  const args = ['rules', 'explain', 'GET', 'http://h/', '-H', 'Accept: text/html']
  const { stdout } = spawnSync(process.execPath, [main, ...args], { cwd: folder, encoding: 'utf8' })
  t.match(stdout, /refused: unauthorized\n {2}the client gets 500\n[^]*"reason":"Found more than one error handlers/)
})

t.test('logging in that logs nobody in is warned of', async t => {
  const folder = configured(t)
  const config = join(folder, 'config', 'oathgate.yml')
  const validate = (): Said => oathgate('validate', folder)
  t.equal(validate().stderr, '')
  writeFileSync(config, readFileSync(config, 'utf8').replaceAll('- run: session', ''))
  const warning = (method: string): string => `warning: selfservice.login.after.${method} has no job \`session\`: who logs in that way is not logged in afterwards\n`
  t.match(validate(), { code: 0, stderr: `${warning('password')}${warning('oidc')}` })
  writeFileSync(config, readFileSync(config, 'utf8').replace('oidc:\n      enabled: true', 'oidc:\n      enabled: false'))
  t.match(validate(), { code: 0, stderr: new RegExp(`^${warning('password').replaceAll('.', '\\.')}$`) })
})

t.test('a key that a job does not have is told by its name', async t => {
  const folder = configured(t)
  const config = join(folder, 'config', 'oathgate.yml')
  writeFileSync(config, readFileSync(config, 'utf8').replace('allow_user_defined_redirect', 'allow_user_redirect'))
  t.match(oathgate('validate', folder), {
    code: 1, stderr: /oathgate\.yml:\d+:\d+ selfservice\.registration\.after\.password\[1\] the config of "redirect" is wrong: config has no key allow_user_redirect\n$/,
  })
})

t.test('rules list has columns', async t => {
  const { stdout } = oathgate('rules list')
  const [head = '', ...rows] = stdout.trimEnd().split('\n')
  t.match(head, /^ID +METHODS +URL +UPSTREAM$/)
  t.equal(rows.length, 4)
  for (const row of rows) t.match(row.slice(head.indexOf('URL')), /^http:\/\/127\.0\.0\.1:4455\//)
})
