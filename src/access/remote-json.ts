/** Reading what other services answer. */
import type { JsonObject, JsonValue } from '../store/records.js'
import { isJsonObject } from './json.js'

/** The JSON of a body; `undefined` when it is none. Deeper than 100 levels counts as none. */
export function parseJson(body: Buffer | string): JsonValue | undefined {
  try {
    const value = JSON.parse(body.toString()) as JsonValue
    return depthWithin(value, 100) ? value : undefined
  } catch {
    return undefined
  }
}

/** The JSON object of a body; `undefined` when it is none. */
export function parseJsonObject(body: Buffer | string): JsonObject | undefined {
  const value = parseJson(body)
  return isJsonObject(value) ? value : undefined
}

function depthWithin(value: JsonValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every(below => depthWithin(below, levels - 1))
}
