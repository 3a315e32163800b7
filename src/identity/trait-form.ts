/** Turns the fields of a submitted form into typed traits, by what the identity schema says of them (contract 4.1). */
import { GatewayError } from '../errors.js'
import type { JsonObject, JsonValue, Problem } from '../store/records.js'
import type { Trait, TraitKind } from './schema-fields.js'
import { fieldName, fieldPath, forbiddenName, formDepthLimit, isForbiddenName } from './traits.js'

/** What a form says about traits. Values that can not be of their type stay texts, for validation to point at. */
export interface DecodedTraits {
  readonly traits: JsonObject
  readonly problems: Problem[]
}

const fieldLimit = 100
const nameByteLimit = 2048

/**
 * Decodes name and value pairs; names outside `traits.` are left alone. Throws `bad_request` for more or longer or deeper
 * names than a form has, and for names that pollute prototypes, wherever they stand (security D5, J1).
 */
export function decodeTraitForm(traits: readonly Trait[], pairs: Iterable<readonly [name: string, value: string]>): DecodedTraits {
  const submitted = readFields(pairs)
  const decoded: DecodedTraits = { traits: {}, problems: [] }

  for (const trait of traits) {
    const field = fieldName(trait.path)
    const values = trait.kind === 'array' ? takeItems(submitted, field) : takeValues(submitted, field)
    if (values.length === 0) continue
    if (values.length > 1 && trait.kind !== 'array' && trait.kind !== 'boolean') decoded.problems.push(givenTwice(field, trait))
    assign(decoded.traits, trait.path, convert(trait, values))
  }

  // Names that the schema does not know are refused rather than dropped: nobody believes to have said what was not stored.
  for (const field of submitted.keys()) {
    decoded.problems.push({ code: 'unknown_trait', params: { property: field.slice('traits.'.length, 'traits.'.length + 100) } })
  }
  return decoded
}

/** The values of all trait fields, by canonical field name. */
function readFields(pairs: Iterable<readonly [string, string]>): Map<string, string[]> {
  const fields = new Map<string, string[]>()
  let count = 0
  for (const [name, value] of pairs) {
    if (++count > fieldLimit) throw new GatewayError('bad_request', { reason: `A form has at most ${fieldLimit} fields.` })
    if (Buffer.byteLength(name) > nameByteLimit) throw new GatewayError('bad_request', { reason: `A field name has at most ${nameByteLimit} bytes.` })

    const path = fieldPath(name)
    const forbidden = [...path, ...name.split(/[.[\]\\]/)].find(isForbiddenName)
    if (forbidden !== undefined) throw forbiddenName(forbidden)
    if (path.length > formDepthLimit + 1) throw new GatewayError('bad_request', { reason: `A field name has at most ${formDepthLimit} levels.` })

    const [root, ...names] = path
    if (root !== 'traits' || names.length === 0) continue
    const field = fieldName(names)
    fields.set(field, [...fields.get(field) ?? [], value])
  }
  return fields
}

function takeValues(submitted: Map<string, string[]>, field: string): string[] {
  const values = submitted.get(field) ?? []
  submitted.delete(field)
  return values
}

/** A list's values: its own field, repeated, and one field per item (`traits.tags.0`), which is how a failed submit comes back. */
function takeItems(submitted: Map<string, string[]>, field: string): string[] {
  const own = takeValues(submitted, field)
  const indexes = [...submitted.keys()]
    .filter(name => name.startsWith(`${field}.`) && /^(?:0|[1-9][0-9]{0,3})$/.test(name.slice(field.length + 1)))
    .sort((a, b) => Number(a.slice(field.length + 1)) - Number(b.slice(field.length + 1)))
  const items = indexes.flatMap(name => takeValues(submitted, name))
  return items.length === 0 ? own : [...own.filter(value => value !== ''), ...items]
}

function convert({ kind, items }: Trait, values: readonly string[]): JsonValue {
  if (kind === 'array') return values.map(value => convertValue(items, value))
  return convertValue(kind, (kind === 'boolean' ? values.at(-1) : values[0]) ?? '')
}

/** A text that can not be read as its kind stays a text, so that validation says what was expected and the person sees it again. */
function convertValue(kind: TraitKind, text: string): JsonValue {
  if (kind === 'boolean') return toBoolean(text) ?? text
  if (kind === 'number' || kind === 'integer') return toNumber(text, kind) ?? text
  return text
}

function toBoolean(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true
  return ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text) ? false : undefined
}

function toNumber(text: string, kind: 'number' | 'integer'): number | undefined {
  if (!/^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(text)) return undefined
  const number = Number(text)
  if (!Number.isFinite(number)) return undefined
  // An integer that a double can not hold would be stored as another one.
  return kind === 'integer' && Number.isInteger(number) && !Number.isSafeInteger(number) ? undefined : number
}

/** Sets a member of own, plain objects only; the names come from the schema, which has none that are forbidden. */
function assign(traits: JsonObject, path: readonly string[], value: JsonValue): void {
  let parent = traits
  for (const name of path.slice(0, -1)) {
    const member = Object.hasOwn(parent, name) ? parent[name] as JsonObject : {}
    parent[name] = member
    parent = member
  }
  parent[path.at(-1) as string] = value
}

function givenTwice(field: string, { path }: Trait): Problem {
  return { code: 'given_twice', field, params: { property: path.at(-1) ?? '' } }
}
