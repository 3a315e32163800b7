/** Plain JSON values: what rules and their configuration are made of. */
import type { JsonObject, JsonValue } from '../store/records.js'

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Maps are merged key by key; anything else of `over` takes the place of what `base` has (contract 2.0). Shares nothing with either. */
export function deepMerge(base: JsonObject, over: JsonObject): JsonObject {
  const merged = structuredClone(base)
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    merged[key] = isJsonObject(below) && isJsonObject(value) ? deepMerge(below, value) : structuredClone(value)
  }
  return merged
}
