/** Paths into JSON documents, as rules name them: the part of GJSON that rule files use (contract 2.1.2). */
import type { JsonValue } from '../store/records.js'
import { isJsonObject } from './json.js'

/**
 * Keys and array indexes between dots, `\.` for a dot in a key, `@this` for the document. The result is `undefined` where
 * the document has nothing. Throws `Error` with a sentence for GJSON's wildcards, queries and modifiers.
 */
export function compileJsonPath(path: string): (document: JsonValue) => JsonValue | undefined {
  const keys = splitPath(path).filter(key => key !== '@this')
  return document => {
    let value: JsonValue | undefined = document
    for (const key of keys) {
      if (value === undefined) return undefined
      value = valueAt(value, key)
    }
    return value
  }
}

function splitPath(path: string): string[] {
  const parts = path.match(/(?:\\[^]|[^.\\])+/g) ?? []
  if (path === '' || parts.join('.') !== path) throw new Error(`"${path}" is no path: keys stand between single dots`)

  return parts.map(part => {
    const special = /^(?:@(?!this$)|[!{[])|(?<!\\)[#*?|]/.exec(part)
    if (special !== null) throw new Error(`"${path}" is no path: only keys, indexes and @this are supported, not "${special[0]}"`)
    return part.replace(/\\([^])/g, '$1')
  })
}

function valueAt(value: JsonValue, key: string): JsonValue | undefined {
  if (Array.isArray(value)) return /^(?:0|[1-9][0-9]*)$/.test(key) ? value[Number(key)] : undefined
  return isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
}
