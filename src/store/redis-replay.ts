/**
 * Whether Redis would read its own append-only file back (promise L3): it does so with the rights of its user `default`, and passes
 * over every transaction that this user may not run, which is most of what the store writes, with no more than a line in its own
 * log. So a default user who is turned off has to keep the rights (redis/redis#14541, valkey-io/valkey#3983).
 */
import type { GatewayError } from '../errors.js'
import type { RedisConnection } from './redis-connection.js'
import type { Durability } from './store.js'

/** What stands in the append-only file as part of transactions, in a form that says which key it is about. */
const replayed = [
  'set K v', 'del K', 'unlink K', 'pexpireat K 1', 'hset K f v', 'hsetnx K f v', 'hdel K f', 'zadd K 1 m', 'zrem K m', 'zremrangebyscore K 0 1',
]

/**
 * Throws an `Error` for the operator when Redis would not read all of it back; warns when it can't be asked. Who comes as `default`
 * has shown the rights already.
 */
export async function requireReplay(
  connection: Pick<RedisConnection, 'callEach'>,
  { where, keyPrefix, username = 'default', durability, warn }: {
    readonly where: string, readonly keyPrefix: string, readonly username?: string | undefined, readonly durability: Durability
    readonly warn: (message: string) => void
  },
): Promise<void> {
  if (username === 'default' || durability === 'none') return

  const refused: string[] = []
  for (const command of replayed) {
    const [name = '', ...args] = command.replace(' K', ` ${keyPrefix}K`).split(' ')
    try {
      const answers = await connection.callEach('ACL', 'DRYRUN', 'default', name, ...args)
      if (answers.some(answer => answer !== 'OK')) refused.push(`\`${name}\``)
    } catch (error) {
      warn(`Redis at ${where} can not be asked whether it would read its append-only file back (${(error as GatewayError).detail ?? ''}): it loses accounts`
        + ` when its default user is off and has no rights. Let it be asked (\`ACL SETUSER ${username} +acl|dryrun\`, then \`ACL SAVE\`); docs/redis.md says more.`)
      return
    }
  }
  if (refused.length === 0) return

  throw new Error(`Redis at ${where} would lose accounts when it stops: it reads its append-only file back as its default user, who may not run ${refused.join(', ')}.`
    + ' Give that user the rights, turned off or not (`ACL SETUSER default ~* &* +@all`, then `ACL SAVE`), or say `store.durability: none` to accept that.')
}
