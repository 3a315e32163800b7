/** Reads the configuration: files, then the environment over them, then the schema's defaults; every mistake at once. */
import { dirname, resolve } from 'node:path'

import { resolveAliases } from './aliases.js'
import { crossCheck, unsafeRuntime } from './checks.js'
import { ConfigError, type ConfigProblem, type Place } from './config-error.js'
import { readEnvironment, type HandlerSchemas } from './environment.js'
import { absoluteFileUrls } from './file-urls.js'
import { isMap, mergeLayers, placeOf, pointerOf, type Layer, type Path, type Values } from './layer.js'
import { configSchema, type Config } from './schema.js'
import type { SchemaNode } from './schema-leaves.js'
import { dropUnusedKeys, refuseTrustInEverybody } from './unused-keys.js'
import { validateConfig } from './validate.js'
import { readYamlFile } from './yaml-file.js'

export interface LoadedConfig {
  readonly config: Config
  /** One line each: what is set but has no effect. */
  readonly warnings: readonly string[]
  /**
   * Folder of the last file, absolute; without files, the working directory. What relative `file://` URLs from the
   * environment start from; those in files are relative to their own file, and absolute by now.
   */
  readonly baseDir: string
  /** The files, absolute, in the order in which they were laid over each other. */
  readonly files: readonly string[]
  /** Where the setting at a path was written, for mistakes that only its user can see (a job's config, a handler's). */
  readonly placeOf: (path: Path) => Place
}

export interface LoadOptions {
  /** Makes every setting of handlers' `config` available to the environment, also those that no file mentions. */
  readonly handlerSchemas?: HandlerSchemas
  /** Node's own command line options; `process.execArgv` unless given. */
  readonly execArgv?: readonly string[]
}

/**
 * The configuration of the files, later ones over earlier ones: maps are merged, lists replaced. Nothing of it is used
 * yet, no file that it names is opened, apart from those of `*_FILE` variables. Rejects with `ConfigError`.
 */
export async function loadConfig(files: readonly string[], env: NodeJS.ProcessEnv, options: LoadOptions = {}): Promise<LoadedConfig> {
  const problems: ConfigProblem[] = []
  const warnings: string[] = []
  const normalise = (layer: Layer) => {
    problems.push(...resolveAliases(layer), ...refuseTrustInEverybody(layer))
    warnings.push(...dropUnusedKeys(layer))
    fillEmptySections(layer.value, configSchema)
  }

  const layers = await readFiles(files)
  layers.forEach(normalise)
  const environment = await readEnvironment(env, configSchema, mergeLayers(layers).value, options.handlerSchemas ?? {})
  layers.push(environment.layer)
  normalise(environment.layer)
  problems.push(...environment.problems)
  warnings.push(...environment.warnings)

  const merged = mergeLayers(layers)
  const { value } = merged
  const runtime = { env, execArgv: options.execArgv ?? process.execArgv }
  const invalid = validateConfig(value)
  // Checks read only what has passed, so a value that is wrong elsewhere is not in their way.
  const unsafe = crossCheck(value as Config, invalid, runtime)
  problems.push(...[...invalid, ...unsafe].map(({ pointer, message }) => ({ ...placeOf(merged, pointer), message })))
  problems.push(...unsafeRuntime(runtime).map(([path, message]) => ({ path, message })))
  if (problems.length > 0) throw new ConfigError(inOrder(problems, files))

  const paths = files.map(file => resolve(file))
  const last = paths.at(-1)
  return {
    config: value as Config,
    warnings,
    baseDir: last === undefined ? process.cwd() : dirname(last),
    files: paths,
    placeOf: path => placeOf(merged, pointerOf(path)),
  }
}

async function readFiles(files: readonly string[]): Promise<Layer[]> {
  const results = await Promise.allSettled(files.map(async file => {
    const { value, places } = await readYamlFile(file)
    return { value: absoluteFileUrls(value, dirname(resolve(file))), places }
  }))
  const failures = results.flatMap(result => result.status === 'rejected' ? [result.reason as Error] : [])
  const unexpected = failures.find(failure => !(failure instanceof ConfigError))
  if (unexpected !== undefined) throw unexpected

  const problems = failures.flatMap(failure => failure instanceof ConfigError ? failure.problems : [])
  if (problems.length > 0) throw new ConfigError(problems)
  return results.flatMap(result => result.status === 'fulfilled' ? [result.value] : [])
}

/** A section with nothing below it (all of it commented out) is null in YAML; what is meant is an empty section. */
function fillEmptySections(value: Values, schema: SchemaNode): void {
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    if (child.type !== 'object' || !Object.hasOwn(value, key)) continue
    const section = value[key] ??= {}
    if (isMap(section)) fillEmptySections(section, child)
  }
}

/** As somebody mends them: file by file from top to bottom, then what stands in no file. */
function inOrder(problems: readonly ConfigProblem[], files: readonly string[]): ConfigProblem[] {
  const rank = ({ file }: ConfigProblem) => file === undefined ? files.length : files.indexOf(file)
  return problems.toSorted((a, b) => rank(a) - rank(b) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
}
