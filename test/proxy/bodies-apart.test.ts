/** Bodies that pass at the same time: nobody's answer ever holds a byte of another's, however slowly it is taken. */
import { once } from 'node:events'
import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'

import { startApp } from '../helpers/app.js'
import { start } from '../helpers/proxy-harness.js'
import { random, seed } from '../helpers/random.js'

const chance = random(seed)
const upTo = (most: number): number => Math.floor(chance() * most)

/**
 * Answers `/public/NUMBER/SIZE/WAY` with so many bytes, all of which are the number's own. They come in pieces that are read one by
 * one, and are small enough for the next to be read while one still waits for its client.
 */
function startBodies(t: Test): Promise<string> {
  async function answer({ url = '' }: IncomingMessage, res: ServerResponse): Promise<void> {
    const [, , number, size, way] = url.split('/')
    const body = Buffer.alloc(Number(size), `<${number}>`)
    if (way === 'length') res.setHeader('Content-Length', body.length)
    if (way === 'close') res.setHeader('Connection', 'close').useChunkedEncodingByDefault = false
    for (let at = 0; at < body.length && !res.destroyed;) {
      const next = at + 17_000 + upTo(25_000)
      if (res.write(body.subarray(at, next))) await turn()
      else await Promise.race([once(res, 'drain'), once(res, 'close')])
      at = next
    }
    res.end()
  }
  return startApp(t, (req, res) => void answer(req, res))
}

type Manner = 'at once' | 'late' | 'in part'

interface Taken { readonly text: string, readonly wanted: string, readonly about: string }

/** Asks for a body, and takes it in one of three ways. */
function take(port: number, number: number, manner: Manner): Promise<Taken> {
  const size = manner === 'late' ? 4_000_000 + upTo(4_000_000) : 1 + upTo(400_000)
  const way = ['length', 'chunked', 'close'][upTo(3)] as string
  const most = manner === 'in part' ? upTo(size) : size
  const part = `<${number}>`

  return new Promise((resolve, reject) => {
    async function read(answer: IncomingMessage): Promise<void> {
      if (manner === 'late') await pause(100 + upTo(200))
      let text = ''
      for await (const piece of answer) {
        text += (piece as Buffer).toString('latin1')
        if (text.length > most) break
      }
      const wanted = part.repeat(Math.ceil(size / part.length)).slice(0, manner === 'in part' ? text.length : size)
      resolve({ text, wanted, about: `${way} of ${size} bytes, taken ${manner}` })
    }
    const asked = get({ port, host: '127.0.0.1', path: `/public/${number}/${size}/${way}`, headers: { Host: 'app.test' }, agent: false })
    asked.on('response', answer => { read(answer).catch(reject) })
    asked.on('error', reject)
  })
}

t.test('300 bodies, thirty at a time, taken at once, late or in part, are each whole and nobody else\'s', async t => {
  const proxy = await start({ upstream: { origin: await startBodies(t) } })
  t.teardown(() => proxy.close())
  let number = 1000
  const lanes = Array.from({ length: 30 }, async (_lane, at) => {
    const wrong: string[] = []
    for (let round = 0; round < 10; round++) {
      const { text, wanted, about } = await take(proxy.port, number++, (['at once', 'late', 'in part'] as const)[(at + round) % 3] as Manner)
      if (text !== wanted) wrong.push(`${about}: ${text.length} bytes, or somebody else's`)
    }
    return wrong
  })
  t.same((await Promise.all(lanes)).flat(), [], `seed ${seed}`)
})
