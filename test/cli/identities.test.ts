import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import t, { type Test } from 'tap'

import { identitiesOf, logIn, signUp, whoAmI } from '../helpers/flows.js'
import { startTestGateway, ui, type TestGateway } from '../helpers/gateway.js'
import { startGatewayProcess } from '../helpers/gateway-process.js'
import { temporaryDirectory } from '../helpers/store.js'
import { newVisitor } from '../helpers/visitor.js'

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const bcryptOfTest = '$2a$12$o6hx.Wog/wvFSkT/Bp/6DOxCtLRTDj7lm9on9suF/WaCGNVHbkfL6'

/** The disk of a machine that tests in parallel is slow; what timed out and was done all the same would count as skipped. */
const patient = { store: { timeout: '20s' } }

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Most bytes of resident memory that were seen; 0 outside Linux. */
  readonly peakBytes: number
}

function oathgate(args: readonly string[], { adminUrl }: { adminUrl: string }, input = ''): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], { env: { PATH: process.env['PATH'], OATHGATE_ADMIN_URL: adminUrl } })
  const output = { stdout: '', stderr: '' }
  let peakBytes = 0
  for (const name of ['stdout', 'stderr'] as const) child[name].setEncoding('utf8').on('data', (text: string) => { output[name] += text })
  const sampling = setInterval(() => { peakBytes = Math.max(peakBytes, peakOf(child.pid ?? 0)) }, 20)
  child.stdin.on('error', () => undefined).end(input)
  return new Promise(resolve => child.once('close', code => {
    clearInterval(sampling)
    resolve({ code, ...output, peakBytes })
  }))
}

