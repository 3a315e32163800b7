/** Plain JSON values: what rules and their configuration are made of. */
import type { JsonObject, JsonValue } from '../store/records.js'

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Maps are merged key by key; anything else of `over` takes the place of what `base` has (contract 2.0). Shares nothing with either. */
export function deepMerge(base: JsonObject, over: JsonObject): JsonObject {
  const merged: JsonObject = {}
  for (const key of new Set([...Object.keys(base), ...Object.keys(over)])) {
    const [below, above] = [base[key], over[key]]
    merged[key] = isJsonObject(below) && isJsonObject(above) ? deepMerge(below, above) : copy((Object.hasOwn(over, key) ? above : below) as JsonValue)
  }
  return merged
}

function copy(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(copy)
  return isJsonObject(value) ? deepMerge(value, {}) : value
}
