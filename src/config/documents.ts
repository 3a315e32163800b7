/** What is written down about the configuration, made from its one declaration: the editor's schema, the reference. */
import { aliases } from './aliases.js'
import type { HandlerSchemas } from './environment.js'
import { dotted, type Path } from './layer.js'
import { configSchema } from './schema.js'
import { leavesOf, variableOf, type SchemaNode } from './schema-leaves.js'
import { duration } from './sections/duration.js'
import { trustForwardedHeaders, unusedKeys } from './unused-keys.js'

/** JSON Schema as data. */
interface Draft {
  [keyword: string]: unknown
  properties?: Record<string, Draft>
  items?: Draft
  required?: string[]
}

/**
 * The text of `config/oathgate.schema.json`: JSON Schema draft-07 of what a file may hold, other names and unused keys
 * included. With schemas of handlers, their `config` too; nothing is required there, because rules may say it.
 */
export function jsonSchemaDocument(handlerSchemas: HandlerSchemas = {}): string {
  const root = copy<Draft>(configSchema)
  describeHandlers(root, handlerSchemas)
  for (const { path, because } of unusedKeys) {
    declare(root, path, { description: because === undefined ? 'For editors.' : `Not used: ${because}.` })
  }
  declare(root, trustForwardedHeaders, { const: false, description: 'Not used: see `trusted_proxies`.' })
  // From the last: what a section is made of has all its names before the section gets another.
  for (const { from, to } of aliases.toReversed()) {
    const target = find(root, to)
    declare(root, from, { ...copy<Draft>(target), description: `Another name of \`${dotted(to)}\`.` })
    allowInstead(find(root, to.slice(0, -1)), to.at(-1) as string, from, to)
  }

  const head = { $schema: 'http://json-schema.org/draft-07/schema#', title: 'Oathgate', description: 'The configuration of Oathgate.' }
  return `${JSON.stringify({ ...head, ...root }, publicFormats, 2)}\n`
}

/** A tree of its own: parts that the declaration uses in several places become several (structuredClone would keep them one). */
function copy<T>(schema: object): T {
  return JSON.parse(JSON.stringify(schema)) as T
}

function describeHandlers(root: Draft, handlerSchemas: HandlerSchemas): void {
  for (const [section, handlers] of Object.entries(handlerSchemas)) {
    for (const [name, schema] of Object.entries(handlers)) {
      const handler = find(root, section === 'errors' ? [section, 'handlers', name] : [section, name])
      const { required: _, ...config } = copy<Draft>(schema)
      const description = handler.properties?.['config']?.['description']
      handler.properties = { ...handler.properties, config: { description, ...config } }
    }
  }
}

/** A key that stands in for a required one: one of them has to be there. */
function allowInstead(map: Draft, key: string, from: Path, to: Path): void {
  if (dotted(from.slice(0, -1)) !== dotted(to.slice(0, -1))) return
  const other = { required: [from.at(-1)] }

  if (Array.isArray(map['anyOf'])) map['anyOf'].push(other)
  else if (map.required?.includes(key)) {
    map['anyOf'] = [{ required: [key] }, other]
    map.required = map.required.filter(name => name !== key)
  }
}

function find(root: Draft, path: Path): Draft {
  return path.reduce((at, key) => {
    const next = key === '*' ? at.items : at.properties?.[key]
    if (next === undefined) throw new Error(`the schema has no ${dotted(path)}`)
    return next
  }, root)
}

function declare(root: Draft, path: Path, schema: Draft): void {
  const at = path.slice(0, -1).reduce((map, key) => {
    if (key === '*') return map.items as Draft
    const properties = map.properties ??= {}
    return properties[key] ??= { type: 'object', additionalProperties: false, properties: {} }
  }, root)
  at.properties = { ...at.properties, [path.at(-1) as string]: schema }
}

/** Editors know `uri`; our own formats would only make them warn. */
function publicFormats(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('format' in value)) return value
  const { format, ...rest } = value
  if (format === 'http-url') return { ...rest, format: 'uri', pattern: '^https?://' }
  return format === 'cidr' ? rest : value
}

