/** The access rules in force, for operators (contract oathkeeper 5.1). */
import { GatewayError } from '../errors.js'
import { jsonReply, type Reply } from '../http/reply.js'
import { readPage } from './page.js'

/** The live rules as documents, and how their last reload went. */
export interface RuleList {
  readonly documents: () => readonly { readonly id: string, readonly match?: unknown, readonly upstream?: unknown }[]
  /** `error` says why the last reload was refused; absent when it was not. */
  readonly status: () => { readonly loadedAt: number, readonly error?: string }
}

/** In file order; `limit` 50 at first and 500 at most. */
export function readRules(query: URLSearchParams, rules: RuleList): Reply {
  const { limit, offset } = readPage(query, { normal: 50, most: 500 })
  return jsonReply(200, rules.documents().slice(offset, offset + limit))
}

/** The first rule with that id; 404 when there is none. */
export function readRule(id: string, rules: RuleList): Reply {
  const rule = rules.documents().find(candidate => candidate.id === id)
  if (rule === undefined) throw new GatewayError('not_found')
  return jsonReply(200, rule)
}
