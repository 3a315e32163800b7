/** Brings rules that were written for older versions of Oathkeeper up to date (contract 1.9). */
import type { JsonObject, JsonValue } from '../store/records.js'
import { isJsonObject } from './json.js'

/** The version of Oathkeeper whose rule format this is; what migrated rules say. */
export const ruleVersion = 'v26.2.0'

/**
 * The rule in today's form; `undefined` when its `version` is no version. Rules without one, and those of `master`, are
 * taken as they are. Changes nothing in place.
 */
export function migrateRule(rule: JsonObject, running = ruleVersion): JsonObject | undefined {
  const { version = running } = rule
  if (version === 'master') return rule

  const from = typeof version === 'string' ? readVersion(version) : undefined
  const current = readVersion(running)
  if (from === undefined) return undefined
  if (current === undefined) return rule

  let migrated: JsonObject = { ...rule, version: running.replace(/\+.*$/, '').replace(/^v?/, 'v') }
  if (isAtMost(from, '0.32.0-beta.1')) migrated = withHydratorRetries(migrated)
  if (isAtMost(from, '0.37.0')) migrated = withKetoTemplates(migrated)
  return migrated
}

interface Version {
  readonly numbers: readonly number[]
  /** Identifiers of a pre-release, which comes before its release. */
  readonly before: readonly string[]
}

function readVersion(text: string): Version | undefined {
  const found = /^v?([0-9]+)\.([0-9]+)\.([0-9]+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/.exec(text)
  if (found === null) return undefined
  return { numbers: found.slice(1, 4).map(Number), before: found[4]?.split('.') ?? [] }
}

function isAtMost(version: Version, limit: string): boolean {
  const other = readVersion(limit) as Version
  for (const [at, number] of version.numbers.entries()) {
    if (number !== other.numbers[at]) return number < (other.numbers[at] as number)
  }
  if (version.before.length === 0 || other.before.length === 0) return version.before.length > 0 || other.before.length === 0

  for (const [at, identifier] of version.before.entries()) {
    const against = other.before[at]
    if (against === undefined) return false
    if (identifier === against) continue
    const [isNumber, isOtherNumber] = [/^[0-9]+$/.test(identifier), /^[0-9]+$/.test(against)]
    if (isNumber && isOtherNumber) return Number(identifier) < Number(against)
    return isNumber !== isOtherNumber ? isNumber : identifier < against
  }
  return true
}

/** `delay_in_milliseconds` and `number_of_retries` became `max_delay` and `give_up_after`. */
function withHydratorRetries(rule: JsonObject): JsonObject {
  return withConfigs(rule, 'mutators', 'hydrator', config => {
    const api = isJsonObject(config['api']) ? { api: withRetry(config['api']) } : {}
    return { ...withRetry(config), ...api }
  })
}

function withRetry(config: JsonObject): JsonObject {
  const { retry } = config
  if (!isJsonObject(retry) || !('delay_in_milliseconds' in retry || 'number_of_retries' in retry)) return config

  const { delay_in_milliseconds: delay = 100, number_of_retries: retries, ...others } = retry
  const limit = retries === undefined ? {} : { give_up_after: `${Number(retries) * Number(delay)}ms` }
  return { ...config, retry: { ...others, max_delay: `${Number(delay)}ms`, ...limit } }
}

/** `$2` became a template of the second capture. */
function withKetoTemplates(rule: JsonObject): JsonObject {
  const migrate = (config: JsonObject): JsonObject => {
    const migrated = { ...config }
    for (const key of ['required_action', 'required_resource']) {
      const text = migrated[key]
      if (typeof text !== 'string') continue
      migrated[key] = text.replace(/\$([0-9]+)/g, '{{ printIndex .MatchContext.RegexpCaptureGroups (sub $1 1 | int)}}')
    }
    return migrated
  }
  return withConfigs(rule, 'authorizer', 'keto_engine_acp_ory', migrate)
}

function withConfigs(rule: JsonObject, key: string, handler: string, migrate: (config: JsonObject) => JsonObject): JsonObject {
  const entries = rule[key]
  if (entries === undefined) return rule

  const migrateEntry = (entry: JsonValue): JsonValue => {
    if (!isJsonObject(entry) || entry['handler'] !== handler || !isJsonObject(entry['config'])) return entry
    return { ...entry, config: migrate(entry['config']) }
  }
  return { ...rule, [key]: Array.isArray(entries) ? entries.map(migrateEntry) : migrateEntry(entries) }
}
