/** `oathgate health`: for container health checks; asks the admin listener of a gateway on this machine. */
import { request } from 'undici'

import { adminEndpoint, adminOptions, noMore, readOptions } from './options.js'
import { UsageError } from './usage-error.js'

/** 0 when the gateway says it is alive (or ready), 1 when it does not. */
export async function health(args: readonly string[]): Promise<number> {
  const { values, positionals: [what = 'alive', ...rest] } = readOptions(args, adminOptions)
  if (what !== 'alive' && what !== 'ready') throw new UsageError('health needs "alive" or "ready"')
  noMore(rest)

  const { url } = adminEndpoint(values)
  const { statusCode, body } = await request(`${url}/health/${what}`, { headersTimeout: 3000 }).catch((cause: Error) => {
    throw new Error(`no gateway answers at ${url} (${cause.message}); is it running, and is --endpoint right?`, { cause })
  })
  process.stdout.write(`${await body.text()}\n`)
  return statusCode === 200 ? 0 : 1
}
