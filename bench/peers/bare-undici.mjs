/**
 * The least that forwards with node:http and undici: no rules, no checks, no limits, no log. What the gateway adds to it is the
 * price of being a gateway. Usage: bare-undici.mjs PORT UPSTREAM_PORT
 */
import { createServer } from 'node:http'
import { Pool } from 'undici'

const [port, upstreamPort] = process.argv.slice(2)
const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { connections: 256 })

createServer((req, res) => {
  const path = req.url ?? '/'
  pool.dispatch({ method: 'GET', path, headers: req.rawHeaders.filter((_, at) => !/^connection$/i.test(req.rawHeaders[at & ~1] ?? '')) }, {
    onConnect() {},
    onHeaders(status, raw, resume) {
      const fields = raw.map(text => text.toString('latin1'))
      res.writeHead(status, fields.filter((_, at) => !/^(?:connection|keep-alive)$/i.test(fields[at & ~1] ?? '')))
      res.on('drain', resume)
      return true
    },
    onData: chunk => res.write(chunk),
    onComplete: () => void res.end(),
    onError: () => void res.destroy(),
  })
}).listen(Number(port), '127.0.0.1')
