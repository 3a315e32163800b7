/** How a trait looks in a form (contract 3.4). */
import type { SchemaField } from './identity-schema.js'
import type { Trait } from './schema-fields.js'
import { fieldName } from './traits.js'

/** The field that a trait is entered in. */
export function schemaField({ path, kind, format = '', pattern, required, title }: Trait): SchemaField {
  const type = inputTypesByFormat.get(format) ?? inputTypesByKind.get(kind) ?? 'text'
  return { name: fieldName(path), type, pattern, required: required && kind !== 'boolean', title }
}

const inputTypesByFormat: ReadonlyMap<string, string> = new Map([
  ['date-time', 'datetime-local'], ['email', 'email'], ['date', 'date'], ['uri', 'url'], ['regex', 'text'],
])

const inputTypesByKind: ReadonlyMap<string, string> = new Map([
  ['number', 'number'], ['integer', 'number'], ['boolean', 'checkbox'],
])
