/** The authentication session as JSON, as it is said to a hydrator and read back from it (contract 3.1). */
import type { JsonObject, JsonValue } from '../store/records.js'
import { isFieldName, connectionFields } from './header-names.js'
import { isJsonObject } from './json.js'
import { headerValue } from './mutators/header-value.js'
import type { AuthenticationSession } from './pipeline.js'
import { sessionValue } from './template/session-value.js'
import { isList, isTyped, mapOf, nilList, nilMap, type Value } from './template/values.js'

/** The document with the members that Oathkeeper gives it. */
export function sessionDocument(session: AuthenticationSession): JsonObject {
  return toDocument(sessionValue(session)) as JsonObject
}

/**
 * The session that an answer describes: its `extra` and `header` take the place of what was there. What rule the request
 * met, and the request itself, is not the answer's to say. `undefined` when it is no session, or one of somebody else.
 */
export function readSessionDocument(document: JsonObject, session: AuthenticationSession): AuthenticationSession | undefined {
  const { subject = '', extra = null, header = null } = document
  if (subject !== session.subject) return undefined
  if (extra !== null && !isJsonObject(extra)) return undefined
  if (header !== null && !isJsonObject(header)) return undefined
  return { ...session, extra: extra ?? undefined, header: readHeader(header ?? {}) }
}

/** First values, under lower-case names. What no rule could set is left out. */
function readHeader(header: JsonObject): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const [name, values] of Object.entries(header)) {
    const lower = name.toLowerCase()
    const first: JsonValue | undefined = Array.isArray(values) ? values[0] : values
    if (typeof first !== 'string' || !isFieldName(name) || connectionFields.has(lower) || lower === '__proto__') continue
    fields[lower] = headerValue(first)
  }
  return fields
}

function toDocument(value: Value): JsonValue {
  if (value === undefined || value === nilMap || value === nilList) return null
  if (typeof value !== 'object' || value === null) return value as JsonValue
  if (isTyped(value)) return toDocument(value.document())
  if (isList(value)) return value.map(toDocument)
  return Object.fromEntries(Object.entries(mapOf(value) ?? {}).map(([key, below]) => [key, toDocument(below)]))
}
