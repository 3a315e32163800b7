/** `oathgate identities`: people, through the admin API. */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'

import { askAdmin, type AdminEndpoint } from './admin-client.js'
import { importIdentities, summaryLine, type ImportOptions } from './import-identities.js'
import { adminEndpoint, adminOptions, noMore, readOptions, wholeNumber } from './options.js'
import { formatOptions, jsonText, readFormat, tableText, type Format } from './table.js'
import { UsageError } from './usage-error.js'

interface IdentityDocument {
  readonly id: string
  readonly traits_schema_id: string
  readonly traits: Readonly<Record<string, unknown>>
}

/** Exit code 1 when an import had failures. */
export async function identities(args: readonly string[]): Promise<number> {
  const { values, positionals: [verb, ...rest] } = readOptions(args, {
    ...adminOptions,
    ...formatOptions,
    identifier: { type: 'string' },
    limit: { type: 'string' },
    offset: { type: 'string' },
    concurrency: { type: 'string' },
    'on-conflict': { type: 'string' },
    'dry-run': { type: 'boolean' },
  })
  const endpoint = adminEndpoint(values)
  const format = readFormat(values)
  switch (verb) {
    case 'list':
      noMore(rest)
      return list(endpoint, values, format)
    case 'get': return get(endpoint, rest, values.format === undefined ? 'json' : format)
    case 'create': return create(endpoint, rest)
    case 'import': return importFile(endpoint, importOptions(rest, values), format)
    case 'delete': return remove(endpoint, rest)
    default: throw new UsageError('identities needs "list", "get", "create", "import" or "delete"')
  }
}

async function list(endpoint: AdminEndpoint, options: { identifier?: string, limit?: string, offset?: string }, format: Format): Promise<number> {
  const query = new URLSearchParams(options.identifier === undefined ? {} : { credentials_identifier: options.identifier })
  for (const name of ['limit', 'offset'] as const) {
    const value = wholeNumber(options[name], `--${name}`)
    if (value !== undefined) query.set(name, String(value))
  }
  return print(await askAdmin(endpoint, 'GET', `/identities?${query}`) as IdentityDocument[], format)
}

async function get(endpoint: AdminEndpoint, ids: readonly string[], format: Format): Promise<number> {
  if (ids[0] === undefined || ids.length > 1) throw new UsageError('identities get needs one id')
  const identity = await askAdmin(endpoint, 'GET', `/identities/${encodeURIComponent(ids[0])}`) as IdentityDocument
  return format === 'json' ? printJson(identity) : print([identity], format)
}

async function create(endpoint: AdminEndpoint, files: readonly string[]): Promise<number> {
  noMore(files.slice(1))
  const source = files[0] === undefined || files[0] === '-' ? await text(process.stdin) : await readFile(files[0], 'utf8')
  let document: unknown
  try {
    document = JSON.parse(source)
  } catch {
    // The parser's own message may quote a credential.
    throw new Error(`${files[0] ?? 'standard input'} is not JSON`)
  }
  return printJson(await askAdmin(endpoint, 'POST', '/identities', document))
}

function importOptions(files: readonly string[], values: { concurrency?: string, 'on-conflict'?: string, 'dry-run'?: boolean }): ImportOptions {
  const [file] = files
  if (file === undefined || files.length > 1) throw new UsageError('identities import needs one file, or - for standard input')
  const concurrency = wholeNumber(values.concurrency, '--concurrency') ?? 2
  if (concurrency < 1 || concurrency > 16) throw new UsageError('--concurrency is 1 to 16')
  const onConflict = values['on-conflict'] ?? 'fail'
  if (onConflict !== 'fail' && onConflict !== 'skip') throw new UsageError('--on-conflict is fail or skip')
  return { file, concurrency, onConflict, dryRun: values['dry-run'] ?? false }
}

async function importFile(endpoint: AdminEndpoint, options: ImportOptions, format: Format): Promise<number> {
  const summary = await importIdentities(endpoint, options)
  process.stdout.write(format === 'json' ? jsonText(summary) : `${summaryLine(summary, options.dryRun)}\n`)
  return summary.failed === 0 ? 0 : 1
}

async function remove(endpoint: AdminEndpoint, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) throw new UsageError('identities delete needs the ids to delete')
  for (const id of ids) {
    await askAdmin(endpoint, 'DELETE', `/identities/${encodeURIComponent(id)}`)
    process.stdout.write(`deleted ${id}\n`)
  }
  return 0
}

function print(people: readonly IdentityDocument[], format: Format): number {
  if (format === 'json') return printJson(people)
  process.stdout.write(tableText(['id', 'schema', 'traits'], people.map(({ id, traits_schema_id: schema, traits }) => [id, schema, JSON.stringify(traits)])))
  return 0
}

function printJson(document: unknown): number {
  process.stdout.write(jsonText(document))
  return 0
}
