/** The proxy as a process of its own, so that its death is seen; started by proxy-process.ts. */
import { start, type ProxyOptions } from './proxy-harness.js'

const options = JSON.parse(process.env['PROXY_OPTIONS'] ?? '{}') as ProxyOptions
const proxy = await start(options)

process.on('message', () => {
  globalThis.gc?.()
  process.send?.({ rss: process.memoryUsage().rss })
})
process.on('disconnect', () => process.exit(0))
process.send?.({ port: proxy.port })
