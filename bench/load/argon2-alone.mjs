/** What argon2 costs with nothing around it, with the gateway's defaults. Usage: argon2-alone.mjs SECONDS; prints hashes per second as JSON. */
import { performance } from 'node:perf_hooks'
import { availableParallelism } from 'node:os'
import { argon2id, hash } from 'argon2'

const lanes = Math.max(1, availableParallelism() - 1)
const startedAt = performance.now()
const until = startedAt + Number(process.argv[2]) * 1000
let done = 0

await Promise.all(Array.from({ length: lanes }, async () => {
  while (performance.now() < until) {
    await hash('3fa85f64-5717-4562-b3fc-2c963f66afa6', { type: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 })
    done++
  }
}))
process.stdout.write(JSON.stringify({ perSecond: done * 1000 / (performance.now() - startedAt) }))
