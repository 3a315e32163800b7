/** Rules as `GET /rules` shows them (contract 1.1). */
import type { JsonObject } from '../store/records.js'
import type { HandlerEntry, RuleDocument } from './rule-schema.js'

export type RuleJson = JsonObject & { readonly id: string }

/** Members in Oathkeeper's order; what the rule does not have is `null` or empty, what is an extension is there when it is used. */
export function ruleJson(document: RuleDocument): RuleJson {
  const { id = '', version = '', description = '', authenticators, authorizer, authorizers, mutators, errors, upstream = {}, response } = document
  const { preserve_host: preserveHost = false, strip_path: stripPath = '', url = '', ...others } = upstream
  return json({
    id, version, description,
    match: document.match ?? null,
    authenticators: entries(authenticators),
    authorizer: authorizer === undefined ? { handler: '', config: null } : entry(authorizer),
    ...(authorizers === undefined ? {} : { authorizers: entries(authorizers) }),
    mutators: entries(mutators),
    errors: entries(errors),
    upstream: { preserve_host: preserveHost, strip_path: stripPath, url, ...others },
    ...(response === undefined ? {} : { response }),
  })
}

function entries(list: readonly HandlerEntry[] | undefined): unknown {
  return list === undefined ? null : list.map(entry)
}

function entry({ handler = '', config, ...others }: HandlerEntry): unknown {
  return { handler, config: config ?? null, ...others }
}

/** The document came from JSON, so it is JSON. */
function json(value: unknown): RuleJson {
  return structuredClone(value) as RuleJson
}
