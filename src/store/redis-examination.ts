/** Whether a Redis is fit to keep accounts, by what it says of itself (promise L3, security X6). */
import type { GatewayError } from '../errors.js'
import type { RedisConnection } from './redis-connection.js'
import type { Durability } from './store.js'

export interface ExaminationOptions {
  /** The server's address, for people. */
  readonly where: string
  readonly durability: Durability
}

/** In sentences for the operator. */
export interface Examination {
  /** Why it is not fit and what to change; absent when it is. */
  readonly unfit?: string
  /** That it has no replica, with durability `replicated`. */
  readonly alone?: string
}

/** Throws an `Error` for the operator when the server does not say. */
export async function examine(connection: Pick<RedisConnection, 'callEach'>, { where, durability }: ExaminationOptions): Promise<Examination> {
  for (const info of await serverInfos(connection, where)) {
    const version = /^redis_version:([0-9]+)/m.exec(info)?.[1]
    if (Number(version) < 7) return { unfit: `Redis at ${where} is version ${version}; version 7 or newer is needed.` }
    if (durability === 'none') continue

    const accept = 'or say `store.durability: none` to accept that'
    if (!/^aof_enabled:1/m.test(info)) {
      return { unfit: `Redis at ${where} would lose accounts when it stops: its append-only file is off. Start it with \`--appendonly yes\`, ${accept}.` }
    }
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
    if (policy?.startsWith('allkeys-')) {
      return { unfit: `Redis at ${where} would drop accounts when memory runs short: its \`maxmemory-policy\` is ${policy}. Set it to \`noeviction\` or a \`volatile-\` policy, ${accept}.` }
    }
    if (durability === 'replicated' && !/^connected_slaves:[1-9]/m.test(info)) {
      return { alone: `Redis at ${where} has no replica: until it has one, sign-ups and logouts are answered 503 (\`store.durability: replicated\`).` }
    }
  }
  return {}
}

async function serverInfos(connection: Pick<RedisConnection, 'callEach'>, where: string): Promise<string[]> {
  try {
    return (await connection.callEach('INFO')).map(String)
  } catch (error) {
    throw new Error(`Redis at ${where} does not say whether it keeps its data (INFO: ${(error as GatewayError).detail ?? ''}).`, { cause: error })
  }
}
