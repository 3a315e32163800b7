/** Makes one rule of its document: everything a request will need is parsed, looked up and checked here. */
import type { Config } from '../config/schema.js'
import { composeAnswerError } from './errors/answer-error.js'
import { type HandlerSetting, type Kind, type Report, makeHandler } from './handler-config.js'
import { authenticators, authorizers, errorHandlers, mutators } from './handlers.js'
import { type UrlMatcher, compileMatcher } from './matcher.js'
import { createOwnListenerCheck, type FindOwnListener } from './own-listeners.js'
import { PatternError } from './pattern/syntax-tree.js'
import type { AccessRule, AnswerError, Authenticate, Authorizer, Mutator, Services, Upstream } from './pipeline.js'
import type { HandlerEntry, RuleDocument } from './rule-schema.js'
import { readResponse } from './rule-response.js'
import type { Path } from './rule-source.js'
import { readUpstream, type TlsDefaults } from './rule-upstream.js'
import { createTlsReader, type TlsSettings } from './upstream-tls.js'

/** The part of the configuration that rules depend on. */
export type AccessConfig = Pick<Config, 'access_rules' | 'authenticators' | 'authorizers' | 'mutators' | 'errors'> & {
  readonly proxy?: Pick<Config['proxy'], 'tls'>
  readonly serve?: Config['serve']
  readonly urls?: Pick<Config['urls'], 'self'>
}

/** A rule, and what finds it. */
export interface CompiledRule {
  readonly rule: AccessRule
  /** `match.url` as written; empty for gRPC rules. */
  readonly pattern: string
  /** Absent for gRPC rules, which match no HTTP request. */
  readonly matcher: UrlMatcher | undefined
  /** In upper case. */
  readonly methods: ReadonlySet<string>
  /** Header names, lower-case, that its handlers may set. */
  readonly sets: readonly string[]
  /** What makes the rule useless or unsafe, and which of its values does. */
  readonly warnings: readonly RuleWarning[]
}

export interface RuleWarning {
  readonly path: Path
  /** A sentence about the rule. */
  readonly message: string
}

/** What is the same for all rules. */
export interface Compiler {
  readonly kinds: Kinds
  readonly strategy: 'regexp' | 'glob'
  readonly services: Services
  /** Handlers of `errors.fallback`. */
  readonly fallback: readonly AnswerError[]
  readonly tls: TlsDefaults
  readonly findOwnListener: FindOwnListener
  /** What several rules say alike is made once: with many rules, that is less to make, and less memory that requests go through. */
  readonly shared: { readonly handlers: Shared<RuleHandlers>, readonly upstreams: Shared<Upstream | undefined>, readonly methods: Shared<ReadonlySet<string>> }
}

/** By what was said, as JSON. */
type Shared<Made> = Map<string, Made>

interface Kinds {
  readonly authenticators: Kind<Authenticate>
  readonly authorizers: Kind<Authorizer>
  readonly mutators: Kind<Mutator>
  readonly errors: Kind<AnswerError>
}

/** Reports what is wrong with `errors.fallback` and `proxy.tls`. */
export function createCompiler(config: AccessConfig, services: Services, report: Report): Compiler {
  const kinds: Kinds = {
    authenticators: kindOf('authenticator', 'authenticators', authenticators, config.authenticators),
    authorizers: kindOf('authorizer', 'authorizers', authorizers, config.authorizers),
    mutators: kindOf('mutator', 'mutators', mutators, config.mutators),
    errors: kindOf('error handler', 'errors', errorHandlers, config.errors.handlers),
  }
  const fallback = config.errors.fallback.map((handler, index) => (
    makeHandler(kinds.errors, { handler }, ['errors', 'fallback', index], `errors.fallback[${index}]`, services, report)
  ))
  const tls = tlsDefaults(config.proxy?.tls ?? {}, services.baseDir, report)
  return {
    kinds, strategy: config.access_rules.matching_strategy, services, fallback: defined(fallback), tls, findOwnListener: ownListenerCheck(config),
    shared: { handlers: new Map(), upstreams: new Map(), methods: new Map() },
  }
}

