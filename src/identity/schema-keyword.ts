/** The extension keyword `ory.sh/kratos` of identity schemas (contract 3.4). */
import { Ajv } from 'ajv'

import type { JsonObject, JsonValue } from '../store/records.js'

export const kratosKeyword = 'ory.sh/kratos'

const mapping = {
  type: 'object', additionalProperties: false, required: ['path'],
  properties: { path: { type: 'string', minLength: 1 } },
} as const

const shape = {
  type: 'object', additionalProperties: false,
  properties: {
    credentials: {
      type: 'object', additionalProperties: false,
      properties: {
        password: {
          type: 'object', additionalProperties: false,
          properties: { identifier: { type: 'boolean' } },
        },
      },
    },
    mappings: {
      type: 'object', additionalProperties: false,
      properties: {
        identity: {
          type: 'object', additionalProperties: false,
          properties: { traits: { type: 'array', items: mapping } },
        },
      },
    },
    verification: {
      type: 'object', additionalProperties: false, required: ['via'],
      properties: { via: { const: 'email' } },
    },
  },
} as const

const conforms = new Ajv({ ownProperties: true, validateSchema: false, code: { optimize: false } }).compile(shape)

/** What is wrong with a value of the keyword, and where below it; `undefined` when nothing is. */
export function keywordMistake(value: JsonValue): { readonly path: readonly string[], readonly message: string } | undefined {
  if (conforms(value)) return undefined
  const [error] = conforms.errors ?? []
  const unknown = error?.keyword === 'additionalProperties' ? [String(error.params['additionalProperty'])] : []
  const path = [...(error?.instancePath.split('/').slice(1) ?? []), ...unknown]
  const place = [kratosKeyword, ...path].join('.')
  return { path, message: unknown.length > 0 ? `${place} is not known` : `${place} ${error?.message ?? 'is invalid'}` }
}

/** Whether a schema marks the traits it describes as login identifiers. The keyword has been checked. */
export function marksIdentifier(schema: JsonObject): boolean {
  const keyword = schema[kratosKeyword] as { credentials?: { password?: { identifier?: boolean } } } | undefined
  return keyword?.credentials?.password?.identifier === true
}
