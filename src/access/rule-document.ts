/** Reads the rules of one file: an array, each rule brought up to date and held against the schema of rules. */
import type { JsonObject, JsonValue } from '../store/records.js'
import { isJsonObject } from './json.js'
import { migrateRule } from './rule-migration.js'
import { type Place, type RuleMistake, RuleMistakes } from './rule-mistakes.js'
import { type RuleDocument, ruleSchema } from './rule-schema.js'
import { type Path, readRuleSource } from './rule-source.js'
import { schemaMistakes } from './schema-mistakes.js'

/** A rule as its file has it, and where that is. */
export interface PlacedRule {
  readonly document: RuleDocument
  /** The place of a value of the rule; of what is nearest to it when the rule does not have it. */
  readonly placeOf: (path: Path) => Place
}

/** The rules of a file, and everything about their form that is wrong; a rule with mistakes is not among them. */
export interface ReadRules {
  readonly rules: readonly PlacedRule[]
  readonly mistakes: readonly RuleMistake[]
}

/**
 * `text` is YAML or JSON. A file without any content is a mistake: a truncated file must not be taken for "no rules"
 * (security X13), which is written `[]`.
 */
export function readRules(text: string, file: string): ReadRules {
  try {
    const { value, placeOf } = readRuleSource(text, file)
    if (Array.isArray(value)) return readEach(value, placeOf)

    const message = value === null ? 'The file is empty; a file without rules holds []' : 'A rule file is a list of rules'
    return { rules: [], mistakes: [{ ...placeOf([]), message }] }
  } catch (error) {
    if (error instanceof RuleMistakes) return { rules: [], mistakes: error.mistakes }
    throw error
  }
}

function readEach(values: readonly JsonValue[], placeOf: (path: Path) => Place): ReadRules {
  const rules: PlacedRule[] = []
  const mistakes: RuleMistake[] = []
  for (const [index, value] of values.entries()) {
    const placeInRule = (path: Path): Place => placeOf([index, ...path])
    if (!isJsonObject(value)) {
      mistakes.push({ ...placeInRule([]), message: 'A rule is a map of keys' })
      continue
    }
    const document = readOne(value, (path, message) => mistakes.push({ ...placeInRule(path), rule: idOf(value), message }))
    if (document !== undefined) rules.push({ document, placeOf: placeInRule })
  }
  return { rules, mistakes }
}

function readOne(value: JsonObject, report: (path: Path, message: string) => void): RuleDocument | undefined {
  const migrated = migrateRule(value)
  if (migrated === undefined) {
    report(['version'], 'version must be a version such as v0.40.0')
    return undefined
  }

  const mistakes = schemaMistakes(ruleSchema, migrated)
  for (const { path, message } of mistakes) report(path, message)
  return mistakes.length === 0 ? migrated as RuleDocument : undefined
}

function idOf(value: JsonObject): string | undefined {
  const { id } = value
  return typeof id === 'string' && id !== '' ? id : undefined
}
