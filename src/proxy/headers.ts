/** The header fields of the request to the upstream: the client's are cut down first, then ours are set (security H). */
import type { Decision } from '../access/pipeline.js'
import { GatewayError } from '../errors.js'
import type { AccessRequest } from '../http/access-request.js'
import { cutCookies } from './cookies.js'
import { fieldName } from './field-names.js'

/**
 * Flat name-value pairs, `host` among them; no framing and no hop-by-hop field. Throws `bad_request` when `Connection` names a
 * field that the next hop needs. `ownCookies` are names of cookies that no upstream gets to see.
 */
export function upstreamFields(request: AccessRequest, { rule, session, stripped, strippedCookies = [] }: Decision, ownCookies: readonly string[]): string[] {
  const { rawHeaders, peer } = request
  const nominated = connectionNominated(request)
  const cookiesCut = strippedCookies.length === 0 ? ownCookies : [...ownCookies, ...strippedCookies]
  const upstream = rule.upstream
  const fields = ['host', upstream === undefined || upstream.preserveHost ? request.host : hostOf(upstream.origin)]

  // A handler may set names that no rule could say when it was loaded (hydrator); their other spellings go too (security H2).
  const told = Object.keys(session.header).map(name => fieldName(name).fold)

  for (let at = 0; at < rawHeaders.length; at += 2) {
    const sent = rawHeaders[at] as string
    const name = fieldName(sent)
    if (name.kind === 'cookie') {
      if (Object.hasOwn(session.header, 'cookie') || nominated?.has('cookie')) continue
      const kept = cutCookies(rawHeaders[at + 1] as string, cookiesCut)
      if (kept !== '') fields.push(sent, kept)
      continue
    }
    const travels = name.kind === 'plain' || name.kind === 'cache-control' || name.kind === 'set-cookie'
      || (name.kind === 'forwarding' && peer.trusted)
    if (!travels || stripped.has(name.fold) || told.includes(name.fold) || nominated?.has(name.lower)) continue
    fields.push(sent, rawHeaders[at + 1] as string)
  }

  fields.push(
    'x-forwarded-for', forwardedFor(request),
    'x-forwarded-host', request.host,
    'x-forwarded-proto', request.scheme,
    'x-request-id', request.requestId,
  )
  for (const name of Object.keys(session.header)) {
    const { lower, kind } = fieldName(name)
    if (kind === 'hop' || kind === 'host' || kind === 'length' || kind === 'connection' || kind === 'alias') continue
    const value = fieldValue(session.header[name] as string)
    if (lower !== 'cookie') fields.push(lower, value)
    else fields.push('cookie', cutCookies(value, cookiesCut.filter(cookie => !rule.setsCookies?.includes(cookie))))
  }
  return fields
}

/** A value that is one line whatever is in it: UTF-8, with control characters percent-encoded (security H9). */
export function fieldValue(text: string): string {
  if (/^[\t -~]*$/.test(text)) return text
  const oneLine = text.replace(/[\x00-\x08\x0a-\x1f\x7f]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
  return Buffer.from(oneLine, 'utf8').toString('latin1')
}

/** `http://host:port` without its scheme. */
function hostOf(origin: string): string {
  return origin.slice(origin.indexOf('//') + 2)
}

/** A client that names one of these wants the upstream to get a request that is not the one we decided on. */
const needed = new Set(['cookie', 'authorization', 'host', 'content-length', 'content-type'])

/** Names that the client's `Connection` takes off; `undefined` when there are none, as nearly always. */
function connectionNominated({ headers }: AccessRequest): ReadonlySet<string> | undefined {
  const options = headers.connection
  if (options === undefined || /^(?:keep-alive|close|upgrade|keep-alive, upgrade)$/i.test(options)) return undefined

  const nominated = new Set(options.toLowerCase().split(',').map(option => option.trim()))
  for (const name of nominated) {
    if (needed.has(name)) throw new GatewayError('bad_request', { reason: `Connection must not name ${name}`, headers: { connection: 'close' } })
  }
  return nominated
}

function forwardedFor({ headers, peer }: AccessRequest): string {
  const before = peer.trusted ? headers['x-forwarded-for'] : undefined
  return before === undefined ? peer.address : `${String(before)}, ${peer.address}`
}
