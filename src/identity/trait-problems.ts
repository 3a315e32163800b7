/** What a schema validator says, as problems with the fields of a form (contract 3.5). */
import type { ErrorObject } from 'ajv'

import type { JsonValue, Problem } from '../store/records.js'
import { fieldName } from './traits.js'

/** Most problems of one form. */
const problemLimit = 50

/** One problem per thing to mend, on the field it belongs to; what concerns the traits as a whole has no field. */
export function traitProblems(errors: readonly ErrorObject[]): Problem[] {
  const problems = new Map<string, Problem>()
  for (const error of errors) {
    if (problems.size === problemLimit) break
    const problem = traitProblem(error)
    if (problem !== undefined) problems.set(JSON.stringify(problem), problem)
  }
  return [...problems.values()]
}

/** The JSON Schema type of a value, as messages call it: a whole number is an `integer`. */
export function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return Number.isInteger(value) ? 'integer' : typeof value
}

type Params = Readonly<Record<string, JsonValue>>

/** Problem codes by keyword, each with what its sentence needs of ajv's own parameters. */
const codes: { readonly [keyword: string]: readonly [code: string, params: (error: ErrorObject) => Params] } = {
  type: ['type', ({ params, data }) => ({ expected: params['type'] as JsonValue, given: typeOf(data) })],
  minLength: ['min_length', ({ params }) => ({ min: params['limit'] as number })],
  maxLength: ['max_length', ({ params }) => ({ max: params['limit'] as number })],
  format: ['format', ({ params }) => ({ format: params['format'] as string })],
  pattern: ['pattern', ({ params }) => ({ pattern: params['pattern'] as string })],
  minimum: ['minimum', ({ params }) => ({ min: params['limit'] as number })],
  exclusiveMinimum: ['exclusive_minimum', ({ params }) => ({ min: params['limit'] as number })],
  maximum: ['maximum', ({ params }) => ({ max: params['limit'] as number })],
  exclusiveMaximum: ['exclusive_maximum', ({ params }) => ({ max: params['limit'] as number })],
  multipleOf: ['multiple_of', ({ params }) => ({ multiple: params['multipleOf'] as number })],
  enum: ['enum', ({ params }) => ({ allowed: params['allowedValues'] as JsonValue })],
  const: ['const', ({ params }) => ({ allowed: params['allowedValue'] as JsonValue })],
  uniqueItems: ['unique_items', ({ params }) => twoIndexes(params['i'] as number, params['j'] as number)],
  minItems: ['min_items', ({ params }) => ({ min: params['limit'] as number })],
  maxItems: ['max_items', ({ params }) => ({ max: params['limit'] as number })],
  minProperties: ['min_properties', ({ params }) => ({ min: params['limit'] as number })],
  maxProperties: ['max_properties', ({ params }) => ({ max: params['limit'] as number })],
  additionalProperties: ['additional_property', ({ params }) => ({ property: quoted(params['additionalProperty']) })],
  unevaluatedProperties: ['additional_property', ({ params }) => ({ property: quoted(params['unevaluatedProperty']) })],
  propertyNames: ['property_name', ({ params }) => ({ property: quoted(params['propertyName']) })],
  additionalItems: ['additional_items', () => ({})],
  unevaluatedItems: ['additional_items', () => ({})],
  items: ['additional_items', () => ({})],
  contains: ['contains', () => ({})],
  dependencies: ['dependency', ({ params }) => ({ dependency: params['missingProperty'] as string })],
  dependentRequired: ['dependency', ({ params }) => ({ dependency: params['missingProperty'] as string })],
  anyOf: ['any_of', () => ({})],
  oneOf: ['one_of', () => ({})],
  not: ['not', () => ({})],
  'false schema': ['not_allowed', () => ({})],
}

/** A name that a stranger made up, as far as anybody wants to read it. */
function quoted(name: unknown): string {
  return String(name).slice(0, 100)
}

/** ajv gives the later one first, or second, depending on what is in the list. */
function twoIndexes(i: number, j: number): Params {
  return { first: Math.min(i, j), second: Math.max(i, j) }
}

function traitProblem(error: ErrorObject): Problem | undefined {
  const path = error.instancePath.split('/').slice(1).map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  if (error.keyword === 'required') {
    const property = error.params['missingProperty'] as string
    return { code: 'required', field: fieldName([...path, property]), params: { property } }
  }
  // Said already by the branch that did not match, or about to be said by the keyword that looked at the name.
  if (error.keyword === 'if' || (error.propertyName !== undefined && error.keyword !== 'propertyNames')) return undefined

  const [code, params] = codes[error.keyword] ?? ['invalid', () => ({})]
  const property = path.at(-1)
  if (property === undefined) return { code, params: params(error) }
  return { code, field: fieldName(path), params: { property, ...params(error) } }
}
