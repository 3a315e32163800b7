/** An upstream for machines without nginx. Usage: upstream.mjs PORT ANSWER */
import { createServer } from 'node:http'

const [port, answer = ''] = process.argv.slice(2)
const file = Buffer.alloc(65_536, 'oathgate ')

createServer({ keepAliveTimeout: 120_000 }, (req, res) => {
  const body = req.url?.endsWith('/64k') ? file : answer
  res.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
}).listen(Number(port), '127.0.0.1')
