/** Finding one's way through a JSON Schema document: every schema in it, and what its references mean. */
import type { JsonObject, JsonValue } from '../store/records.js'
import type { JsonPath } from './json-source.js'

/** A schema inside a schema document. */
export interface SchemaNode {
  readonly schema: JsonObject
  readonly path: JsonPath
}

const singleSchemas = [
  'additionalItems', 'additionalProperties', 'contains', 'contentSchema', 'else', 'if', 'items', 'not', 'propertyNames', 'then',
  'unevaluatedItems', 'unevaluatedProperties',
]
const listsOfSchemas = ['allOf', 'anyOf', 'items', 'oneOf', 'prefixItems']
const mapsOfSchemas = ['$defs', 'definitions', 'dependencies', 'dependentSchemas', 'patternProperties', 'properties']

/** The schema and every schema inside it; `true` and `false` are not listed, they say nothing. */
export function* everySchema(node: SchemaNode): Generator<SchemaNode> {
  yield node
  for (const [keyword, value] of Object.entries(node.schema)) {
    if (singleSchemas.includes(keyword)) yield* schemasAt(value, [...node.path, keyword])
    if (listsOfSchemas.includes(keyword) && Array.isArray(value)) {
      for (const [index, item] of value.entries()) yield* schemasAt(item, [...node.path, keyword, index])
    }
    if (mapsOfSchemas.includes(keyword) && isObject(value)) {
      for (const [name, member] of Object.entries(value)) yield* schemasAt(member, [...node.path, keyword, name])
    }
  }
}

function* schemasAt(value: JsonValue, path: JsonPath): Generator<SchemaNode> {
  if (isObject(value)) yield* everySchema({ schema: value, path })
}

/** What a `$ref` of the document points to: a JSON pointer or an anchor in the same document; `undefined` for all else. */
export function resolveReference(root: JsonObject, reference: string): SchemaNode | undefined {
  const fragment = fragmentOf(root, reference)
  if (fragment === undefined) return undefined
  if (fragment === '') return { schema: root, path: [] }
  if (!fragment.startsWith('/')) return findAnchor(root, fragment)

  const path = fragment.slice(1).split('/').map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  let value: JsonValue | undefined = root
  for (const key of path) {
    value = typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as JsonObject)[key] : undefined
  }
  return isObject(value) ? { schema: value, path } : undefined
}

/** A path as the key of a map. */
export function pathKey(path: JsonPath): string {
  return JSON.stringify(path.map(String))
}

/** Whether a JSON value is an object, and not a list. */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function fragmentOf({ $id }: JsonObject, reference: string): string | undefined {
  const [document, fragment = ''] = reference.split('#', 2)
  if (document !== '' && document !== String($id).replace(/#$/, '')) return undefined
  try {
    return decodeURIComponent(fragment)
  } catch {
    return undefined
  }
}

function findAnchor(root: JsonObject, anchor: string): SchemaNode | undefined {
  for (const node of everySchema({ schema: root, path: [] })) {
    // Before 2019-09 an anchor was written as an $id.
    if (node.schema['$anchor'] === anchor || node.schema['$id'] === `#${anchor}`) return node
  }
  return undefined
}
