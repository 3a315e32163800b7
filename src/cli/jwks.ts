/** `oathgate jwks generate`: a key set, on standard output. */
import { randomUUID } from 'node:crypto'

import { generateJwks, signingAlgorithms } from '../access/jwks.js'
import { noMore, readOptions } from './options.js'
import { UsageError } from './usage-error.js'

/** Private and public key under one id; keep the output where only the gateway can read it. */
export async function jwks(args: readonly string[]): Promise<number> {
  const { values, positionals: [verb, ...rest] } = readOptions(args, {
    alg: { type: 'string' }, kid: { type: 'string' }, bits: { type: 'string' },
  })
  if (verb !== 'generate') throw new UsageError('jwks needs "generate"')
  noMore(rest)
  const alg = signingAlgorithms.find(known => known === values.alg)
  if (alg === undefined) throw new UsageError(`--alg is one of ${signingAlgorithms.join(', ')}`)
  if (values.bits !== undefined && !/^[0-9]{1,5}$/.test(values.bits)) throw new UsageError('--bits is a number')

  const keys = await generateJwks(alg, values.kid ?? randomUUID(), values.bits === undefined ? undefined : Number(values.bits))
  process.stdout.write(`${JSON.stringify(keys, undefined, 2)}\n`)
  return 0
}
