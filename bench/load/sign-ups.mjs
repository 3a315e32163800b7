/** People who sign up, one after the other in several lanes. Usage: sign-ups.mjs {"publicUrl", "adminUrl", "lanes", "seconds"}; prints how many did as JSON. */
import { performance } from 'node:perf_hooks'

import { signUp } from './visitor.mjs'

const { lanes, seconds, ...gateway } = JSON.parse(process.argv[2] ?? '')
const startedAt = performance.now()
const until = startedAt + seconds * 1000
let done = 0
let failures = 0
let reason = ''

await Promise.all(Array.from({ length: lanes }, async () => {
  while (performance.now() < until) await signUp(gateway).then(() => { done++ }, error => {
    failures++
    reason = String(error)
  })
}))
process.stdout.write(JSON.stringify({ done, failures, reason, perSecond: done * 1000 / (performance.now() - startedAt) }), () => process.exit())
