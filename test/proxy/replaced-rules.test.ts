/** What is left of upstreams that no rule names any more, after many reloads: nothing. */
import { mock } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'

import type { Upstream } from '../../src/access/pipeline.js'
import { createClient, type Client } from '../../src/proxy/client/client.js'
import { startRecorder, type Recorder } from '../helpers/recorder.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Longer than an upstream is remembered that nobody asks. */
const longMs = 120_000

/** Answers as it is told to, and the client's clock, which goes when the test says so. */
async function startClient(t: Test): Promise<{ recorder: Recorder, client: Client }> {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => { mock.timers.reset() })
  const recorder = await startRecorder()
  const client = createClient({ connections: 2, keepAliveMs: 600_000, connectMs: 1000, refusePeer: () => undefined })
  t.teardown(async () => {
    await recorder.close()
    await client.close()
  })
  return { recorder, client }
}

/** As a rule that has been loaded anew brings it; what it holds can be watched. */
function upstreamOf({ origin }: Recorder, load: number): Upstream {
  const tls = { id: `load ${load}`, context: {} as NonNullable<Upstream['tls']>['context'], verify: true }
  return { origin, basePath: '', preserveHost: false, keepAlive: true, bodyOnSafeMethods: false, tls }
}

/** Resolves to how the exchange ended: with an answer, or with the code of a failure. */
function ask(client: Client, upstream: Upstream): Promise<string> {
  return new Promise(resolve => {
    client.send(upstream, {
      method: 'GET', head: 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n', responseMs: 1000, bodyMs: 0, carrier: undefined,
      onHead: () => undefined, onData: () => true, onPause: () => true,
      onEnd: () => { resolve('answered') },
      onError: error => { resolve('code' in error ? String(error.code) : error.message) },
    })
  })
}

/** Asks an upstream that nobody keeps, and hands out what shows whether the client does. */
async function askOnce(client: Client, recorder: Recorder, load: number): Promise<WeakRef<object>> {
  const upstream = upstreamOf(recorder, load)
  if (await ask(client, upstream) !== 'answered') throw new Error('no answer')
  return new WeakRef(upstream.tls as object)
}

async function remembered(held: readonly WeakRef<object>[]): Promise<number> {
  // What a WeakRef has shown is kept until the end of the turn, and V8's compilers keep for a while what code that they make has seen.
  for (let collections = 0; collections < 5; collections++) {
    await pause(20)
    collectGarbage()
  }
  return held.filter(ref => ref.deref() !== undefined).length
}

t.test('upstreams that no rule names any more are forgotten once their connections are gone', async t => {
  const { recorder, client } = await startClient(t)
  recorder.behave({ answer: socket => socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok') })
  const held: WeakRef<object>[] = []
  for (let load = 0; load < 200; load++) held.push(await askOnce(client, recorder, load))
  mock.timers.tick(1000)
  t.equal(await remembered(held), 200, 'they may be asked again at any moment')
  mock.timers.tick(longMs)
  t.equal(await remembered(held), 0)
})

t.test('an upstream with a connection is remembered however long nobody asks it', async t => {
  const { recorder, client } = await startClient(t)
  const held = [await askOnce(client, recorder, 0)]
  mock.timers.tick(longMs)
  t.equal(await remembered(held), 1)
  t.equal(await ask(client, upstreamOf(recorder, 0)), 'answered')
  t.same(recorder.requests.map(({ connection }) => connection), [0, 0])
})

t.test('an upstream that has been forgotten is asked as before, and has the same limits', async t => {
  const { recorder, client } = await startClient(t)
  const upstream = upstreamOf(recorder, 0)
  recorder.behave({ answer: socket => socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok') })
  t.equal(await ask(client, upstream), 'answered')
  mock.timers.tick(longMs)
  t.equal(await ask(client, upstream), 'answered')

  recorder.behave({ answer: () => undefined })
  const waiting = ask(client, upstream)
  await recorder.received(3)
  mock.timers.tick(longMs)
  t.equal(await waiting, 'upstream_timeout', 'its clock goes')
})

t.test('who waits for an upstream for ever is not forgotten with it', async t => {
  const { recorder, client } = await startClient(t)
  const sockets: (() => void)[] = []
  recorder.behave({ answer: socket => sockets.push(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')) })
  const upstream = upstreamOf(recorder, 0)
  const asked = new Promise<string>(resolve => {
    client.send(upstream, {
      method: 'GET', head: 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n', responseMs: 0, bodyMs: 0, carrier: undefined,
      onHead: () => undefined, onData: () => true, onPause: () => true,
      onEnd: () => { resolve('answered') }, onError: error => { resolve(error.message) },
    })
  })
  await recorder.received(1)
  mock.timers.tick(longMs)
  sockets[0]?.()
  t.equal(await asked, 'answered')
})
