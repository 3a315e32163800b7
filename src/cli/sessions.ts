/** `oathgate sessions`: who is logged in, and the end of it, through the admin API. */
import { askAdmin, type AdminEndpoint } from './admin-client.js'
import { adminEndpoint, adminOptions, noMore, readOptions } from './options.js'
import { formatOptions, jsonText, readFormat, tableText, type Format } from './table.js'
import { UsageError } from './usage-error.js'

interface SessionDocument {
  readonly id: string
  readonly active: boolean
  readonly authenticated_at: string
  readonly expires_at: string
  readonly last_seen_at: string
}

/** People are named by the id of their identity, or by what they log in with. */
export async function sessions(args: readonly string[]): Promise<number> {
  const { values, positionals: [verb, ...rest] } = readOptions(args, { ...adminOptions, ...formatOptions, identity: { type: 'string', short: 'i' } })
  const endpoint = adminEndpoint(values)
  if (verb === 'list') {
    noMore(rest.slice(values.identity === undefined ? 1 : 0))
    return list(endpoint, values.identity ?? rest[0], readFormat(values))
  }
  if (verb === 'revoke') return revoke(endpoint, values.identity, rest)
  throw new UsageError('sessions needs "list" or "revoke"')
}

async function list(endpoint: AdminEndpoint, person: string | undefined, format: Format): Promise<number> {
  if (person === undefined) throw new UsageError('sessions list needs an identity: its id, or what the person logs in with')
  const found = await askAdmin(endpoint, 'GET', `/identities/${await identityId(endpoint, person)}/sessions`) as SessionDocument[]
  if (format === 'json') process.stdout.write(jsonText(found))
  else {
    process.stdout.write(tableText(['id', 'active', 'logged in', 'last seen', 'expires'], found.map(session => (
      [session.id, session.active ? 'yes' : 'no', session.authenticated_at, session.last_seen_at, session.expires_at]
    ))))
  }
  return 0
}

async function revoke(endpoint: AdminEndpoint, person: string | undefined, ids: readonly string[]): Promise<number> {
  if ((person === undefined) === (ids.length === 0)) throw new UsageError('sessions revoke needs the ids of sessions, or --identity for all of a person')
  if (person !== undefined) {
    const id = await identityId(endpoint, person)
    await askAdmin(endpoint, 'DELETE', `/identities/${id}/sessions`)
    process.stdout.write(`revoked all sessions of ${id}\n`)
  }
  for (const id of ids) {
    await askAdmin(endpoint, 'DELETE', `/sessions/${encodeURIComponent(id)}`)
    process.stdout.write(`revoked ${id}\n`)
  }
  return 0
}

async function identityId(endpoint: AdminEndpoint, person: string): Promise<string> {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(person)) return person
  const [found] = await askAdmin(endpoint, 'GET', `/identities?${new URLSearchParams({ credentials_identifier: person })}`) as { id: string }[]
  if (found === undefined) throw new Error(`nobody logs in with ${JSON.stringify(person)}`)
  return found.id
}
