/** The header fields of an upstream's answer on their way to the client. */
import type { Decision } from '../access/pipeline.js'
import { cookieName } from './cookies.js'
import { fieldName } from './field-names.js'

export interface ResponseContext {
  readonly status: number
  /** Whether the request was made on somebody's behalf, so that the answer is theirs alone (security C9). */
  readonly personal: boolean
  /** Names of cookies that only the gateway may set. */
  readonly ownCookies: readonly string[]
  /** What the rule makes of the answer; absent: nothing. */
  readonly change?: FieldChange | undefined
}

/** A rule's `response`, for one request. */
export interface FieldChange {
  /** Lower-case names of the upstream's fields that end here. */
  readonly removed: ReadonlySet<string>
  /** Flat name-value pairs that are sent besides. */
  readonly fields: readonly string[]
}

/** What the rule of a decision makes of the answer. Throws a `GatewayError` when that makes no sense for this session: ask before the upstream. */
export function changeOf({ rule: { response }, session }: Decision): FieldChange | undefined {
  return response === undefined ? undefined : { removed: response.removed, fields: response.fieldsFor(session) }
}

/** Flat name-value pairs in their order and spelling, repeated ones too; without hop-by-hop fields and our own cookies. */
export function clientFields(raw: readonly (Buffer | string)[], { status, personal, ownCookies, change }: ResponseContext): string[] {
  const fields: string[] = []
  let nominated: Set<string> | undefined
  let cacheControl = false

  for (let at = 0; at < raw.length; at += 2) {
    const sent = latin1(raw[at])
    const { kind, lower } = fieldName(sent)
    if (kind === 'hop') continue
    const value = latin1(raw[at + 1])
    if (kind === 'connection') {
      nominated = nominate(nominated, value)
      continue
    }
    if (change?.removed.has(lower) === true) continue
    if (kind === 'length' && (status === 204 || status === 101)) continue // RFC 9110 8.6
    if (kind === 'set-cookie' && ownCookies.includes(cookieName(value))) continue
    if (kind === 'cache-control') cacheControl = true
    fields.push(sent, value)
  }

  const kept = nominated === undefined ? fields : without(fields, nominated)
  if (nominated?.has('cache-control') === true) cacheControl = false
  if (change !== undefined) {
    kept.push(...withoutCookies(change.fields, ownCookies))
    cacheControl ||= change.fields.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'cache-control')
  }
  if (personal && !cacheControl) kept.push('Cache-Control', 'private, no-store')
  return kept
}

/** A template knows no more than a rule's author which cookies are ours. */
function withoutCookies(fields: readonly string[], names: readonly string[]): readonly string[] {
  return fields.filter((_text, at) => fields[at - at % 2]?.toLowerCase() !== 'set-cookie' || !names.includes(cookieName(fields[at - at % 2 + 1] ?? '')))
}

function latin1(text: Buffer | string | undefined): string {
  return typeof text === 'string' ? text : text?.toString('latin1') ?? ''
}

function nominate(nominated: Set<string> | undefined, value: string): Set<string> | undefined {
  if (/^(?:keep-alive|close)$/i.test(value)) return nominated
  const names = value.toLowerCase().split(',').map(option => option.trim())
  return new Set([...nominated ?? [], ...names.filter(name => name !== 'content-length' && name !== 'set-cookie')])
}

function without(fields: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let at = 0; at < fields.length; at += 2) {
    if (!names.has(fieldName(fields[at] as string).lower)) kept.push(fields[at] as string, fields[at + 1] as string)
  }
  return kept
}
