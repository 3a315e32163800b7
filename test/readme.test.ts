/** The README tells the truth: its tour is walked, its rule file is loaded, its names are those of the code. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'

import { authenticators, authorizers, errorHandlers, mutators } from '../src/access/handlers.js'
import { jobs } from '../src/selfservice/jobs/compile.js'
import { startDemo } from './helpers/demo.js'
import { startTestGateway } from './helpers/gateway.js'
import { newVisitor } from './helpers/visitor.js'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

/** The fenced blocks of a language, in order. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, block]) => block as string)
}

t.test('the tour with curl gives what it says', async t => {
  const demo = await startDemo(t)
  const tour = blocks('sh').find(block => block.includes('curl')) ?? ''
  const ports: Readonly<Record<string, string>> = { 4455: new URL(demo.url).port, 4434: new URL(demo.adminUrl).port }
  const here = tour.replace(/(4455|4434)(?!\d)/g, port => ports[port] as string)

  // A comment below commands is what they print; … stands for what differs each time.
  const said = here.split('\n').filter(line => line.startsWith('# ')).map(line => line.slice(2))
  const steps = here.split(/^# .*\n/m).filter(step => step.includes('curl'))
  t.equal(steps.length, said.length)
  t.ok(steps.length >= 3)
  const { stdout } = await promisify(execFile)('bash', ['-euc', steps.map(step => `${step}\necho; echo ---\n`).join('')])
  const printed = stdout.split('---\n').map(part => part.trim())
  for (const [index, expected] of said.entries()) {
    const pattern = expected.split('…').map(part => part.trim().replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')
    t.match(printed[index], new RegExp(`^${pattern}`, 's'), expected)
  }
})

t.test('the rule file is one that loads, and does what it says', async t => {
  const rules = parse(blocks('yaml').find(block => block.includes('shop:orders')) ?? '') as { match: { url: string } }[]
  const gateway = await startTestGateway(t, { rules })
  const page = (accept: string): ReturnType<ReturnType<typeof newVisitor>['send']> =>
    newVisitor().send(`${gateway.adminUrl}/decisions/orders/7`, {
      headers: { accept, 'x-forwarded-host': 'shop.example.org', 'x-forwarded-proto': 'https' },
    })
  t.equal((await page('text/html')).headers['location'],
    'https://shop.example.org/.ory/kratos/public/auth/browser/login?return_to=https%3A%2F%2Fshop.example.org%2Forders%2F7')
  t.equal((await page('application/json')).status, 401)
})

t.test('every handler and every job is in its table', async t => {
  for (const { name } of [...authenticators, ...authorizers, ...mutators, ...errorHandlers, ...jobs]) {
    t.match(readme, `\`${name}\``, name)
  }
})

t.test('every command is in the list, and every file that is linked is there', async t => {
  const { stdout } = await promisify(execFile)(process.execPath, [new URL('../dist/main.js', import.meta.url).pathname, 'help'])
  for (const [, command = ''] of stdout.matchAll(/^ {2}oathgate (\w+)/gm)) t.match(readme, `oathgate ${command}`, command)
  for (const [, path = ''] of readme.matchAll(/\]\(((?!https?:)[^)#]+)/g)) t.ok(existsSync(new URL(`../${path}`, import.meta.url)), path)
})

t.test('at most 400 lines', async t => {
  t.ok(readme.split('\n').length <= 400)
})
