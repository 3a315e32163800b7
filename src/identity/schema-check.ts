/** What an identity schema must not say, and what it probably did not mean to say; found when it is loaded. */
import { fullFormats } from 'ajv-formats/dist/formats.js'

import type { JsonPath } from './json-source.js'
import { compileLinearPattern } from './linear-pattern.js'
import { keywordMistake, kratosKeyword } from './schema-keyword.js'
import { everySchema, isObject, resolveReference, type SchemaNode } from './schema-walk.js'
import { isForbiddenName } from './traits.js'
import type { JsonObject } from '../store/records.js'

/** Something to tell the schema's author. */
export interface Finding {
  readonly path: JsonPath
  readonly message: string
}

export interface SchemaFindings {
  /** The schema can not be used. */
  readonly mistakes: readonly Finding[]
  readonly warnings: readonly Finding[]
}

/** Checks what JSON Schema itself leaves open; the document conforms to its meta-schema already. */
export function checkSchema(root: JsonObject, isKeyword: (name: string) => boolean): SchemaFindings {
  const nodes = [...everySchema({ schema: root, path: [] })]
  return {
    mistakes: nodes.flatMap(node => [
      ...referenceMistakes(node, root), ...patternMistakes(node), ...nameMistakes(node), ...keywordMistakes(node),
    ]),
    warnings: nodes.flatMap(node => [...openObjects(node), ...unknownFormats(node), ...idleKeywords(node, isKeyword)]),
  }
}

function* referenceMistakes({ schema, path }: SchemaNode, root: JsonObject): Generator<Finding> {
  const { $ref, $id } = schema
  if (typeof $ref === 'string' && resolveReference(root, $ref) === undefined) {
    // Nothing is ever fetched for a schema (security J5).
    yield { path: [...path, '$ref'], message: `"$ref": ${JSON.stringify($ref)} is not a schema in this document` }
  }
  if (typeof $id === 'string' && path.length > 0 && !$id.startsWith('#')) {
    yield { path: [...path, '$id'], message: '"$id" is only supported at the top of the document' }
  }
  for (const keyword of ['$dynamicRef', '$recursiveRef', '$async']) {
    if (Object.hasOwn(schema, keyword)) yield { path: [...path, keyword], message: `"${keyword}" is not supported` }
  }
}

function* patternMistakes({ schema, path }: SchemaNode): Generator<Finding> {
  const { pattern, patternProperties } = schema
  if (typeof pattern === 'string') yield* patternMistake(pattern, [...path, 'pattern'])
  for (const key of isObject(patternProperties) ? Object.keys(patternProperties) : []) {
    yield* patternMistake(key, [...path, 'patternProperties', key])
  }
}

function* patternMistake(pattern: string, path: JsonPath): Generator<Finding> {
  try {
    compileLinearPattern(pattern)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    yield { path, message: `the pattern can not be evaluated in linear time: ${reason}` }
  }
}

function* nameMistakes({ schema: { properties }, path }: SchemaNode): Generator<Finding> {
  for (const name of isObject(properties) ? Object.keys(properties) : []) {
    if (isForbiddenName(name)) yield { path: [...path, 'properties', name], message: `a trait can not be called "${name}"` }
    if (name === '') yield { path: [...path, 'properties', name], message: 'a trait must have a name' }
  }
}

function* keywordMistakes({ schema, path }: SchemaNode): Generator<Finding> {
  const keyword = schema[kratosKeyword]
  if (keyword === undefined) return
  const mistake = keywordMistake(keyword)
  if (mistake !== undefined) yield { path: [...path, kratosKeyword, ...mistake.path], message: mistake.message }
}

/** Objects that let a client store whatever it likes (security J2). Branches of `allOf` and the like must stay open. */
function* openObjects({ schema, path }: SchemaNode): Generator<Finding> {
  const isBranch = ['allOf', 'anyOf', 'oneOf'].includes(String(path.at(-2))) || ['if', 'then', 'else', 'not'].includes(String(path.at(-1)))
  if (!isObject(schema['properties']) || isBranch) return
  if (schema['additionalProperties'] === false || schema['unevaluatedProperties'] === false) return
  yield { path, message: 'without "additionalProperties": false, traits that the schema does not name are stored too' }
}

function* unknownFormats({ schema: { format }, path }: SchemaNode): Generator<Finding> {
  if (typeof format !== 'string' || Object.hasOwn(fullFormats, format)) return
  yield { path: [...path, 'format'], message: `the format "${format}" is not known and never checked` }
}

/** An unknown keyword is an annotation to JSON Schema, and mostly a typing mistake to people. */
function* idleKeywords({ schema, path }: SchemaNode, isKeyword: (name: string) => boolean): Generator<Finding> {
  for (const name of Object.keys(schema)) {
    if (name !== kratosKeyword && !isKeyword(name)) yield { path: [...path, name], message: `"${name}" is not a keyword and has no effect` }
  }
  const keyword = schema[kratosKeyword]
  if (isObject(keyword) && Object.hasOwn(keyword, 'verification')) {
    yield { path: [...path, kratosKeyword, 'verification'], message: 'verification is accepted and has no effect' }
  }
}
