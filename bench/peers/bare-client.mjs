/**
 * The least that forwards with node:http and the gateway's own client: no rules, no checks, no limits, no log. `BUSY`: microseconds
 * that every request takes longer, to see what a microsecond costs. Usage: bare-client.mjs PORT UPSTREAM_PORT [BUSY]
 */
import { createServer } from 'node:http'

/** @type {[typeof import('../../src/proxy/answer.js'), typeof import('../../src/proxy/client/client.js'), typeof import('../../src/proxy/client/request-head.js')]} */
const [{ createAnswer }, { createClient }, { requestHead }] = await Promise.all([built('answer'), built('client/client'), built('client/request-head')])

const [port, upstreamPort, busy = 0] = process.argv.slice(2).map(Number)
const upstream = { origin: `http://127.0.0.1:${upstreamPort}`, basePath: '', preserveHost: true, keepAlive: true, bodyOnSafeMethods: false }
const client = createClient({ connections: 256, keepAliveMs: 60_000, connectMs: 5000, refusePeer: () => undefined })

createServer((req, res) => {
  for (const begun = performance.now(); (performance.now() - begun) * 1000 < busy;);
  const fields = req.rawHeaders.filter((_, at) => !/^connection$/i.test(req.rawHeaders[at & ~1] ?? ''))
  client.send(upstream, createAnswer({
    res, method: 'GET', head: requestHead('GET', req.url ?? '/', fields, true, undefined), body: undefined, upload: undefined,
    responseMs: 30_000, bodyMs: 30_000,
    fieldsFor: head => head.fields.filter((_, at) => !/^(?:connection|keep-alive)$/i.test(head.fields[at & ~1] ?? '')),
  }, { onComplete: () => undefined, onClientGone: () => undefined, onFailure: () => void res.destroy() }))
}).listen(port, '127.0.0.1')

/** @param {string} name @returns {Promise<any>} */
function built(name) {
  return import(new URL(`../../dist/proxy/${name}.js`, import.meta.url).href)
}
