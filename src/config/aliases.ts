/** Other names of keys, as Kratos' and Oathkeeper's files spell them, and how they become the names that the schema has. */
import type { ConfigProblem } from './config-error.js'
import { dotted, isMap, placeOf, pointerOf, setAt, valueAt, type Layer, type Path, type Values } from './layer.js'

export interface Alias {
  /** `*` stands for every item of a list. */
  readonly from: Path
  /** Has its `*` where `from` has it. */
  readonly to: Path
}

const jobLists = ['registration', 'login'].flatMap(flow =>
  [['before'], ['after', 'password'], ['after', 'oidc']].map(list => ['selfservice', flow, ...list]))

export const aliases: readonly Alias[] = [
  { from: ['serve', 'proxy'], to: ['serve', 'public'] },
  { from: ['serve', 'api'], to: ['serve', 'admin'] },
  { from: ['ttl', 'session'], to: ['session', 'lifespan'] },
  { from: ['selfservice', 'after'], to: ['selfservice', 'registration', 'after'] },
  ...jobLists.flatMap(list => ['job', 'hook'].map(name => ({ from: [...list, '*', name], to: [...list, '*', 'run'] }))),
]

/** Renames, in place, whatever a layer has under another name; the places keep the spelling. Answers what is set under both. */
export function resolveAliases(layer: Layer): ConfigProblem[] {
  return aliases.flatMap(({ from, to }) => matches(layer.value, from).flatMap(path => {
    const target = to.map((key, index) => key === '*' ? path[index] as string : key)
    if (valueAt(layer.value, target) !== undefined) {
      const place = placeOf(layer, pointerOf(path))
      remove(layer.value, path)
      return [{ ...place, message: `is another name of ${dotted(target)}, which is set as well; keep one of them` }]
    }
    move(layer, path, target)
    return []
  }))
}

/** The paths that a pattern stands for in a value. */
function matches(value: unknown, pattern: Path, before: Path = []): Path[] {
  const [key, ...rest] = pattern
  if (key === undefined) return [before]
  if (key === '*') return Array.isArray(value) ? value.flatMap((item, index) => matches(item, rest, [...before, String(index)])) : []
  return isMap(value) && Object.hasOwn(value, key) ? matches(value[key], rest, [...before, key]) : []
}

function move(layer: Layer, from: Path, to: Path): void {
  setAt(layer.value, to, valueAt(layer.value, from))
  remove(layer.value, from)

  const [source, target] = [pointerOf(from), pointerOf(to)]
  for (const [pointer, place] of [...layer.places]) {
    if (pointer !== source && !pointer.startsWith(`${source}/`)) continue
    layer.places.delete(pointer)
    layer.places.set(target + pointer.slice(source.length), place)
  }
}

/** Takes a value out, and the map around it when nothing else is in it. */
export function remove(root: Values, path: Path): void {
  const around = path.slice(0, -1)
  const map = valueAt(root, around) as Values
  delete map[path.at(-1) as string]
  if (around.length > 0 && isMap(map) && Object.keys(map).length === 0) remove(root, around)
}
