/** The settings that a schema has, one by one: what the environment can set and what the reference lists. */
import type { Path } from './layer.js'

/** As much of JSON Schema as the declaration uses. */
export interface SchemaNode {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly items?: SchemaNode
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | SchemaNode
  readonly format?: string
  readonly pattern?: string
  readonly minLength?: number
  readonly minItems?: number
  readonly minimum?: number
  readonly maximum?: number
}

export interface Leaf {
  readonly path: Path
  readonly schema: SchemaNode
  readonly required: boolean
}

/** Everything below which the schema names no further keys: texts, numbers, lists and free-form maps. */
export function leavesOf(schema: SchemaNode, path: Path = [], required = false): Leaf[] {
  if (schema.properties === undefined) return [{ path, schema, required }]
  return Object.entries(schema.properties).flatMap(([key, child]) =>
    leavesOf(child, [...path, key], schema.required?.includes(key) ?? false))
}

/** The schema of what stands at a path; `undefined` when no key of that name is known. Items of lists are digits or `*`. */
export function schemaAt(schema: SchemaNode, path: Path): SchemaNode | undefined {
  return path.reduce<SchemaNode | undefined>((at, key) =>
    at?.items !== undefined && /^([0-9]+|\*)$/.test(key) ? at.items : at?.properties?.[key], schema)
}

/** `urls.registration_ui` is `URLS_REGISTRATION_UI` in the environment (contract 7). */
export function variableOf(path: Path): string {
  return path.map(key => key.toUpperCase().replace(/[^A-Z0-9]/g, '_')).join('_')
}
