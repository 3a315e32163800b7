/** The traits that an identity schema describes: form fields in its textual order, and login identifiers (contract 3.4). */
import type { JsonObject, JsonValue } from '../store/records.js'
import type { JsonPath, JsonSource } from './json-source.js'
import type { Finding } from './schema-check.js'
import { marksIdentifier } from './schema-keyword.js'
import { everySchema, isObject, pathKey, resolveReference, type SchemaNode } from './schema-walk.js'
import { formDepthLimit } from './traits.js'

/** What a form value is turned into. */
export type TraitKind = 'string' | 'number' | 'integer' | 'boolean' | 'array' | 'object'

/** A trait that holds a value of its own, or a list. */
export interface Trait {
  readonly path: readonly string[]
  readonly kind: TraitKind
  /** Kind of a list's items; `string` when they differ. */
  readonly items: TraitKind
  /** Whether it is a field of the form: not when the schema leaves its type open. */
  readonly listed: boolean
  /** Whether every identity has it. */
  readonly required: boolean
  readonly format: string | undefined
  readonly pattern: string | undefined
  readonly title: string | undefined
  /** Longest text that it, or an item of it, may be. */
  readonly maxLength: number | undefined
}

/** Stands for every item of a list in the path of an identifier. */
export const everyItem = Symbol('every item')

export type IdentifierPath = readonly (string | typeof everyItem)[]

export interface SchemaTraits {
  readonly traits: readonly Trait[]
  readonly identifiers: readonly IdentifierPath[]
  readonly mistakes: readonly Finding[]
  readonly warnings: readonly Finding[]
}

/** A schema that applies to a value, among others. */
interface View extends SchemaNode {
  /** Whether it always applies, or is one branch of several. */
  readonly always: boolean
  /** The referred schemas that it is inside of. */
  readonly within: readonly string[]
}

/** Walks the schema as its author reads it, references included. A circular reference is a mistake. */
export function readSchemaTraits(root: JsonObject, source: JsonSource): SchemaTraits {
  const traits: Trait[] = []
  const identifiers: IdentifierPath[] = []
  const reached = new Set<string>()
  const mistakes = new Map<string, Finding>()
  const warnings: Finding[] = []

  function visitMembers(views: readonly View[], path: IdentifierPath, required: boolean): void {
    const members = new Map<string, View[]>()
    for (const view of views) {
      for (const name of source.keysAt([...view.path, 'properties'])) {
        const memberPath = [...view.path, 'properties', name]
        const schema = (view.schema['properties'] as JsonObject)[name]
        if (isObject(schema)) members.set(name, [...members.get(name) ?? [], ...viewsOf({ ...view, schema, path: memberPath })])
      }
    }
    for (const [name, memberViews] of members) {
      visitValue(memberViews, [...path, name], required && views.some(view => view.always && requires(view.schema, name)))
    }
  }

  function visitValue(views: readonly View[], path: IdentifierPath, required: boolean): void {
    const schemas = views.map(({ schema }) => schema)
    const types = typesOf(schemas)
    noteIdentifier(views, types, path)
    if (schemas.some(({ properties }) => isObject(properties) && Object.keys(properties).length > 0)) return visitMembers(views, path, required)

    const items = visitItems(views, path)
    const names = path.filter(part => part !== everyItem)
    if (names.length < path.length) return
    traits.push({ ...describe(schemas, types), path: names, items, required })
    if (names.length > formDepthLimit && views[0] !== undefined) {
      warnings.push({ path: views[0].path, message: `a form reaches ${formDepthLimit} levels deep, not the ${names.length} of this trait` })
    }
  }

  function visitItems(views: readonly View[], path: IdentifierPath): TraitKind {
    const kinds = new Set<TraitKind>()
    for (const view of views) {
      for (const item of itemsOf(view)) {
        const itemViews = viewsOf(item)
        kinds.add(kindOf(typesOf(itemViews.map(({ schema }) => schema))))
        visitValue(itemViews, [...path, everyItem], false)
      }
    }
    const [kind] = kinds
    return kinds.size === 1 && kind !== undefined ? kind : 'string'
  }

  function noteIdentifier(views: readonly View[], types: readonly string[], path: IdentifierPath): void {
    const marked = views.filter(({ schema }) => marksIdentifier(schema))
    for (const view of marked) {
      reached.add(pathKey(view.path))
      if (types.length > 0 && !types.includes('string')) {
        addMistake(view.path, `an identifier must be a string, this is of type ${types.join(' or ')}`)
      }
    }
    if (marked.length > 0) identifiers.push(path)
  }

  /** The schema itself, what it refers to and its branches, in the order of the text. */
  function viewsOf(view: View): View[] {
    const views = source.keysAt(view.path).flatMap(keyword => keyword === 'properties' ? [view] : branchesOf(view, keyword))
    return views.includes(view) ? views : [view, ...views]
  }

  function branchesOf(view: View, keyword: string): View[] {
    const value = view.schema[keyword]
    const path = [...view.path, keyword]
    if (keyword === '$ref' && typeof value === 'string') return referredViews(view, value)
    if (['allOf', 'anyOf', 'oneOf'].includes(keyword) && Array.isArray(value)) {
      const always = view.always && keyword === 'allOf'
      return value.flatMap((schema, index) => isObject(schema) ? viewsOf({ ...view, schema, path: [...path, index], always }) : [])
    }
    if (['not', 'if', 'then', 'else'].includes(keyword) && isObject(value)) {
      return viewsOf({ ...view, schema: value, path, always: false })
    }
    return []
  }

  function referredViews(view: View, reference: string): View[] {
    const target = resolveReference(root, reference)
    if (target === undefined) return []
    const key = pathKey(target.path)
    if (view.within.includes(key)) {
      addMistake([...view.path, '$ref'], `"$ref": ${JSON.stringify(reference)} is circular, a form can not hold it`)
      return []
    }
    return viewsOf({ ...view, ...target, within: [...view.within, key] })
  }

  function addMistake(path: JsonPath, message: string): void {
    mistakes.set(pathKey(path), { path, message })
  }

  visitMembers(viewsOf({ schema: root, path: [], always: true, within: [pathKey([])] }), [], true)
  for (const { schema, path } of everySchema({ schema: root, path: [] })) {
    if (marksIdentifier(schema) && !reached.has(pathKey(path))) warnings.push({ path, message: 'an identifier at this place is never looked at' })
  }
  return { traits, identifiers, mistakes: [...mistakes.values()], warnings }
}

