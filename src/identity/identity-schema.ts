/** Identity schemas: loaded and compiled once, at start; they say which traits people have and what they log in with. */
import type { ErrorObject } from 'ajv'

import type { JsonObject, JsonValue, Problem } from '../store/records.js'
import { schemaField } from './form-field.js'
import { parseJsonSource, type JsonSource } from './json-source.js'
import { checkSchema, type Finding } from './schema-check.js'
import { readSchemaTraits } from './schema-fields.js'
import { readSchemaSource } from './schema-source.js'
import { dialectOf, type Dialect, type ListErrors } from './schema-validator.js'
import { isObject } from './schema-walk.js'
import { decodeTraitForm, type DecodedTraits } from './trait-form.js'
import { createTraitValidation } from './trait-validation.js'

/** A form field that a trait is entered in. */
export interface SchemaField {
  /** `traits.name.first`. */
  readonly name: string
  /** An HTML input type. */
  readonly type: string
  readonly pattern?: string | undefined
  /** Whether no identity can be without it; never for a checkbox, which HTML would then want ticked. */
  readonly required: boolean
  readonly title?: string | undefined
}

/** The traits of one kind of identity. */
export interface IdentitySchema {
  readonly id: string
  /** As it was loaded, byte for byte. */
  readonly document: Buffer
  /** In the textual order of the document. */
  readonly fields: readonly SchemaField[]
  /** Types the fields of an urlencoded form; see `decodeTraitForm`. */
  decodeForm(pairs: Iterable<readonly [name: string, value: string]>): DecodedTraits
  /** What is wrong with traits; empty when they may be stored. Throws `bad_request` for what is no traits at all (security D10, J1). */
  validate(traits: JsonValue): Problem[]
  /** What an identity with these (valid) traits logs in with: canonical, each once, in the order of the schema. */
  identifiers(traits: JsonObject): string[]
}

export interface IdentitySchemas {
  /** `default` is the one that registration uses. */
  get(id: string): IdentitySchema | undefined
  /** What the schemas probably did not mean to say, each with its place. */
  readonly warnings: readonly string[]
}

export interface IdentitySchemaOptions {
  /** `identity.traits.default_schema_url`. */
  readonly defaultUrl: string
  /** `identity.traits.schemas`. */
  readonly schemas: readonly { readonly id: string, readonly url: string }[]
  /** What `file://` URLs are relative to: the directory of the config file. */
  readonly baseDir: string
}

/**
 * Loads all schemas. Rejects with one error that names every mistake, as `source:line:column` where there is a place: a
 * schema that can not be used stops the start, while the predecessor found out at each request (contract RP7, SC4).
 */
export async function loadIdentitySchemas({ defaultUrl, schemas, baseDir }: IdentitySchemaOptions): Promise<IdentitySchemas> {
  const entries = [{ id: 'default', url: defaultUrl }, ...schemas]
  const loaded = await Promise.allSettled(entries.map(({ id, url }) => loadIdentitySchema(id, url, baseDir)))
  const repeated = entries.filter(({ id }, index) => entries.findIndex(entry => entry.id === id) !== index)
  const mistakes = [
    ...loaded.flatMap(result => result.status === 'rejected' ? [(result.reason as Error).message] : []),
    ...repeated.map(({ id }) => `there are two identity schemas with the id ${JSON.stringify(id)}`),
  ]
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'))

  const found = loaded.flatMap(result => result.status === 'fulfilled' ? [result.value] : [])
  const byId = new Map(found.map(({ schema }) => [schema.id, schema]))
  return { get: id => byId.get(id), warnings: found.flatMap(({ warnings }) => warnings) }
}

interface LoadedSchema {
  readonly schema: IdentitySchema
  readonly warnings: readonly string[]
}

async function loadIdentitySchema(id: string, url: string, baseDir: string): Promise<LoadedSchema> {
  const { name, bytes } = await readSchemaSource(url, baseDir)
  const source = parse(name, bytes)
  const at = ({ path, message }: Finding): string => `${name}:${source.positionOf(path)}: ${message}`
  const root = source.value
  if (!isObject(root)) throw new Error(at({ path: [], message: 'an identity schema is a JSON object' }))
  const dialect = dialectOf(root)
  if (dialect === undefined) throw new Error(at({ path: ['$schema'], message: '"$schema" is not draft-06, draft-07, 2019-09 or 2020-12' }))

  refuse(metaMistakes(dialect.metaErrors(root)), at)
  const findings = checkSchema(root, dialect.isKeyword)
  refuse(findings.mistakes, at)
  const described = readSchemaTraits(root, source)
  refuse(described.mistakes, at)
  const listErrors = compile(dialect, root, name)

  const { traits, identifiers } = described
  const schema: IdentitySchema = {
    id,
    document: bytes,
    fields: traits.filter(({ listed }) => listed).map(schemaField),
    decodeForm: pairs => decodeTraitForm(traits, pairs),
    ...createTraitValidation(traits, identifiers, listErrors),
  }
  const nobody: Finding = { path: [], message: 'no trait is an identifier, so nobody can register with a password' }
  const warnings = [...findings.warnings, ...described.warnings, ...identifiers.length === 0 ? [nobody] : []]
  return { schema, warnings: warnings.map(at) }
}

function parse(name: string, bytes: Buffer): JsonSource {
  try {
    return parseJsonSource(bytes)
  } catch (error) {
    throw new Error(`${name}:${(error as Error).message}`, { cause: error })
  }
}

function compile(dialect: Dialect, root: JsonObject, name: string): ListErrors {
  try {
    return dialect.compile(root)
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error })
  }
}

function refuse(mistakes: readonly Finding[], at: (finding: Finding) => string): void {
  if (mistakes.length > 0) throw new Error(mistakes.map(at).join('\n'))
}

/** The first thing that the meta-schema has against each place; the rest follows from it. */
function metaMistakes(errors: readonly ErrorObject[]): Finding[] {
  const findings = new Map<string, Finding>()
  for (const { instancePath, message = 'is invalid' } of errors) {
    const path = instancePath.split('/').slice(1).map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    if (!findings.has(instancePath)) findings.set(instancePath, { path, message: `"${path.at(-1) ?? 'schema'}" ${message}` })
  }
  return [...findings.values()]
}
