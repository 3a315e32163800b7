import t from 'tap'

import { createHashQueue } from '../../src/identity/hash-queue.js'

/** A task that ends when it is told to. */
function controlled(): { task: () => Promise<string>, end: () => void, started: () => boolean } {
  let started = false
  let end: () => void = () => {}
  const ended = new Promise<void>(resolve => { end = resolve })
  return { task: async () => { started = true; await ended; return 'done' }, end, started: () => started }
}

t.test('D8 few run, some wait in their order, the rest is refused at once', async t => {
  const { run } = createHashQueue({ concurrency: 2, waiting: 2 })
  const tasks = Array.from({ length: 4 }, controlled)
  const results = tasks.map(({ task }) => run(task))
  t.strictSame(tasks.map(({ started }) => started()), [true, true, false, false])
  await t.rejects(run(async () => 'never'), { code: 'overloaded', status: 503, headers: { 'Retry-After': '1' } })

  tasks[1]?.end()
  await results[1]
  t.strictSame(tasks.map(({ started }) => started()), [true, true, true, false], 'one ends, the next begins')
  for (const { end } of tasks) end()
  t.strictSame(await Promise.all(results), ['done', 'done', 'done', 'done'])
  t.equal(await run(async () => 'after'), 'after')
})

t.test('D8 a task that fails gives its turn on', async t => {
  const { run } = createHashQueue({ concurrency: 1, waiting: 1 })
  const failing = run(async () => { throw new Error('broken') })
  const next = run(async () => 'next')
  await t.rejects(failing, { message: 'broken' })
  t.equal(await next, 'next')
})

t.test('D8 never more than allowed run, however they come and go', async t => {
  const { run } = createHashQueue({ concurrency: 3, waiting: 1000 })
  let running = 0
  let most = 0
  const work = async () => {
    most = Math.max(most, ++running)
    await new Promise(resolve => setImmediate(resolve))
    running--
  }
  await Promise.all(Array.from({ length: 200 }, () => run(work)))
  t.equal(most, 3)
  t.equal(running, 0)
})

t.test('a queue that lets nobody wait still works', async t => {
  const { run } = createHashQueue({ concurrency: 1, waiting: 0 })
  const { task, end } = controlled()
  const first = run(task)
  await t.rejects(run(task), { code: 'overloaded' })
  end()
  t.equal(await first, 'done')
})