function requires({ required }: JsonObject, name: string): boolean {
  return Array.isArray(required) && required.includes(name)
}

function* itemsOf(view: View): Generator<View> {
  for (const keyword of ['prefixItems', 'items']) {
    const value = view.schema[keyword]
    const path = [...view.path, keyword]
    if (isObject(value)) yield { ...view, schema: value, path }
    for (const [index, schema] of (Array.isArray(value) ? value : []).entries()) {
      if (isObject(schema)) yield { ...view, schema, path: [...path, index] }
    }
  }
}

const traitKinds: readonly string[] = ['string', 'number', 'integer', 'boolean', 'array', 'object'] satisfies TraitKind[]

/** What `type` says, or else what a constant or a default gives away; nothing when the schemas leave it open. */
function typesOf(schemas: readonly JsonObject[]): readonly string[] {
  for (const { type } of schemas) {
    if (typeof type === 'string') return [type]
    if (Array.isArray(type)) return type.map(String)
  }
  const example = schemas.map(schema => schema['const'] ?? schema['default']).find(value => value !== undefined)
  return example === undefined ? [] : [typeName(example)]
}

function kindOf(types: readonly string[]): TraitKind {
  const kinds = types.filter(type => traitKinds.includes(type)) as TraitKind[]
  return kinds.length === 1 && kinds[0] !== undefined ? kinds[0] : 'string'
}

function describe(schemas: readonly JsonObject[], types: readonly string[]): Omit<Trait, 'path' | 'items' | 'required'> {
  const withItems = [...schemas, ...schemas.flatMap(({ items }) => isObject(items) ? [items] : [])]
  const text = (keyword: string): string | undefined => schemas.map(schema => schema[keyword]).find(value => typeof value === 'string')
  return {
    kind: kindOf(types),
    listed: types.length === 1,
    format: text('format'),
    pattern: text('pattern'),
    title: text('title'),
    maxLength: withItems.map(({ maxLength }) => maxLength).find(value => typeof value === 'number'),
  }
}

function typeName(value: JsonValue): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}
