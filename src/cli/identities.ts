/** `oathgate identities`: people, through the admin API. */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'

import { askAdmin, type AdminEndpoint } from './admin-client.js'
import { adminEndpoint, adminOptions, readOptions } from './options.js'
import { UsageError } from './usage-error.js'

interface IdentityDocument {
  readonly id: string
  readonly traits_schema_id: string
  readonly traits: Readonly<Record<string, unknown>>
}

export async function identities(args: readonly string[]): Promise<number> {
  const { values, positionals: [verb, ...rest] } = readOptions(args, {
    ...adminOptions,
    limit: { type: 'string' },
    offset: { type: 'string' },
    json: { type: 'boolean' },
  })
  const endpoint = adminEndpoint(values)
  switch (verb) {
    case 'list': return list(endpoint, values)
    case 'get': return get(endpoint, rest)
    case 'create': return create(endpoint, rest)
    case 'delete': return remove(endpoint, rest)
    default: throw new UsageError(`identities ${verb ?? ''}: say list, get, create or delete`)
  }
}

async function list(endpoint: AdminEndpoint, options: { limit?: string, offset?: string, json?: boolean }): Promise<number> {
  const query = new URLSearchParams()
  if (options.limit !== undefined) query.set('limit', options.limit)
  if (options.offset !== undefined) query.set('offset', options.offset)
  const people = await askAdmin(endpoint, 'GET', `/identities?${query}`) as IdentityDocument[]
  if (options.json === true) return print(people)

  for (const { id, traits_schema_id: schema, traits } of people) process.stdout.write(`${id}  ${schema}  ${JSON.stringify(traits)}\n`)
  return 0
}

async function get(endpoint: AdminEndpoint, ids: readonly string[]): Promise<number> {
  return print(await askAdmin(endpoint, 'GET', `/identities/${encodeURIComponent(one(ids, 'get'))}`))
}

async function create(endpoint: AdminEndpoint, files: readonly string[]): Promise<number> {
  const source = files[0] === undefined || files[0] === '-' ? await text(process.stdin) : await readFile(files[0], 'utf8')
  let document: unknown
  try {
    document = JSON.parse(source)
  } catch (error) {
    throw new Error(`${files[0] ?? 'standard input'} is not JSON: ${(error as Error).message}`)
  }
  return print(await askAdmin(endpoint, 'POST', '/identities', document))
}

async function remove(endpoint: AdminEndpoint, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) throw new UsageError('identities delete needs the ids to delete')
  for (const id of ids) {
    await askAdmin(endpoint, 'DELETE', `/identities/${encodeURIComponent(id)}`)
    process.stdout.write(`deleted ${id}\n`)
  }
  return 0
}

function one(ids: readonly string[], verb: string): string {
  if (ids[0] === undefined || ids.length > 1) throw new UsageError(`identities ${verb} needs one id`)
  return ids[0]
}

function print(document: unknown): number {
  process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`)
  return 0
}
