/** The set of access rules in force: which rule a request meets, and what goes for every rule. */
import { GatewayError } from '../errors.js'
import type { AccessRequest } from '../http/access-request.js'
import { type AccessConfig, type CompiledRule, compileRule, createCompiler, unverified } from './compile-rule.js'
import { composeAnswerError } from './errors/answer-error.js'
import { overlapWarnings } from './overlaps.js'
import type { AccessRule, Services } from './pipeline.js'
import { type PlacedRule, readRules } from './rule-document.js'
import { type FindMatches, type Indexed, indexRules } from './rule-index.js'
import { type RuleJson, ruleJson } from './rule-json.js'
import { type RuleMistake, RuleMistakes, mistakeText } from './rule-mistakes.js'

/** A rule that a request meets. */
export interface Matched {
  readonly rule: AccessRule
  /** The texts that its pattern captures, worked out when asked for: few rules use them. */
  readonly captures: () => readonly string[]
}

/** What one rule has to say about a request, for people who ask why. */
export interface Consideration {
  readonly id: string
  /** `match.url` as written; empty for gRPC rules. */
  readonly pattern: string
  readonly verdict: 'matches' | 'other method' | 'other URL' | 'gRPC only'
}

/** All rules, compiled. Never changes: a reload makes another one. */
export interface RuleSet {
  /** The one rule for this request. Throws `no_rule`, or `several_rules` where that is an error. */
  readonly match: (request: AccessRequest) => Matched
  /** What every rule says about this request, in file order; looks at each of them, so it is not for serving requests. */
  readonly consider: (request: AccessRequest) => Consideration[]
  /** Answers failures that belong to no rule, by the configured `errors.fallback`. Never throws. */
  readonly answerError: AccessRule['answerError']
  /** Folded names (lower-case letters and digits only) of header fields that no client may send (security H2). */
  readonly stripped: ReadonlySet<string>
  /** Names of cookies that no client may send. */
  readonly strippedCookies: readonly string[]
  /** The rules as `GET /rules` shows them, in file order. */
  readonly documents: readonly RuleJson[]
  /** Their ids, in file order. */
  readonly ids: readonly string[]
  /** How many there are. */
  readonly count: number
  /** One line each, told when the set is loaded: rules that match nothing, rules that match the same. */
  readonly warnings: readonly string[]
}

/** The text of one rule file. */
export interface RuleFile {
  /** What mistakes call it. */
  readonly name: string
  readonly text: string
}

/** Compiles the rules of all files as one set. Throws `RuleMistakes` with every mistake of every file. */
export function compileRules(files: readonly RuleFile[], config: AccessConfig, services: Services): RuleSet {
  const mistakes: RuleMistake[] = []
  const compiler = createCompiler(config, services, (path, message) => mistakes.push({ file: `configuration ${path.join('.')}`, message }))
  const read = files.map(({ name, text }) => readRules(text, name))
  const placed = read.flatMap(({ rules }) => rules)
  mistakes.push(...read.flatMap(found => found.mistakes), ...sharedIds(placed))

  const compiled: CompiledRule[] = []
  const warnings = config.proxy?.tls.insecure_skip_verify === true ? [`configuration proxy.tls.insecure_skip_verify: ${unverified}`] : []
  for (const { document, placeOf } of placed) {
    const rule = document.id === '' ? undefined : document.id
    const made = compileRule(document, compiler, (path, message) => mistakes.push({ ...placeOf(path), rule, message }))
    if (made === undefined) continue
    compiled.push(made)
    warnings.push(...made.warnings.map(({ path, message }) => mistakeText({ ...placeOf(path), rule, message })))
  }
  if (mistakes.length > 0) throw new RuleMistakes(inFileOrder(mistakes, files))

  const first = config.access_rules.on_multiple_matches === 'first'
  const http = compiled.filter(isHttp)
  const { find, mayOverlap } = indexRules(http)
  let documents: RuleJson[] | undefined
  return {
    match: matchBy(find, first ? new Map(http.map((rule, at) => [rule, at])) : undefined),
    consider: request => compiled.map(rule => ({ id: rule.rule.id, pattern: rule.pattern, verdict: verdictOf(rule, request) })),
    answerError: composeAnswerError([], compiler.fallback),
    stripped: strippedBy(compiled),
    strippedCookies: [...new Set(compiled.flatMap(({ rule }) => rule.setsCookies ?? []))],
    get documents() { return documents ??= placed.map(({ document }) => ruleJson(document)) },
    ids: compiled.map(({ rule }) => rule.id),
    count: placed.length,
    warnings: [...warnings, ...overlapWarnings(http.filter(mayOverlap), find, first ? 'the first takes' : 'is answered with 500')],
  }
}

/** `order` is absent where several matches are an error. */
function matchBy(find: FindMatches<CompiledRule & Indexed>, order: ReadonlyMap<CompiledRule, number> | undefined): RuleSet['match'] {
  return request => {
    const found = find(request)
    if (found.length > 1) {
      if (order === undefined) throw new GatewayError('several_rules', { detail: `rules ${found.map(({ rule }) => rule.id).join(', ')}` })
      found.sort((a, b) => (order.get(a) as number) - (order.get(b) as number))
    }

    const [matched] = found
    if (matched === undefined) throw new GatewayError('no_rule')
    return { rule: matched.rule, captures: () => matched.matcher.captures(request.url) }
  }
}

function verdictOf({ matcher, methods }: CompiledRule, { method, url }: AccessRequest): Consideration['verdict'] {
  if (matcher === undefined) return 'gRPC only'
  if (!matcher.test(url)) return 'other URL'
  return methods.has(method.toUpperCase()) ? 'matches' : 'other method'
}

function isHttp(rule: CompiledRule): rule is CompiledRule & Indexed {
  return rule.matcher !== undefined
}

/** What clients may send themselves although rules set it: where a rule does, its own value replaces theirs. */
const ordinary = new Set(['authorization', 'cookie'])

function strippedBy(rules: readonly CompiledRule[]): ReadonlySet<string> {
  const names = rules.flatMap(({ sets }) => sets).filter(name => !ordinary.has(name))
  return new Set(names.map(name => name.toLowerCase().replace(/[^a-z0-9]/g, '')))
}

function inFileOrder(mistakes: readonly RuleMistake[], files: readonly RuleFile[]): RuleMistake[] {
  const order = new Map(files.map(({ name }, at) => [name, at]))
  return mistakes.toSorted((a, b) => (
    (order.get(a.file) ?? -1) - (order.get(b.file) ?? -1) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
  ))
}

function sharedIds(rules: readonly PlacedRule[]): RuleMistake[] {
  const seen = new Map<string, PlacedRule>()
  const mistakes: RuleMistake[] = []
  for (const placed of rules) {
    const { document: { id = '' }, placeOf } = placed
    const before = seen.get(id)?.placeOf(['id'])
    if (before !== undefined) mistakes.push({ ...placeOf(['id']), rule: id, message: `The id is taken by the rule in ${before.file}:${before.line ?? 1}` })
    else if (id !== '') seen.set(id, placed)
  }
  return mistakes
}
