/** What differs between two configurations. */
import { isDeepStrictEqual } from 'node:util'

import { dotted, isMap, type Path } from './layer.js'
import type { Config } from './schema.js'

/** The keys whose values differ, as people write them, and never the values. A list counts as one value. */
export function changedKeys(before: Config, after: Config): string[] {
  return differences(before, after, []).map(path => dotted(path))
}

function differences(before: unknown, after: unknown, path: Path): Path[] {
  if (isMap(before) && isMap(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...keys].flatMap(key => differences(before[key], after[key], [...path, key]))
  }
  return isDeepStrictEqual(before, after) ? [] : [path]
}
