/** Configuration from environment variables: every setting has one, `*_FILE` reads it from a file (contract 7, oathkeeper 6.2). */
import { aliases } from './aliases.js'
import { ConfigError, type ConfigProblem } from './config-error.js'
import { isMap, placeValue, pointerOf, setAt, valueAt, type Layer, type Path, type Values } from './layer.js'
import { editDistance, nearest } from './nearest.js'
import { leavesOf, variableOf, type SchemaNode } from './schema-leaves.js'
import { trustForwardedHeaders } from './unused-keys.js'
import { readSmallFile } from './yaml-file.js'

/** JSON Schemas of what handlers take as `config`, by section (`authenticators`, ..., `errors`) and handler name. */
export type HandlerSchemas = Readonly<Record<string, Readonly<Record<string, object>>>>

export interface Environment {
  readonly layer: Layer
  readonly problems: readonly ConfigProblem[]
  /** Variables that look like settings but are none. */
  readonly warnings: readonly string[]
}

interface Setting {
  readonly path: Path
  readonly schema: SchemaNode
  readonly variables: readonly string[]
}

/**
 * What the environment sets. A variable that is empty is not set. Of free-form maps (the `config` of handlers) the
 * whole can be given as JSON, and the keys that their schema or `merged`, the value of the files, has, one by one.
 */
export async function readEnvironment(
  env: NodeJS.ProcessEnv, schema: SchemaNode, merged: Values, handlerSchemas: HandlerSchemas,
): Promise<Environment> {
  const settings = settingsOf(schema, merged, handlerSchemas)
  const layer: Layer = { value: {}, places: new Map() }
  const problems: ConfigProblem[] = []

  for (const setting of settings) {
    const [variable, another] = setting.variables.flatMap(name => [name, `${name}_FILE`]).filter(name => (env[name] ?? '') !== '')
    if (variable === undefined) continue
    if (another !== undefined) problems.push({ path: another, message: `sets the same as ${variable}; set one of them` })

    const read = await valueOf(variable, setting, env)
    if ('message' in read) problems.push({ path: variable, message: read.message })
    else {
      setAt(layer.value, setting.path, read.value)
      placeValue(layer, setting.path, read.value, { path: variable })
    }
  }
  return { layer, problems, warnings: misspelt(env, settings) }
}

/** All settings, the longest paths last, so that a single key is laid over a map given as a whole. */
function settingsOf(schema: SchemaNode, merged: Values, handlerSchemas: HandlerSchemas): Setting[] {
  const declared = [...leavesOf(schema), { path: trustForwardedHeaders, schema: { type: 'boolean' } }]
  const nested = declared.filter(leaf => leaf.schema.type === 'object').flatMap(({ path }) => [
    ...leavesOf(handlerSchema(path, handlerSchemas)).map(leaf => ({ path: [...path, ...leaf.path], schema: leaf.schema })),
    ...existingLeaves(valueAt(merged, path), path),
  ])
  const settings = new Map<string, Setting>()
  for (const { path, schema } of [...declared, ...nested]) {
    const pointer = pointerOf(path)
    if (!settings.has(pointer)) settings.set(pointer, { path, schema, variables: variablesOf(path) })
  }
  return [...settings.values()].sort((a, b) => a.path.length - b.path.length)
}

/** `[authenticators, jwt, config]` and `[errors, handlers, json, config]` lead to the handler's schema. */
function handlerSchema(path: Path, handlerSchemas: HandlerSchemas): SchemaNode {
  return (handlerSchemas[path[0] as string]?.[path.at(-2) as string] ?? { properties: {} }) as SchemaNode
}

/** The settings that a free-form map has already, with the type that each of them has. */
function existingLeaves(value: unknown, path: Path): { path: Path, schema: SchemaNode }[] {
  if (isMap(value)) return Object.entries(value).flatMap(([key, item]) => existingLeaves(item, [...path, key]))
  if (value === undefined) return []
  if (Array.isArray(value)) return [{ path, schema: { type: 'array', items: { type: isMap(value[0]) ? 'object' : 'string' } } }]
  return [{ path, schema: { type: typeof value } }]
}

/** The variable of a path, and those of its other names. */
function variablesOf(path: Path): string[] {
  const others = aliases.filter(({ to }) => to.every((key, index) => key === path[index]))
  return [path, ...others.map(({ from, to }) => [...from, ...path.slice(to.length)])].map(variableOf)
}

async function valueOf(variable: string, setting: Setting, env: NodeJS.ProcessEnv): Promise<{ value: unknown } | { message: string }> {
  const text = env[variable] as string
  if (setting.variables.includes(variable)) return fromText(text, setting.schema)

  try {
    // The name of the file is not shown: it is the secret itself when somebody confused the two variables.
    const content = (await readSmallFile(text)).replace(/[\r\n]+$/, '')
    return content === '' ? { message: 'names a file that is empty' } : fromText(content, setting.schema)
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown
    return { message: `names a file that ${thrown.problems[0]?.message}` }
  }
}

/** What does not read as the type it should have stays text; validation says what it must be. */
function fromText(text: string, schema: SchemaNode): { value: unknown } | { message: string } {
  const trimmed = text.trim()
  const isNumeric = [schema.type].flat().some(type => type === 'integer' || type === 'number')
  if (isNumeric) return { value: /^-?[0-9]+(\.[0-9]+)?$/.test(trimmed) ? Number(trimmed) : text }
  if (schema.type === 'boolean') return { value: booleans[trimmed.toLowerCase()] ?? text }
  if (schema.type === 'array' && schema.items?.type === 'string') return { value: listOf(trimmed) }
  if (schema.type === 'array' || schema.type === 'object') return fromJson(trimmed)
  return schema.type === undefined && /^[[{]/.test(trimmed) ? fromJson(trimmed) : { value: text }
}

const booleans: Readonly<Record<string, boolean>> = { 1: true, t: true, true: true, 0: false, f: false, false: false }

/** Items between commas or line ends, or a JSON list for items that have commas in them. */
function listOf(text: string): unknown {
  const list = text.startsWith('[') ? fromJson(text) : undefined
  if (list !== undefined && 'value' in list) return list.value
  return text.split(/[,\n]/).map(item => item.trim()).filter(item => item !== '')
}

function fromJson(text: string): { value: unknown } | { message: string } {
  try {
    return { value: JSON.parse(text, (key, value: unknown) => {
      if (key === '__proto__') throw new SyntaxError('__proto__')
      return value
    }) }
  } catch {
    return { message: 'is not valid JSON' }
  }
}

function misspelt(env: NodeJS.ProcessEnv, settings: readonly Setting[]): string[] {
  const known = new Set(settings.flatMap(setting => setting.variables).flatMap(name => [name, `${name}_FILE`]))
  const sections = new Set([...known].map(name => name.split('_')[0] as string))
  const freeForm = settings.filter(setting => setting.schema.type === 'object').flatMap(setting => setting.variables)

  return Object.keys(env).filter(name => name.includes('_') && !known.has(name)).flatMap(name => {
    const section = nearest(name.split('_')[0] as string, sections)
    if (section === undefined || editDistance(section, name.split('_')[0] as string) > 1) return []

    const meant = nearest(name, known)
    if (meant !== undefined && editDistance(meant, name) <= 2) return [`${name} is not read; did you mean ${meant}?`]
    const map = freeForm.find(variable => name.startsWith(`${variable}_`))
    return map === undefined ? [] : [`${name} is not read; set ${map} as JSON, or the key in a file first`]
  })
}
