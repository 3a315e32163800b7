/** Holds a configuration against its schema: fills in the defaults, and says everything that is wrong with it. */
import { Ajv, type DefinedError } from 'ajv'

import { isCidr, isHttpUrl } from './formats.js'
import { dotted, isMap, pathOf, pointerOf, type Path, type Values } from './layer.js'
import { nearest } from './nearest.js'
import { configSchema } from './schema.js'
import { duration } from './sections/duration.js'
import { domainName, mailAddress } from './sections/public-tls.js'
import { schemaAt, variableOf, type SchemaNode } from './schema-leaves.js'

/** A mistake and the JSON pointer of the value that it is about, which may be missing. */
export interface SchemaProblem {
  readonly pointer: string
  readonly message: string
}

const schema: SchemaNode = configSchema
const ajv = new Ajv({
  allErrors: true, useDefaults: true, strict: true, allowUnionTypes: true, verbose: true,
  formats: { 'http-url': isHttpUrl, cidr: isCidr },
  // Whether our own schemas are schemas is what a test asks; every start would pay for it. Nor is each run often enough to be optimised.
  validateSchema: false, code: { optimize: false },
})
const validate = ajv.compile(configSchema)

/** Fills in defaults in place. Empty when the value is a `Config` afterwards. */
export function validateConfig(value: Values): SchemaProblem[] {
  addSections(value, schema)
  if (validate(value)) return []
  return (validate.errors as DefinedError[]).flatMap(problemsOf)
}

/** Makes the required sections that nobody mentioned, so that what is required in them is missed one by one. */
function addSections(value: Values, node: SchemaNode): void {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    if (child.properties === undefined || !node.required?.includes(key)) continue
    if (!Object.hasOwn(value, key)) value[key] = {}
    if (isMap(value[key])) addSections(value[key], child)
  }
}

function problemsOf(error: DefinedError): SchemaProblem[] {
  const path = pathOf(error.instancePath)
  if (error.keyword === 'required') return missing([...path, error.params.missingProperty])
  if (error.keyword === 'additionalProperties') {
    const key = error.params.additionalProperty
    return [{ pointer: pointerOf([...path, key]), message: `is not a known key${didYouMean(key, path)}` }]
  }
  return [{ pointer: error.instancePath, message: sentence(error) }]
}

function missing(path: Path): SchemaProblem[] {
  const inList = path.some(key => /^[0-9]+$/.test(key))
  return [{ pointer: pointerOf(path), message: `is required${inList ? '' : `; it can also come from ${variableOf(path)}`}` }]
}

function didYouMean(key: string, around: Path): string {
  const neighbour = nearest(key, Object.keys(schemaAt(schema, around)?.properties ?? {}))
  if (neighbour !== undefined) return `; did you mean ${neighbour}?`

  const elsewhere = pathsNamed(key, schema)
  return elsewhere.length === 1 ? `; did you mean ${dotted(elsewhere[0] as Path)}?` : ''
}

function pathsNamed(key: string, node: SchemaNode, path: Path = []): Path[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) =>
    [...(name === key ? [[...path, name]] : []), ...pathsNamed(key, child, [...path, name])])
}

function sentence(error: DefinedError): string {
  if (error.keyword === 'type') return mustBe(String(error.params.type), error.data)
  if (error.keyword === 'enum') {
    const allowed = error.params.allowedValues as string[]
    const meant = typeof error.data === 'string' ? nearest(error.data, allowed) : undefined
    return `must be one of ${allowed.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`
  }
  if (error.keyword === 'format') return formats[error.params.format] ?? `must be a ${error.params.format}`
  if (error.keyword === 'pattern') return patterns[error.params.pattern] ?? `must match ${error.params.pattern}`
  if (error.keyword === 'minLength' && error.params.limit === 1) return 'must not be empty'
  if (error.keyword === 'minLength') return `must have at least ${error.params.limit} characters`
  if (error.keyword === 'minItems') return `must have at least ${error.params.limit} item${error.params.limit === 1 ? '' : 's'}`
  if (error.keyword === 'minimum') return `must be at least ${error.params.limit}`
  if (error.keyword === 'maximum') return `must be at most ${error.params.limit}`
  if (error.keyword === 'uniqueItems') return `has the same item twice: [${error.params.j}] and [${error.params.i}]`
  if (error.keyword === 'not') return 'must not have this value, which is taken'
  return error.message ?? 'is not valid'
}

const formats: Readonly<Record<string, string>> = {
  'http-url': 'must be an absolute http:// or https:// URL without credentials',
  cidr: 'must be a CIDR such as 10.0.0.0/8; a single address is 192.0.2.1/32',
}

const patterns: Readonly<Record<string, string>> = {
  [duration.pattern]: 'must be a duration such as 720h, 10m or 1.5s',
  '^auto$': 'must be a whole number or auto',
  [domainName]: 'must be a lower-case host name such as www.example.org; there are no wildcards by HTTP-01',
  [mailAddress]: 'must be a mail address',
}

function mustBe(type: string, data: unknown): string {
  if (data === null) return `is empty; it must be ${kinds[type]}`
  if (type === 'integer' && typeof data === 'number') return 'must be a whole number'
  const quotes = type === 'string' && typeof data !== 'object' ? '; put it in quotes' : ''
  return `must be ${kinds[type]}, not ${kinds[Array.isArray(data) ? 'array' : typeof data]}${quotes}`
}

const kinds: Readonly<Record<string, string>> = {
  object: 'a map', array: 'a list', string: 'a text', integer: 'a whole number', number: 'a number',
  boolean: 'a boolean (true or false)', 'integer,string': 'a whole number or a text',
}
