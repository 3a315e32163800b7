/** Holds data against a JSON Schema, and says what is wrong with it in sentences. */
import { Ajv, type DefinedError, type ValidateFunction } from 'ajv'

import { nearest } from '../config/nearest.js'
import type { Path } from './rule-source.js'

export interface SchemaMistake {
  /** Of the value that it is about; of the key itself when the key is unknown. */
  readonly path: Path
  readonly message: string
}

const ajv = new Ajv({
  allErrors: true, useDefaults: true, strict: true, allowUnionTypes: true, verbose: true, formats: { uri: isUri },
  validateSchema: false, code: { optimize: false }, // as in config/validate.ts
})
const validators = new Map<object, ValidateFunction>()

/** Fills in defaults in place. Empty when the data is as the schema says. Values are never quoted: they may be secrets. */
export function schemaMistakes(schema: object, data: unknown): SchemaMistake[] {
  const validate = validators.get(schema) ?? ajv.compile(schema)
  validators.set(schema, validate)
  return validate(data) ? [] : (validate.errors as DefinedError[]).map(mistakeOf)
}

function mistakeOf(error: DefinedError): SchemaMistake {
  const path = error.instancePath.split('/').slice(1).map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  if (error.keyword === 'additionalProperties') {
    const key = error.params.additionalProperty
    const known = Object.keys((error.parentSchema as { properties?: object }).properties ?? {})
    return { path: [...path, key], message: `${dotted([...path, key])} is not a known key${didYouMean(key, known)}` }
  }
  if (error.keyword === 'required') return { path, message: `${dotted([...path, error.params.missingProperty])} is required` }
  return { path, message: `${dotted(path)} ${sentence(error)}`.trim() }
}

/** `; did you mean "header"?`, or nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const meant = nearest(word, known)
  return meant === undefined ? '' : `; did you mean "${meant}"?`
}

function sentence(error: DefinedError): string {
  if (error.keyword === 'type') return `must be ${articles[String(error.params.type)] ?? String(error.params.type)}`
  if (error.keyword === 'enum') return `must be one of ${(error.params.allowedValues as unknown[]).join(', ')}`
  if (error.keyword === 'format') return `must be a ${error.params.format === 'uri' ? 'URL' : error.params.format}`
  if (error.keyword === 'pattern' && error.params.pattern.includes('(ns|us|ms|s|m|h)')) return 'must be a duration such as 10s or 1m30s'
  if (error.keyword === 'minimum') return `must be at least ${error.params.limit}`
  if (error.keyword === 'minLength') return 'must not be empty'
  return error.message ?? 'is invalid'
}

const articles: Readonly<Record<string, string>> = {
  string: 'a text', array: 'a list', object: 'a map of keys', boolean: 'true or false', integer: 'a whole number', number: 'a number',
}

function dotted(path: Path): string {
  return path.join('.')
}

function isUri(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/./i.test(text) && URL.canParse(text)
}
