/** Where rules come from, and how they follow: changes, swaps, half-written and broken files (F-3 to F-5, X13, L7). */
import { once } from 'node:events'
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'

import { decide } from '../../src/access/decide.js'
import { type Rules, loadRules, watchRules } from '../../src/access/repositories.js'
import { accessConfig, accessRequest, rule, services } from './requests.js'

/** A rule file with these ids. */
function file(...ids: string[]): string {
  return JSON.stringify(ids.map(id => rule(`http://h/${id}`, { id })))
}

interface Watched {
  readonly rules: Rules
  readonly log: string[]
  /** Ids in force. */
  ids(): string[]
}

async function watched(t: Test, folder: string, ...repositories: string[]): Promise<Watched> {
  const log: string[] = []
  const note = (details: object, message: string): void => void log.push(`${message} ${JSON.stringify(details)}`)
  const rules = await watchRules(accessConfig({ repositories }), folder, services(), { info: () => undefined, warn: note, error: note })
  t.teardown(() => { rules.close() })
  return { rules, log, ids: () => rules.current().documents.map(({ id }) => id) }
}

/** Waits until it is so; fails when that does not come within a few seconds. */
async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + 5000; Date.now() < end;) {
    if (isSo()) return
    await sleep(10)
  }
  throw new Error(`it never came to this: ${what}`)
}

t.test('F-3 rules come from files, folders in the order of their names, and the configuration itself', async t => {
  const folder = t.testdir({
    'one.json': file('json'),
    'two.yml': '- id: yaml\n  match: { url: "http://h/yaml", methods: [GET] }\n  authenticators: [{ handler: noop }]\n  authorizer: { handler: allow }\n  mutators: [{ handler: noop }]\n',
    'folder': { 'b.yml': file('b'), 'a.json': file('a'), 'c.yaml': file('c'), 'ignored.txt': 'x', '.hidden.yml': 'x' },
  })
  const inline = `inline://${Buffer.from(file('inline')).toString('base64')}`
  const { ids } = await watched(t, folder, 'file://two.yml', `file://${folder}/one.json`, inline, 'folder', 'file://./folder/../two.yml').catch((error: Error) => ({ ids: () => [error.message] }))
  t.match(ids()[0], /^two\.yml:1:3 rule "yaml": The id is taken by the rule in two\.yml:1$/, 'ids are unique across repositories')

  const set = await loadRules(accessConfig({ repositories: ['file://two.yml', `file://${folder}/one.json`, inline, 'folder'] }), folder, services())
  t.same(set.documents.map(({ id }) => id), ['yaml', 'json', 'inline', 'a', 'b', 'c'])
})

t.test('F-3 F-6 X13 at start, what can not be loaded ends it, with the reason', async t => {
  const folder = t.testdir({
    'broken.yml': '- id: [', 'empty.yml': '', 'comment.yml': '# nothing yet\n', 'bad.yml': file('a').replace('noop', 'nop'), 'none': {}, 'big.yml': `# ${'x'.repeat(2000)}\n[]`,
    'latin1.yml': Buffer.from([0x2d, 0x20, 0xe9]),
  })
  const rows: [repository: string, message: RegExp][] = [
    ['file://missing.yml', /^missing\.yml can not be read: there is no such file$/],
    ['file://broken.yml', /^broken\.yml:1:8 This is neither YAML nor JSON/],
    ['file://empty.yml', /^empty\.yml:1:1 The file is empty; a file without rules holds \[\]$/],
    ['file://comment.yml', /The file is empty/],
    ['file://bad.yml', /^bad\.yml:1:\d+ rule "a": Value "nop" of "authenticators\[0\]" is not in list.*; did you mean "noop"\?$/],
    ['file://none/', /^none can not be read|^none holds no \.yml, \.yaml or \.json file$/],
    ['file://latin1.yml', /^latin1\.yml can not be read: it is not UTF-8 text$/],
    ['inline://%%%', /base64/],
    ['ftp://not-valid', /scheme of ftp:\/\/ is not supported/],
    ['s3://bucket/rules.json', /scheme of s3:\/\/ is not supported/],
    ['azblob://container/rules.json', /scheme of azblob:\/\/ is not supported/],
    ['http://127.0.0.1:1/rules.json', /^http:\/\/127\.0\.0\.1:1\/rules\.json can not be read/],
  ]
  for (const [repository, message] of rows) await t.rejects(watched(t, folder, repository), { message }, repository)

  const config = accessConfig({ repositories: ['big.yml'] })
  const small = { ...config, access_rules: { ...config.access_rules, max_bytes: 1024 } }
  await t.rejects(loadRules(small, folder, services()), { message: /^big\.yml can not be read: it has more than 1024 bytes/ })
})

