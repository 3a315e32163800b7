/**
 * Whether Redis lets our user do what the store does (security X10): asked once at start, so that a command that is missing in its
 * ACL is said then, with all the others, and not by the first sign-up that needs it. docs/redis.md has the line to copy.
 */
import type { GatewayError } from '../errors.js'
import type { RedisConnection } from './redis-connection.js'
import type { Durability } from './store.js'

/** Every command, in a form that says which key or channel it is about; the store uses no other. */
const needed = [
  'get K', 'set K v', 'mget K', 'del K', 'exists K', 'pexpire K 1', 'pttl K',
  'hget K f', 'hmget K f', 'hset K f v', 'hsetnx K f v', 'hdel K f',
  'zadd K 1 m', 'zrem K m', 'zrange K 0 -1', 'zcount K 0 1', 'zscore K m', 'zremrangebyscore K 0 1',
  'eval s 0', 'evalsha s 0', 'time', 'info', 'ping', 'client id', 'client tracking on', 'subscribe __redis__:invalidate',
]

/** What durability `replicated` needs besides. */
const neededForReplicas = ['wait 1 200']

/** Asks Redis about each of a list of commands; it runs none of them and notes no refusal in its `ACL LOG`. */
const ask = `
  local refused = {}
  for at, command in ipairs(cjson.decode(ARGV[1])) do
    if not redis.acl_check_cmd(unpack(command)) then refused[#refused + 1] = at end
  end
  return refused
`

/** Throws an `Error` for the operator that says which commands are missing and how to grant them. */
export async function requirePermissions(
  connection: Pick<RedisConnection, 'callEach'>,
  { where, keyPrefix, username = 'default', durability }: {
    readonly where: string, readonly keyPrefix: string, readonly username?: string | undefined, readonly durability: Durability,
  },
): Promise<void> {
  const commands = [...needed, ...durability === 'replicated' ? neededForReplicas : []].map(command => command.replace(' K', ` ${keyPrefix}K`))
  const refused = [...new Set((await refusals(connection, commands)).map(command => /^(\S+(?: id| tracking)?)/.exec(command)?.[1] ?? command))]
  if (refused.length === 0) return

  const rules = [`~${keyPrefix}*`, '&__redis__:invalidate', ...refused.map(command => `+${command.replace(' ', '|')}`)].join(' ')
  throw new Error(`Redis at ${where} does not let its user ${username} run ${refused.map(command => `\`${command}\``).join(', ')}`
    + ` on the keys of the gateway. Grant it (\`ACL SETUSER ${username} ${rules}\`, then \`ACL SAVE\`), or take the whole line from docs/redis.md.`)
}

/** Of the commands, those that any of the servers refuses. */
async function refusals(connection: Pick<RedisConnection, 'callEach'>, commands: readonly string[]): Promise<string[]> {
  try {
    const answers = await connection.callEach('EVAL', ask, 0, JSON.stringify(commands.map(command => command.split(' '))))
    return answers.flatMap(answer => Array.isArray(answer) ? answer.map(at => commands[Number(at) - 1] as string) : [])
  } catch (error) {
    const { detail = '' } = error as GatewayError
    if (detail.includes('NOPERM')) return ['eval']
    // It is too old to be asked, which the examination says, or away.
    return []
  }
}