function ownListenerCheck({ serve, urls }: AccessConfig): FindOwnListener {
  return serve === undefined || urls === undefined ? () => undefined : createOwnListenerCheck({ serve: serve.admin, url: urls.self.admin }, serve.public)
}

function tlsDefaults(settings: TlsSettings, baseDir: string, report: Report): TlsDefaults {
  const read = createTlsReader(baseDir)
  return { settings, read, made: read(settings, (key, message) => report(['proxy', 'tls', key], message)) }
}

function kindOf<Made>(singular: string, plural: string, handlers: Kind<Made>['handlers'], settings: object): Kind<Made> {
  return { singular, plural, handlers, settings: settings as Readonly<Record<string, HandlerSetting | undefined>> }
}

/** Reports every mistake of the rule, in the words of contract 1.2; a rule with mistakes is `undefined`. */
export function compileRule(document: RuleDocument, compiler: Compiler, report: Report): CompiledRule | undefined {
  let mistakes = 0
  const count: Report = (path, message) => {
    mistakes++
    report(path, message)
  }
  /** What has a mistake is made, and reported, for each rule anew. */
  function once<Made>(made: Shared<Made>, said: unknown, make: () => Made): Made {
    const key = JSON.stringify(said)
    const known = made.get(key)
    if (known !== undefined) return known
    const before = mistakes
    const value = make()
    if (mistakes === before) made.set(key, value)
    return value
  }

  const { id = '', match = {}, authenticators, authorizer, authorizers, mutators, errors } = document
  const { shared } = compiler
  const matcher = readMatch(document, compiler, count)
  const upstream = once(shared.upstreams, document.upstream ?? null, () => readUpstream(document, compiler, count))
  const response = readResponse(document, count)
  const handlers = once(shared.handlers, [authenticators, authorizer, authorizers, mutators, errors], () => readHandlers(document, compiler, count))
  if (mistakes > 0) return undefined

  const named = (match.methods ?? []).map(method => method.toUpperCase())
  const methods = once(shared.methods, named, () => new Set(named))
  return {
    pattern: match.url ?? '',
    matcher,
    methods,
    sets: [...handlers.authorizers, ...handlers.mutators].flatMap(({ sets }) => sets),
    warnings: [...uselessness(document, matcher), ...carelessness(document), ...rivalry(document, compiler.kinds), ...handlers.mutators.flatMap(warningOf)],
    rule: {
      id,
      upstream,
      setsCookies: handlers.mutators.flatMap(({ setsCookies = [] }) => setsCookies),
      ...(response === undefined ? {} : { response }),
      encodedSlashes: match.encoded_slashes === 'allow',
      authenticators: handlers.authenticators,
      authorizers: handlers.authorizers,
      mutators: handlers.mutators,
      answerError: composeAnswerError(handlers.errors, compiler.fallback),
    },
  }
}

function readMatch({ match }: RuleDocument, { strategy }: Compiler, report: Report): UrlMatcher | undefined {
  if (match === undefined) {
    report([], 'Value "match" is empty but must be set.')
    return undefined
  }
  if (match.full_method !== undefined) return undefined
  if (match.url === undefined || match.url === '') {
    report(['match', 'url'], 'Value "" of "match.url" field must not be empty.')
    return undefined
  }

  try {
    return compileMatcher(match.url, strategy)
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    const at = error.offset === undefined ? '' : ` (at character ${error.offset + 1} of the pattern)`
    report(['match', 'url'], `Value "${match.url}" of "match.url" is no pattern: ${error.message}${at}`)
    return undefined
  }
}

interface RuleHandlers {
  readonly authenticators: AccessRule['authenticators']
  readonly authorizers: readonly (Authorizer & { readonly name: string })[]
  readonly mutators: readonly (Mutator & { readonly name: string })[]
  readonly errors: readonly AnswerError[]
}