t.test('F-4 M-5 rules follow their file, down to none when it says so', async t => {
  const folder = t.testdir({ 'rules.json': '[]' })
  const path = join(folder, 'rules.json')
  const { ids } = await watched(t, folder, 'file://rules.json')
  for (const expected of [['a'], ['a', 'b'], ['a', 'b', 'c'], []]) {
    writeFileSync(path, file(...expected))
    await until(`rules ${expected.join()}`, () => ids().join() === expected.join())
  }
  t.pass('each change was followed')
})

t.test('X13 a file that is replaced by renaming is followed, again and again', async t => {
  const folder = t.testdir({ 'rules.yml': file('v0') })
  const { ids } = await watched(t, folder, 'rules.yml')
  for (let version = 1; version <= 4; version++) {
    writeFileSync(join(folder, 'new.tmp'), file(`v${version}`))
    renameSync(join(folder, 'new.tmp'), join(folder, 'rules.yml'))
    await until(`v${version}`, () => ids().join() === `v${version}`)
  }
  t.pass('each replacement was followed')
})

t.test('F-5 a ConfigMap\'s links are swapped ten times, and each time it is followed', async t => {
  const folder = t.testdir({ '..v0': { 'rules.yml': file('v0') } })
  symlinkSync('..v0', join(folder, '..data'))
  symlinkSync('..data/rules.yml', join(folder, 'rules.yml'))
  const { ids } = await watched(t, folder, 'file://rules.yml')
  t.same(ids(), ['v0'])
  for (let version = 1; version <= 10; version++) {
    mkdirSync(join(folder, `..v${version}`))
    writeFileSync(join(folder, `..v${version}`, 'rules.yml'), file(`v${version}`))
    symlinkSync(`..v${version}`, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    rmSync(join(folder, `..v${version - 1}`), { recursive: true })
    await until(`v${version}`, () => ids().join() === `v${version}`)
  }
  t.pass('each swap was followed')
})

t.test('a file behind a link into another folder is followed there', async t => {
  const folder = t.testdir({ config: {}, elsewhere: { 'rules.yml': file('a') } })
  symlinkSync('../elsewhere/rules.yml', join(folder, 'config', 'rules.yml'))
  const { ids } = await watched(t, folder, 'config/rules.yml')
  writeFileSync(join(folder, 'elsewhere', 'rules.yml'), file('b'))
  await until('b', () => ids().join() === 'b')
  t.pass()
})

t.test('files come to a folder and go from it', async t => {
  const folder = t.testdir({ rules: { 'a.yml': file('a') } })
  const { ids } = await watched(t, folder, 'file://rules/')
  writeFileSync(join(folder, 'rules', 'b.yml'), file('b'))
  await until('a and b', () => ids().join() === 'a,b')
  rmSync(join(folder, 'rules', 'a.yml'))
  await until('b alone', () => ids().join() === 'b')
  t.pass()
})

t.test('X13 whatever becomes of the file, the last good rules stay, one line says why, and a mended file is taken', async t => {
  const folder = t.testdir({ 'rules.yml': file('good') })
  const path = join(folder, 'rules.yml')
  const { rules, log, ids } = await watched(t, folder, 'rules.yml')
  const before = rules.status().loadedAt

  const faults: [what: string, spoil: () => void, reason: RegExp][] = [
    ['broken YAML', () => { writeFileSync(path, '- id: [') }, /neither YAML nor JSON/],
    ['an unknown key', () => { writeFileSync(path, file('a').replace('"mutators"', '"mutator"')) }, /did you mean "mutators"/],
    ['a duplicate id', () => { writeFileSync(path, file('a', 'a')) }, /The id is taken/],
    ['a bad pattern', () => { writeFileSync(path, JSON.stringify([rule('http://h/<*>')])) }, /is no pattern/],
    ['half a file', () => { writeFileSync(path, file('a', 'b').slice(0, 200)) }, /neither YAML nor JSON/],
    ['nothing in it', () => { truncateSync(path) }, /The file is empty/],
    ['deleted', () => { rmSync(path) }, /there is no such file/],
    ['a folder in its place', () => { mkdirSync(path) }, /holds no/],
  ]
  for (const [what, spoil, reason] of faults) {
    log.length = 0
    spoil()
    await until(what, () => reason.test(rules.status().error ?? ''))
    t.same(ids(), ['good'], what)
    t.equal(rules.status().loadedAt, before)
    t.match(log, [/access rules can not be loaded, the last good ones stay/], `${what} is told once`)
  }

  rmSync(path, { recursive: true })
  writeFileSync(path, file('good'))
  await until('mended, as it was', () => rules.status().error === undefined)
  t.equal(rules.status().loadedAt, before)
  writeFileSync(path, file('better'))
  await until('mended', () => ids().join() === 'better')
  t.equal(rules.status().error, undefined)
})

t.test('L7 requests during a hundred reloads meet one set or the other, and no error', async t => {
  const version = (number: number): string => JSON.stringify(['a', 'b'].map(path => rule(`http://h/${path}`, {
    id: path, authenticators: [{ handler: 'anonymous', config: { subject: `v${number}` } }],
    authorizer: { handler: Math.ceil(number / 10) % 2 === 0 ? 'allow' : 'deny' },
  })))
  const folder = t.testdir({ 'rules.yml': version(0) })
  const path = join(folder, 'rules.yml')
  const { rules } = await watched(t, folder, 'rules.yml')

  let running = true
  const seen = new Set<number>()
  const requests = (async () => {
    while (running) {
      const set = rules.current()
      const statuses: number[] = []
      for (const path of ['/a', '/b']) {
        statuses.push(await decide(accessRequest('GET', `http://h${path}`), set).then(() => 200, (error: { status: number }) => error.status))
      }
      if (statuses[0] !== statuses[1]) throw new Error(`mixed: ${statuses.join()}`)
      seen.add(statuses[0] as number)
      await sleep(2)
    }
  })()
  for (let number = 1; number <= 100; number++) {
    writeFileSync(`${path}.tmp`, number % 10 === 5 ? 'broken [' : version(number))
    renameSync(`${path}.tmp`, path)
    await sleep(number % 10 === 0 ? 200 : 3)
  }
  await until('the last version', () => rules.status().error === undefined && JSON.stringify(rules.current().documents).includes('"v100"'))
  running = false
  await requests
  t.same([...seen].sort(), [200, 403], 'both kinds of set were met')
})

t.test('watching ends when it is told to', async t => {
  const folder = t.testdir({ 'rules.yml': file('a') })
  const { rules, ids, log } = await watched(t, folder, 'rules.yml')
  rules.close()
  writeFileSync(join(folder, 'rules.yml'), file('b'))
  await sleep(300)
  t.same(ids(), ['a'])
  t.same(log, [])
})

t.test('a folder in which something else is always going on is followed all the same', async t => {
  const folder = t.testdir({ 'rules.yml': file('a') })
  const { ids } = await watched(t, folder, 'rules.yml')
  const busy = setInterval(() => { writeFileSync(join(folder, 'log.txt'), String(Math.random())) }, 10)
  t.teardown(() => { clearInterval(busy) })
  await sleep(50)
  writeFileSync(join(folder, 'rules.yml'), file('b'))
  await until('b', () => ids().join() === 'b')
  t.pass()
})

/** A server that answers as it is told. */
async function server(t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const listening = createServer({ keepAliveTimeout: 10 }, answer).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  t.teardown(() => {
    listening.closeAllConnections()
    listening.close()
  })
  return `http://user:s3cret@127.0.0.1:${(listening.address() as AddressInfo).port}/rules.json?token=s3cret`
}

t.test('F-3 rules of another server are asked for again, and sent again only when they changed', async t => {
  let ids = ['a']
  const asked: (string | undefined)[] = []
  const url = await server(t, (request, response) => {
    asked.push(request.headers['if-none-match'])
    const etag = `"${ids.join()}"`
    if (request.headers['if-none-match'] === etag) response.writeHead(304).end()
    else response.writeHead(200, { etag }).end(file(...ids))
  })
  const config = accessConfig({ repositories: [url] })
  const often = { ...config, access_rules: { ...config.access_rules, poll_interval: '1s' } }
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const rules = await watchRules(often, '/', services(), silent)
  t.teardown(() => { rules.close() })
  const current = (): string => rules.current().documents.map(({ id }) => id).join()

  t.equal(current(), 'a')
  await until('asked again', () => asked.length >= 2)
  t.same(asked.slice(0, 2), [undefined, '"a"'])
  ids = ['b']
  await until('b', () => current() === 'b')
  t.equal(rules.status().error, undefined)
})

t.test('a server that redirects, fails, floods or is silent ends the start, and its secrets are not told', async t => {
  const rows: [answer: (response: ServerResponse) => void, message: RegExp][] = [
    [response => { response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end() }, /the server answers 302$/],
    [response => { response.writeHead(500).end() }, /the server answers 500$/],
    [response => { response.writeHead(304).end() }, /the server answers 304$/],
    [response => { response.writeHead(200).end('x'.repeat(2_000_000)) }, /it has more than 1048576 bytes/],
    [response => { response.socket?.destroy() }, /can not be read/],
    [response => { response.writeHead(200).end('{') }, /rules\.json:1:\d+ This is neither YAML nor JSON/],
  ]
  for (const [answer, message] of rows) {
    const url = await server(t, (_request, response) => { answer(response) })
    const error = await loadRules(accessConfig({ repositories: [url] }), '/', services()).catch((thrown: unknown) => thrown) as Error
    t.match(error.message, message)
    t.notMatch(error.message, /s3cret/)
  }
})

t.test('the rules that ship are what a start would load', async t => {
  const root = new URL('../../', import.meta.url).pathname
  const set = await loadRules(accessConfig({ repositories: ['file://../rules/'] }), join(root, 'config'), services())
  t.equal(set.documents.length, (readFileSync(join(root, 'rules/demo.yml'), 'utf8').match(/^- id:/gm) ?? []).length)
})