/** The text of `docs/configuration.md`: a table per section, then the other names. Markdown. */
export function configReference(): string {
  const told = new Map<SchemaNode, Path>()
  const sections = Object.entries<SchemaNode>(configSchema.properties).map(([key, schema]) => [
    `## \`${key}\``, '',
    '| key | type | default | environment | meaning |',
    '|---|---|---|---|---|',
    ...rows(schema, [key], false, told), '',
  ].join('\n'))
  const otherNames = aliases.filter(({ from }) => !from.includes('*'))
    .map(({ from, to }) => `| \`${dotted(from)}\` | \`${dotted(to)}\` |`)
  const unused = unusedKeys.map(({ path }) => `\`${dotted(path)}\``).join(', ')

  return [
    '# Configuration', '',
    'Every key, made from its declaration in `src/config/` (`oathgate docs reference`). An empty default means that the key is absent unless',
    'said. Durations are Go\'s: `500ms`, `10m`, `1h30m`.', '',
    ...sections,
    '## Other names', '', '| also read | as |', '|---|---|', ...otherNames, '',
    `Accepted so that files of Kratos and Oathkeeper load, and not used: ${unused}.`, '',
  ].join('\n')
}

/**
 * The text of `docs/handlers.md`: a table of settings for every pipeline handler and every job, by section and name. Those
 * without settings are named all the same.
 */
export function handlerReference(sections: HandlerSchemas): string {
  const tables = Object.entries(sections).flatMap(([section, handlers]) => [
    `## ${section}`, '',
    ...Object.entries(handlers).flatMap(([name, schema]) => {
      const leaves = leavesOf(schema as SchemaNode).filter(({ path }) => path.length > 0)
      if (leaves.length === 0) return [`### \`${name}\``, '', 'No settings.', '']
      return [
        `### \`${name}\``, '', '| key | type | default | meaning |', '|---|---|---|---|',
        ...leaves.map(({ path, schema, required }) => `| ${[
          code(keyName(path)), typeName(schema), required ? 'required' : schema.default === undefined || schema.default === '' ? '' : code(schema.default),
          (schema.description ?? '').replaceAll('|', '\\|'),
        ].join(' | ')} |`), '',
      ]
    }),
  ])
  return [
    '# Handlers and jobs', '',
    'The settings of everything that rules and flows may name, made from the declarations beside their code (`oathgate docs handlers`).',
    'A handler\'s `config` in a rule is merged over the one in the configuration.', '',
    ...tables,
  ].join('\n')
}

/** One row per setting. A part of the schema that stands in several places is told once, `told` remembers where. */
function rows(schema: SchemaNode, path: Path, required: boolean, told: Map<SchemaNode, Path>): string[] {
  const children = Object.entries(schema.properties ?? {})
  if (children.length === 0) {
    const items = schema.items?.properties === undefined ? [] : rows(schema.items, [...path, '*'], false, told)
    return [row(schema, path, required), ...items]
  }

  const before = told.get(schema)
  if (before !== undefined) return [`| \`${keyName(path)}\` | map | | | As \`${keyName(before)}\`. |`]
  told.set(schema, path)

  const [only, ...others] = new Set(children.map(([, child]) => child))
  if (only !== undefined && others.length === 0 && children.length > 1) {
    const names = children.map(([name]) => `\`${name}\``).join(', ')
    return [`| \`${keyName([...path, '<name>'])}\` | map | | | ${names} |`, ...rows(only, [...path, '<name>'], false, told)]
  }
  return children.flatMap(([key, child]) => rows(child, [...path, key], schema.required?.includes(key) ?? false, told))
}

function row(schema: SchemaNode, path: Path, required: boolean): string {
  const variable = path.map(name => name.startsWith('<') ? name.toUpperCase() : variableOf([name])).join('_')
  const initial = schema.default === undefined ? '' : code(schema.default)
  const description = (schema.description ?? '').replaceAll('|', '\\|')

  return `| ${[
    code(keyName(path)), typeName(schema), required ? 'required' : initial, path.includes('*') ? '' : code(variable), description,
  ].join(' | ')} |`
}

function keyName(path: Path): string {
  return path.join('.').replaceAll('.*', '[]')
}

function typeName(schema: SchemaNode): string {
  if (schema.enum !== undefined) return schema.enum.map(code).join(', ')
  if (schema.pattern === duration.pattern) return 'duration'
  if (schema.format === 'http-url') return 'URL'
  if (schema.format === 'cidr') return 'CIDR'
  if (schema.type === 'array') return `list of ${schema.items?.type === 'object' ? 'maps' : `${typeName(schema.items ?? {})}s`}`
  return schema.type === 'object' ? 'map' : [schema.type].flat().join(' or ')
}

function code(value: unknown): string {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}