function readHandlers(document: RuleDocument, { kinds, services }: Compiler, report: Report): RuleHandlers {
  if ((document.authenticators ?? []).length === 0) {
    report(['authenticators'], 'Value of "authenticators" must be set and can not be an empty array.')
  }
  if ((document.authorizer?.handler ?? '') === '' && (document.authorizer !== undefined || (document.authorizers ?? []).length === 0)) {
    report(['authorizer'], 'Value of "authorizer.handler" can not be empty.')
  }
  if ((document.mutators ?? []).length === 0) {
    report(['mutators'], 'Value of "mutators" must be set and can not be an empty array.')
  }

  const make = <Made>(kind: Kind<Made>, entry: HandlerEntry, ...path: [string, number?]) => {
    const [list, index] = path
    const spot = index === undefined ? `${list}.handler` : `${list}[${index}]`
    return makeHandler(kind, entry, index === undefined ? [list] : [list, index], spot, services, report)
  }
  const { authorizer } = document
  const single = authorizer?.handler === undefined || authorizer.handler === ''
    ? []
    : [named(authorizer, make(kinds.authorizers, authorizer, 'authorizer'))]

  return {
    authenticators: defined((document.authenticators ?? []).map((entry, index) => {
      const authenticate = make(kinds.authenticators, entry, 'authenticators', index)
      return authenticate === undefined ? undefined : { name: entry.handler ?? '', optional: entry.optional === true, authenticate }
    })),
    authorizers: defined([
      ...single,
      ...(document.authorizers ?? []).map((entry, index) => named(entry, make(kinds.authorizers, entry, 'authorizers', index))),
    ]),
    mutators: defined((document.mutators ?? []).map((entry, index) => named(entry, make(kinds.mutators, entry, 'mutators', index)))),
    errors: defined((document.errors ?? []).map((entry, index) => make(kinds.errors, entry, 'errors', index))),
  }
}

function named<Made extends object>({ handler = '' }: HandlerEntry, made: Made | undefined): (Made & { readonly name: string }) | undefined {
  return made === undefined ? undefined : { ...made, name: handler }
}

function defined<Value>(values: readonly (Value | undefined)[]): Value[] {
  return values.filter(value => value !== undefined)
}

function uselessness({ match }: RuleDocument, matcher: UrlMatcher | undefined): RuleWarning[] {
  const path = ['match', 'url']
  if (matcher === undefined) return [{ path, message: 'it is a gRPC rule, which matches no HTTP request' }]
  const warnings = matcher.warnings.map(reason => ({ path, message: `it matches nothing: ${reason}` }))
  return (match?.methods ?? []).length === 0 ? [...warnings, { path, message: 'it matches nothing: it has no methods' }] : warnings
}

/** Said once for `proxy.tls`, and for every rule that says so itself. */
export const unverified = 'certificates of upstreams are not verified, anybody on the way can pose as one'

function carelessness({ upstream }: RuleDocument): RuleWarning[] {
  return upstream?.tls?.insecure_skip_verify === true ? [{ path: ['upstream', 'tls', 'insecure_skip_verify'], message: unverified }] : []
}

/** Of several handlers one at most may be responsible (contract 2.5.1). */
function rivalry({ errors }: RuleDocument, { errors: { settings } }: Kinds): RuleWarning[] {
  if (errors === undefined || errors.length < 2) return []
  return errors.flatMap(({ handler = '', config }, index) => {
    const when = config?.['when'] ?? settings[handler]?.config?.['when']
    if (Array.isArray(when) && when.length > 0) return []
    return [{ path: ['errors', index], message: `the error handler "${handler}" has no \`when\`, so it answers everything; what another one of the rule answers too becomes a 500` }]
  })
}

function warningOf({ warning }: RuleHandlers['mutators'][number], at: number): RuleWarning[] {
  return warning === undefined ? [] : [{ path: ['mutators', at], message: warning }]
}
