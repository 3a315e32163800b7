/** The header fields of an upstream's answer on their way to the client. */
import { cookieName } from './cookies.js'
import { fieldName } from './field-names.js'

export interface ResponseContext {
  readonly status: number
  /** Whether the request was made on somebody's behalf, so that the answer is theirs alone (security C9). */
  readonly personal: boolean
  /** Names of cookies that only the gateway may set. */
  readonly ownCookies: readonly string[]
}

/** Flat name-value pairs in their order and spelling, repeated ones too; without hop-by-hop fields and our own cookies. */
export function clientFields(raw: readonly (Buffer | string)[], { status, personal, ownCookies }: ResponseContext): string[] {
  const fields: string[] = []
  let nominated: Set<string> | undefined
  let cacheControl = false

  for (let at = 0; at < raw.length; at += 2) {
    const sent = latin1(raw[at])
    const { kind } = fieldName(sent)
    if (kind === 'hop') continue
    const value = latin1(raw[at + 1])
    if (kind === 'connection') {
      nominated = nominate(nominated, value)
      continue
    }
    if (kind === 'length' && (status === 204 || status === 101)) continue // RFC 9110 8.6
    if (kind === 'set-cookie' && ownCookies.includes(cookieName(value))) continue
    if (kind === 'cache-control') cacheControl = true
    fields.push(sent, value)
  }

  if (personal && !cacheControl) fields.push('Cache-Control', 'private, no-store')
  return nominated === undefined ? fields : without(fields, nominated)
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
