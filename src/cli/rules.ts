/** `oathgate rules`: what the access rules in the files say, and why they would let a request through or not. */
import { explain, type Explanation, type Step } from '../access/explain.js'
import { createRemoteAccess } from '../access/remote-access.js'
import { loadRules } from '../access/repositories.js'
import type { RuleSet } from '../access/rules.js'
import type { Config } from '../config/schema.js'
import type { AccessRequest } from '../http/access-request.js'
import { imaginedRequest } from '../http/imagined-request.js'
import { upstreamFields } from '../proxy/headers.js'
import { upstreamPath } from '../proxy/upstream-path.js'
import { ownCookies, ruleServices } from '../part-options.js'
import type { JsonObject } from '../store/records.js'
import { imaginedSessions } from './imagined-sessions.js'
import { configFiles, configOptions, meantForConfig, noMore, readOptions } from './options.js'
import { loadChecked } from './serve.js'
import { tableText } from './table.js'
import { UsageError } from './usage-error.js'

/** Needs no running gateway. Exit code 1 when a request that was explained would be refused. */
export async function rules(args: readonly string[]): Promise<number> {
  const { values, positionals: [verb, ...rest] } = readOptions(args, {
    ...configOptions,
    header: { type: 'string', short: 'H', multiple: true },
    traits: { type: 'string' },
    json: { type: 'boolean' },
  })
  if (verb !== 'list' && verb !== 'explain') throw new UsageError('rules needs "list" or "explain"')
  if (verb === 'list') noMore(rest, meantForConfig)

  const { config, baseDir } = await loadChecked(configFiles(values.config))
  const remote = createRemoteAccess(baseDir)
  try {
    const ruleSet = await loadRules(config, baseDir, ruleServices(config, imaginedSessions(readTraits(values.traits)), remote))
    if (verb === 'list') return list(ruleSet, values.json === true)

    const [method, url] = rest
    if (method === undefined || url === undefined || rest.length > 2) throw new UsageError('rules explain needs a method and a URL')
    const request = imaginedRequest(method, url, (values.header ?? []).flatMap(readField), config.serve.public.limits.path_bytes)
    if (isSelfService(request, config)) {
      process.stdout.write(`${method} ${request.url}\n\nbelow urls.self.public: the gateway answers it itself, no rule is asked\n`)
      return 0
    }
    const explanation = await explain(request, ruleSet)
    if (values.json === true) process.stdout.write(`${JSON.stringify({ ...explanation, decision: undefined }, undefined, 2)}\n`)
    else process.stdout.write(`${explanationLines(explanation, request, config).join('\n')}\n`)
    return explanation.refusal === undefined ? 0 : 1
  } finally {
    await remote.close()
  }
}

/** Beyond this many rules, only those that have to do with the URL are shown. */
const shownRules = 30

function isSelfService({ host, path }: AccessRequest, config: Config): boolean {
  const own = new URL(config.urls.self.public)
  return host === own.host && (path === own.pathname || path.startsWith(`${own.pathname.replace(/\/$/, '')}/`))
}

function list({ documents }: RuleSet, json: boolean): number {
  if (json) process.stdout.write(`${JSON.stringify(documents, undefined, 2)}\n`)
  else process.stdout.write(tableText(['id', 'methods', 'url', 'upstream'], documents.map(row)))
  return 0
}

function row({ id, match, upstream }: RuleSet['documents'][number]): string[] {
  const { methods = [], url = '' } = match as { readonly methods?: readonly string[], readonly url?: string }
  return [id, methods.join(','), url, (upstream as { url?: string } | null)?.url ?? '']
}

function explanationLines({ method, url, rules, rule, captures = [], steps, refusal, decision }: Explanation, request: AccessRequest, config: Config): string[] {
  const lines = [`${method} ${url}`, '', 'rules:']
  const shown = rules.length <= shownRules ? rules : rules.filter(({ verdict }) => verdict === 'matches' || verdict === 'other method')
  for (const { id, pattern, verdict } of shown) lines.push(`  ${verdict === 'matches' ? '*' : ' '} ${id}: ${verdict}  ${pattern}`)
  if (shown.length < rules.length) lines.push(`    and ${rules.length - shown.length} for other URLs`)
  if (rule !== undefined) {
    lines.push('', `rule ${rule}:`, ...captures.map((text, at) => `  capture ${at}: ${text}`), ...steps.map(stepLine))
  }
  if (refusal !== undefined) {
    const { code, reason, detail, answer } = refusal
    lines.push('', `refused: ${[code, reason, detail].filter(Boolean).join(', ')}`, `  the client gets ${answer.status}`)
    for (const [name, value] of Object.entries(answer.headers)) lines.push(`    ${name}: ${value}`)
    if (answer.status >= 500) lines.push(`    ${answer.body}`)
    return lines
  }
  if (decision === undefined) return lines

  const { upstream } = decision.rule
  if (upstream === undefined) return [...lines, '', 'allowed; the rule has no upstream, so only the decision API can use it']
  lines.push('', `allowed: to ${upstream.origin}`, `  ${method} ${upstreamPath(upstream, request.path)}${request.query}`)
  const fields = upstreamFields(request, decision, ownCookies(config))
  for (let at = 0; at < fields.length; at += 2) lines.push(`  ${fields[at]}: ${fields[at + 1]}`)
  return lines
}

function stepLine({ kind, handler, outcome, subject, failure }: Step): string {
  const who = kind === 'authenticator' && outcome === 'passed' ? ` as "${subject}"` : ''
  const why = failure === undefined ? '' : `: ${[failure.code, failure.reason, failure.detail].filter(Boolean).join(', ')}`
  return `  ${kind} ${handler}: ${outcome}${who}${why}`
}

function readField(text: string): [name: string, value: string] {
  const at = text.indexOf(':')
  if (at < 1) throw new UsageError(`"${text}" is not a header field; write it as "Name: value"`)
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()]
}

function readTraits(text: string | undefined): JsonObject {
  if (text === undefined) return {}
  try {
    return JSON.parse(text) as JsonObject
  } catch {
    throw new UsageError('--traits needs a JSON object')
  }
}
