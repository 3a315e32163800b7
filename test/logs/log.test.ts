/** How lines are written: as JSON or for reading, and never more of an error than what it says. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'

import { logOptions } from '../../src/log.js'
import { prepareGateway } from '../helpers/gateway.js'
import { gatewayProgram } from '../helpers/gateway-process.js'

t.test('K4 of an error the line has kind, code, message, stack and causes, and nothing else that hangs on it', async t => {
  const lines: string[] = []
  const log = pino(logOptions('info'), new Writable({ write(chunk: Buffer, _encoding, done) { lines.push(chunk.toString()); done() } }))
  const refused = Object.assign(new Error('OOM command not allowed'), {
    name: 'ReplyError', code: 'OOM', command: { name: 'set', args: ['identity', 'canary-hash'] }, headers: { cookie: 'canary-cookie' },
  })
  const error = new Error('the store refuses', { cause: refused })
  Object.assign(refused, { cause: error })
  log.error({ err: error }, 'request failed')
  const { err, level, time } = JSON.parse(lines[0] ?? '') as { err: { cause: object }, level: string, time: string }
  t.notMatch(lines[0], /canary/)
  t.match({ err, level, time }, {
    level: 'error', time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/,
    err: { type: 'Error', message: 'the store refuses', stack: String, cause: { type: 'ReplyError', code: 'OOM', message: 'OOM command not allowed', stack: String } },
  })
})

const isJson = (said: string): boolean => said.trim().split('\n').every(line => line.startsWith('{"level":"'))

/** Starts a gateway and stops it once it is ready; what it has written, on a terminal or not. */
async function whatItSays(file: string, terminal: boolean, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const command = [process.execPath, gatewayProgram, 'serve', '-c', file]
  const [program = '', ...args] = terminal ? ['script', '-qefc', `exec ${command.join(' ')}`, '/dev/null'] : command
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'], ...env } })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
    if (said.includes('oathgate is ready')) child.kill('SIGTERM')
  })
  await once(child, 'close')
  return said
}

t.test('lines are JSON where nobody reads them, unless log.format says otherwise', async t => {
  const { file } = await prepareGateway(t)
  t.ok(isJson(await whatItSays(file, false)), 'into a pipe')
  t.match(await whatItSays(file, false, { LOG_FORMAT: 'text' }), /^\d\d:\d\d:\d\d info {2}access rules loaded rules=0$/m)
})

const noTerminal = spawnSync('script', ['--version']).status !== 0 && 'script (bsdutils) is not there to make a terminal'

t.test('on a terminal they are text, unless log.format says otherwise', { skip: noTerminal }, async t => {
  const { file } = await prepareGateway(t)
  t.match(await whatItSays(file, true), /^\d\d:\d\d:\d\d info {2}access rules loaded rules=0\r?$/m, 'on a terminal')
  t.ok(isJson(await whatItSays(file, true, { LOG_FORMAT: 'json' })), 'on a terminal that is to have JSON')
})
