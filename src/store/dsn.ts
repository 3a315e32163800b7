/** Reads `dsn`: which store, where, and as whom. What it says when it can't never contains the password. */

/** A durable store inside this process. */
export interface EmbeddedAddress {
  readonly kind: 'embedded'
  /** A directory, as written: absolute or relative to the working directory. */
  readonly path: string
}

export interface HostAndPort {
  readonly host: string
  readonly port: number
}

/** One Redis, one that Sentinels know, or a Cluster. */
export interface RedisAddress {
  readonly kind: 'redis'
  readonly topology: 'single' | 'sentinel' | 'cluster'
  readonly tls: boolean
  /** The server, the Sentinels, or some nodes of the cluster. */
  readonly hosts: readonly HostAndPort[]
  /** What Sentinel calls the master; set for `sentinel` alone. */
  readonly name?: string
  readonly username?: string
  readonly password?: string
  /** The Sentinels' own credentials: `?sentinel_username=` and `?sentinel_password=`. */
  readonly sentinelUsername?: string
  readonly sentinelPassword?: string
  readonly db: number
}

/** The address that a dsn names. Throws an `Error` that says what is wrong with it, without repeating credentials. */
export function parseDsn(dsn: string): EmbeddedAddress | RedisAddress {
  const [, scheme, rest] = /^([a-z+]+):\/\/(.*)$/s.exec(dsn) ?? []
  if (scheme === undefined || rest === undefined) throw unusable('it has no scheme')
  if (scheme === 'embedded') return parseEmbedded(rest)

  const [, protocol, topology = 'single'] = /^(rediss?)(?:\+(sentinel|cluster))?$/.exec(scheme) ?? []
  if (protocol === undefined) throw unusable(`nothing is known about the scheme \`${scheme}://\``)
  return parseRedis(rest, protocol === 'rediss', topology as RedisAddress['topology'])
}

/** The address without credentials, for people. */
export function describeAddress({ hosts, name }: RedisAddress): string {
  return hosts.map(({ host, port }) => `${host}:${port}`).join(',') + (name === undefined ? '' : ` (${name})`)
}

function parseEmbedded(path: string): EmbeddedAddress {
  if (!/^(\/|\.\.?(\/|$))/.test(path)) throw unusable('a path starts with `/` or `./`, as in `embedded:///var/lib/oathgate` or `embedded://./data`')
  if (path.includes('\0')) throw unusable('its path contains a zero byte')
  return { kind: 'embedded', path }
}

function parseRedis(rest: string, tls: boolean, topology: RedisAddress['topology']): RedisAddress {
  const [location = '', query = ''] = rest.split(/\?(.*)/s)
  const at = location.lastIndexOf('@')
  const [authority = '', path = ''] = location.slice(at + 1).split(/\/(.*)/s)
  const options = new URLSearchParams(query)
  const unknown = [...options.keys()].find(key => !['db', 'sentinel_username', 'sentinel_password'].includes(key))
  if (unknown !== undefined) throw unusable('it has an option after `?` that is not `db`, `sentinel_username` or `sentinel_password`')

  const hosts = authority.split(',').map(text => parseHost(text, topology === 'sentinel' ? 26379 : 6379))
  const db = parseDb(topology === 'single' && path !== '' ? path : options.get('db') ?? '0')
  if (topology === 'single' && hosts.length > 1) throw unusable('it names several hosts, which only `redis+sentinel://` and `redis+cluster://` have')
  if (topology === 'sentinel' && path === '') throw unusable('the master\'s name is missing, as in `redis+sentinel://host:26379/mymaster`')
  if (topology === 'cluster' && (path !== '' || db !== 0)) throw unusable('a Redis Cluster has no databases to choose from')

  return {
    kind: 'redis', topology, tls, hosts, db,
    ...topology === 'sentinel' && { name: decode(path) },
    ...at !== -1 && parseCredentials(location.slice(0, at)),
    ...options.has('sentinel_username') && { sentinelUsername: options.get('sentinel_username') as string },
    ...options.has('sentinel_password') && { sentinelPassword: options.get('sentinel_password') as string },
  }
}

function parseCredentials(text: string): { username?: string, password: string } {
  const [username = '', password = ''] = text.split(/:(.*)/s).map(decode)
  if (password === '') throw unusable('credentials read `user:password@` or `:password@`')
  return { password, ...username !== '' && { username } }
}

function parseHost(text: string, defaultPort: number): HostAndPort {
  const [, bracketed, bare, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?$/.exec(text) ?? []
  const host = bracketed ?? bare
  const port = digits === undefined ? defaultPort : Number(digits)
  if (host === undefined || port < 1 || port > 65535) throw unusable('each of its hosts must read `host` or `host:port`, and credentials must be percent-encoded')
  return { host, port }
}

function parseDb(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text)) throw unusable('the database must be a number, as in `redis://host:6379/0`')
  return Number(text)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw unusable('its percent-encoding is broken')
  }
}

function unusable(why: string): Error {
  return new Error(`dsn can not be used: ${why}.`)
}
