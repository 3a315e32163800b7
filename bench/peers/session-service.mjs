/** The service that nginx asks by `auth_request`: plain node:http and one GET to Redis. Usage: session-service.mjs PORT REDIS_PORT */
import { createServer } from 'node:http'
import { Redis } from 'ioredis'

const [port, redisPort] = process.argv.slice(2).map(Number)
const redis = new Redis({ port: redisPort ?? 6379, host: '127.0.0.1', enableAutoPipelining: true })

createServer((req, res) => {
  void answer(req.headers.cookie).then(person => {
    if (person === undefined) res.writeHead(401, { 'content-length': 0 })
    else res.writeHead(200, { 'content-length': 0, 'x-user-id': person.id, 'x-user-email': person.email })
    res.end()
  })
}).listen(port, '127.0.0.1')

/** @param {string | undefined} cookies @returns {Promise<{ id: string, email: string } | undefined>} */
async function answer(cookies) {
  const token = /(?:^|; )ory_kratos_session=([^;]+)/.exec(cookies ?? '')?.[1]
  const document = token === undefined ? null : await redis.get(`bench:session:${token}`)
  return document === null ? undefined : JSON.parse(document)
}
