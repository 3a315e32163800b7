/** A sample API behind the gateway: answers with what it was told about who is asking. `node demo/api/server.mjs` starts it. */
import { createServer } from 'node:http'

const host = process.env.HOST ?? '127.0.0.1'
const port = Number(process.env.PORT ?? 4437)

const server = createServer((request, response) => {
  const identityHeaders = Object.entries(request.headers).filter(([name]) => name.startsWith('x-') || name === 'authorization')
  const body = JSON.stringify({
    method: request.method,
    path: request.url,
    user: { id: request.headers['x-user-id'], email: request.headers['x-user-email'] },
    headers: Object.fromEntries(identityHeaders),
  }, null, 2)
  response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
  response.end(`${body}\n`)
})

// Longer than the gateway keeps idle connections to its upstreams, so that it never sends into one that is just closing.
server.keepAliveTimeout = 65_000
server.listen(port, host, () => {
  console.log(`api: http://${host}:${port}`)
})
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close()
    server.closeAllConnections()
  })
}