function peakOf(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

function line(username: string, more: object = {}): string {
  return `${JSON.stringify({ traits: { username, foobar: 'bar' }, credentials: { password: { config: { hashed_password: bcryptOfTest } } }, ...more })}\n`
}

async function file(t: Test, content: string): Promise<string> {
  const path = join(temporaryDirectory(t), 'people.jsonl')
  await writeFile(path, content)
  return path
}

async function start(t: Test): Promise<TestGateway> {
  return startTestGateway(t, { config: patient })
}

t.test('an import says what it did, names each failure with its line, and its people can log in', async t => {
  const gateway = await start(t)
  const people = await file(t, [line('ada'), '\n', line('bob'), '{"traits":\n', line('eve', { traits: {} }), line('ADA', { traits: { username: 'ADA', foobar: 'other' } }), line('carl')].join(''))
  const ended = await oathgate(['identities', 'import', people], gateway)
  t.equal(ended.code, 1)
  t.match(ended.stdout, /^created 3, skipped 0 that are there already, failed 3, in [0-9.]+ s \([0-9,]+\/s\)\n$/)
  t.strictSame(ended.stderr.trim().split('\n').map(text => text.replace(people, 'FILE').replace(/[0-9a-f-]{36}/, 'ID')).sort(), [
    'FILE:4: not a JSON document', 'FILE:5: traits.foobar: foobar is required', 'FILE:6: "ada" belongs to the identity ID.',
  ])
  t.equal((await logIn(newVisitor(), gateway, 'carl', 'test')).location, `${ui}/dashboard`)
  t.notMatch(ended.stdout + ended.stderr, /\$2a/)
})

t.test('running it again goes on where it ended: what is there is skipped', async t => {
  const gateway = await start(t)
  const names = Array.from({ length: 450 }, (_, at) => `p${at}`)
  const first = await oathgate(['identities', 'import', '-'], gateway, names.slice(0, 300).map(name => line(name)).join(''))
  t.match(first, { code: 0, stdout: /^created 300, skipped 0 / })
  const again = await oathgate(['identities', 'import', '-', '--format', 'json'], gateway, names.map(name => line(name)).join(''))
  t.equal(again.code, 0)
  t.match(JSON.parse(again.stdout), { created: 150, skipped: 300, failed: 0 })
  t.equal((await identitiesOf(gateway)).length, 450)
})

t.test('a JSON array is read too; --on-conflict skip passes over accounts of others; --dry-run stores nothing', async t => {
  const gateway = await start(t)
  await oathgate(['identities', 'import', '-'], gateway, line('ada'))
  const array = `[${[line('ada', { traits: { username: 'ada', foobar: 'other' } }), line('bob'), line('', { traits: {} })].join(',')}]`
  t.match(await oathgate(['identities', 'import', '-', '--dry-run', '--on-conflict', 'skip'], gateway, array), {
    code: 1, stdout: /^would create 1, skipped 1 that are there already, failed 1/, stderr: /^standard input:3: traits\.foobar: /m,
  })
  t.equal((await identitiesOf(gateway)).length, 1)
  t.match(await oathgate(['identities', 'import', '-', '--on-conflict', 'skip'], gateway, array), { code: 1, stdout: /^created 1, skipped 1 / })
})

t.test('lists are a table or JSON, a page at a time; what people call themselves moves no cursor', async t => {
  const gateway = await start(t)
  for (const traits of [{ username: 'ada', foobar: 'bar' }, { username: 'bob', foobar: '\u200fb\u009b2J' }]) {
    await oathgate(['identities', 'import', '-', '--concurrency', '1'], gateway, line('', { traits }))
  }
  const [ada, bob] = await identitiesOf(gateway)
  const table = await oathgate(['identities', 'list'], gateway)
  t.equal(table.stdout, [
    `ID${' '.repeat(36)}SCHEMA   TRAITS`, `${ada?.id}  default  {"username":"ada","foobar":"bar"}`,
    `${bob?.id}  default  {"username":"bob","foobar":"\\u{200f}b\\u{9b}2J"}`, '',
  ].join('\n'))
  t.strictSame(JSON.parse((await oathgate(['identities', 'list', '--format', 'json', '--offset', '1', '--limit', '1'], gateway)).stdout), [bob])
  t.strictSame(JSON.parse((await oathgate(['identities', 'get', ada?.id ?? ''], gateway)).stdout), ada)
  t.match(await oathgate(['identities', 'get', ada?.id ?? '', '--format', 'table'], gateway), { code: 0, stdout: /^ID .*\n.*"ada"/ })
  t.match(await oathgate(['identities', 'delete', ada?.id ?? ''], gateway), { code: 0 })
  t.match(await oathgate(['identities', 'get', ada?.id ?? ''], gateway), { code: 1, stderr: /404/ })
})

t.test('sessions are listed and revoked by id, or all of a person by what they log in with', async t => {
  const gateway = await start(t)
  const [ann, annElsewhere] = [newVisitor(), newVisitor()]
  await signUp(ann, gateway, 'ann')
  await logIn(annElsewhere, gateway, 'ann')
  const { sid } = (await whoAmI(ann, gateway)).json() as { sid: string }
  const table = await oathgate(['sessions', 'list', 'ANN'], gateway)
  t.match(table.stdout, new RegExp(`^ID +ACTIVE  LOGGED IN +LAST SEEN +EXPIRES\n${sid}  yes `))
  t.match(JSON.parse((await oathgate(['sessions', 'list', 'ann', '--format', 'json'], gateway)).stdout), [{ id: sid, active: true }, { active: true }])

  t.match(await oathgate(['sessions', 'revoke', sid], gateway), { code: 0, stdout: `revoked ${sid}\n` })
  t.equal((await whoAmI(ann, gateway)).status, 401)
  t.equal((await whoAmI(annElsewhere, gateway)).status, 200)
  t.match(await oathgate(['sessions', 'revoke', '--identity', 'ann'], gateway), { code: 0 })
  t.equal((await whoAmI(annElsewhere, gateway)).status, 401)
  t.match(await oathgate(['sessions', 'list', 'nobody'], gateway), { code: 1, stderr: /nobody logs in with "nobody"/ })
  t.match(await oathgate(['sessions', 'revoke'], gateway), { code: 2 })
})

t.test('what can not begin says why: no gateway, no file, no such option', async t => {
  const nowhere = { adminUrl: 'http://127.0.0.1:1' }
  t.match(await oathgate(['identities', 'import', '/nowhere.jsonl'], nowhere), { code: 1, stderr: /no such file/ })
  t.match(await oathgate(['identities', 'import'], nowhere), { code: 2, stderr: /needs one file/ })
  t.match(await oathgate(['identities', 'import', '-', '--on-conflict', 'replace'], nowhere), { code: 2, stderr: /fail or skip/ })
  t.match(await oathgate(['identities', 'list', '--format', 'xml'], nowhere), { code: 2, stderr: /table or json/ })
})

t.test('an import goes on when the gateway is gone for a moment', async t => {
  const gateway = await startGatewayProcess(t, { config: patient })
  const people = Array.from({ length: 4000 }, (_, at) => line(`p${at}`)).join('')
  const importing = oathgate(['identities', 'import', '-'], gateway, people)
  while ((await newVisitor().fetch(`${gateway.adminUrl}/identities?offset=200&limit=1`)).text === '[]') continue
  await gateway.kill('SIGKILL')
  await gateway.start()
  const ended = await importing
  t.equal(ended.code, 0, ended.stderr)
  t.match(ended.stderr, /the gateway is in trouble at line \d+; trying again/)
  const listed = await oathgate(['identities', 'list', '--format', 'json', '--offset', '3999'], gateway)
  t.equal((JSON.parse(listed.stdout) as unknown[]).length, 1)
})

t.test('neither side\'s memory grows with the length of the import', { skip: process.platform !== 'linux' && 'memory is read from /proc' }, async t => {
  const gateway = await startGatewayProcess(t, { config: patient })
  const run = async (from: number, count: number): Promise<Ended> => {
    const people = await file(t, Array.from({ length: count }, (_, at) => line(`p${from + at}`)).join(''))
    const ended = await oathgate(['identities', 'import', people], gateway)
    t.equal(ended.code, 0, ended.stderr)
    return ended
  }
  const short = await run(0, 1000)
  const gatewayAfterShort = peakOf(gateway.pid)
  const long = await run(1000, 9000)
  const megabyte = 1_048_576
  t.ok(long.peakBytes < short.peakBytes + 60 * megabyte, `command: ${short.peakBytes} and ${long.peakBytes}`)
  t.ok(peakOf(gateway.pid) < gatewayAfterShort + 100 * megabyte, `gateway: ${gatewayAfterShort} and ${peakOf(gateway.pid)}`)
})
