/** Answers that come in many small pieces, for a client that takes its time. */
import { get, type IncomingMessage } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'

import { startApp } from '../helpers/app.js'
import { start } from '../helpers/proxy-harness.js'

t.test('P1 a client that takes 20,000 chunks late gets all of them, and Node has nothing to warn of', async t => {
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => { if (warning.name !== 'DeprecationWarning') warnings.push(warning) }
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const origin = await startApp(t, (_req, res) => {
    for (let number = 0; number < 20_000; number++) res.write(String(number).padStart(100))
    res.end()
  })
  const proxy = await start({ upstream: { origin } })
  t.teardown(() => proxy.close())

  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ port: proxy.port, host: '127.0.0.1', path: '/public/x', headers: { Host: 'app.test' }, agent: false }, resolve).on('error', reject)
  })
  await pause(300)
  let text = ''
  for await (const piece of answer) text += String(piece)
  t.ok(text === Array.from({ length: 20_000 }, (_piece, number) => String(number).padStart(100)).join(''))
  t.strictSame(warnings, [])
})
