/** fastify with @fastify/reply-from. Usage: reply-from.mjs PORT UPSTREAM_PORT FOLDER, which has both in its node_modules. */
import { createRequire } from 'node:module'

const [port, upstreamPort, folder = ''] = process.argv.slice(2)
const require = createRequire(`${folder}/`)
const app = require('fastify')()
app.register(require('@fastify/reply-from'), { base: `http://127.0.0.1:${upstreamPort}` })
app.all('/*', (/** @type {{ url: string }} */ request, /** @type {{ from: (url: string) => void }} */ reply) => reply.from(request.url))
await app.listen({ port: Number(port), host: '127.0.0.1' })
