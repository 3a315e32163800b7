/** Where the time goes: a CPU profile as tables. Usage: node bench/profile.mjs FILE.cpuprofile, as `npm run bench -- --cpu-prof` leaves them. */
import { readFileSync } from 'node:fs'

/**
 * @typedef {{ functionName: string, url: string, lineNumber: number }} Frame
 * @typedef {{ nodes: { id: number, callFrame: Frame }[], samples: number[], timeDeltas: number[] }} Profile
 */

/** @type {readonly (readonly [part: string, pattern: RegExp])[]} */
const parts = [
  ['undici', /node_modules\/undici\//], ['Koa and its middleware', /node_modules\/(?:koa|@koa|koa-[a-z]+)/],
  ['pino', /node_modules\/(?:pino|sonic-boom|thread-stream|safe-stable-stringify)/], ['other packages', /node_modules\//],
  ['oathgate: proxy', /\/dist\/proxy\//], ['oathgate: http', /\/dist\/http\//], ['oathgate: access', /\/dist\/access\//],
  ['oathgate: session, store', /\/dist\/(?:session|store)\//], ['oathgate: the rest', /\/dist\//],
  ['node:http', /node:_http|node:internal\/http/], ['node: streams and sockets', /node:(?:net|internal\/stream|stream|events|internal\/js_stream)/],
  ['node: the rest', /node:/],
]

/** @type {Profile} */
const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
/** @type {Map<string, number>} */
const byPart = new Map()
/** @type {Map<string, number>} */
const byFunction = new Map()
let total = 0

for (const [at, id] of samples.entries()) {
  const frame = frames.get(id)
  const micros = timeDeltas[at] ?? 0
  if (frame === undefined || frame.functionName === '(idle)') continue
  total += micros
  add(byPart, partOf(frame), micros)
  add(byFunction, `${frame.functionName || '(anonymous)'} ${frame.url.replace(/^.*\/(?=node_modules|dist)/, '')}:${frame.lineNumber + 1}`, micros)
}

print('part', byPart, 20)
print('function (its own time)', byFunction, Number(process.argv[3] ?? 30))

/** @param {Frame} frame */
function partOf({ functionName, url }) {
  const found = parts.find(([, pattern]) => pattern.test(url))
  if (found !== undefined) return found[0]
  return functionName === '(garbage collector)' ? 'garbage collection' : 'V8 and C++: parser, writes, timers'
}

/** @param {Map<string, number>} sums @param {string} key @param {number} value */
function add(sums, key, value) {
  sums.set(key, (sums.get(key) ?? 0) + value)
}

/** @param {string} title @param {Map<string, number>} sums @param {number} count */
function print(title, sums, count) {
  console.log(`\n| % | ${title} |\n| --- | --- |`)
  for (const [key, micros] of [...sums].sort((a, b) => b[1] - a[1]).slice(0, count)) {
    console.log(`| ${(micros * 100 / total).toFixed(1)} | ${key} |`)
  }
}
