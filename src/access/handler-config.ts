/** Makes handlers for rules: looked up, configured and checked when rules are loaded, so that a request only runs closures. */
import type { JsonObject } from '../store/records.js'
import { ConfigMistake } from './config-mistake.js'
import { deepMerge } from './json.js'
import type { Handler, Services } from './pipeline.js'
import type { HandlerEntry } from './rule-schema.js'
import type { Path } from './rule-source.js'
import { didYouMean, schemaMistakes } from './schema-mistakes.js'

/** `authenticators.<name>` and its like in the configuration. */
export interface HandlerSetting {
  readonly enabled?: boolean
  readonly config?: { readonly [key: string]: unknown }
}

/** One of the four kinds of handler. */
export interface Kind<Made> {
  readonly singular: string
  readonly plural: string
  readonly handlers: readonly Handler<Made>[]
  readonly settings: { readonly [name: string]: HandlerSetting | undefined }
}

/** Takes a mistake about a value of the rule. */
export type Report = (path: Path, message: string) => void

/**
 * The handler that an entry of a rule asks for, with the rule's `config` merged over the global one. Reports what is wrong
 * in the words of contract 1.2 and answers `undefined` then. `spot` is how those words call the place: `mutators[0]`.
 */
export function makeHandler<Made>(kind: Kind<Made>, entry: HandlerEntry, path: Path, spot: string, services: Services, report: Report): Made | undefined {
  const { handler: name = '', config } = entry
  const ids = kind.handlers.map(handler => handler.name)
  const handler = kind.handlers.find(candidate => candidate.name === name)
  if (handler === undefined) {
    const where = [...path, ...(name === '' ? [] : ['handler'])]
    report(where, `Value "${name}" of "${spot}" is not in list of supported ${kind.plural}: [${ids.join(', ')}]${didYouMean(name, ids)}`)
    return undefined
  }

  const setting = kind.settings[name] ?? {}
  if (!(setting.enabled ?? handler.optIn !== true)) {
    report([...path, 'handler'], `${capital(kind.singular)} "${name}" is disabled per configuration.`)
    return undefined
  }

  const merged = deepMerge((setting.config ?? {}) as JsonObject, (config ?? {}) as JsonObject)
  const invalid = (below: Path, message: string): void => {
    report([...path, 'config', ...below], `Configuration for ${kind.singular} "${name}" could not be validated: ${message}`)
  }
  const mistakes = schemaMistakes(handler.config, merged)
  for (const mistake of mistakes) invalid(mistake.path, mistake.message)
  if (mistakes.length > 0) return undefined

  try {
    // what the schema has just said about it
    return handler.create(merged as never, services)
  } catch (error) {
    invalid(error instanceof ConfigMistake ? error.path : [], (error as Error).message)
    return undefined
  }
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
