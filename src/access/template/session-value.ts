/** The root of a template, `.`: the session and the request as the Go structs that rule files know. Made only as far as asked for. */
import type { AccessRequest } from '../../http/access-request.js'
import { isForwardingField } from '../header-names.js'
import type { AuthenticationSession, MatchContext } from '../pipeline.js'
import { goType, makeMap, nilMap, wellFormed, type GoFunction, type Typed, type Value, type ValueMap } from './values.js'

/** The session as a template sees it. */
export function sessionValue(session: AuthenticationSession): Typed {
  return struct('authn.AuthenticationSession', {
    Subject: ['subject', () => session.subject],
    Extra: ['extra', () => session.extra ?? nilMap],
    Header: ['header', () => headerValue(Object.entries(session.header))],
    MatchContext: ['match_context', () => matchContextValue(session.match)],
  })
}

/** `x-user-id` as Go spells it: `X-User-Id`. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, start => start.toUpperCase())
}

/** Fields by name, each with its name in JSON. */
type Fields = Readonly<Record<string, readonly [json: string, read: () => Value]>>

function struct(type: string, fields: Fields, rest: Partial<Typed> = {}): Typed {
  const entries = Object.entries(fields)
  return {
    [goType]: type,
    fields: new Map(entries.map(([name, [, read]]) => [name, read])),
    document: () => makeMap(entries.map(([, [json, read]]) => [json, read()])),
    ...rest,
  }
}

function matchContextValue({ captures, request }: MatchContext): Typed {
  return struct('authn.MatchContext', {
    RegexpCaptureGroups: ['regexp_capture_groups', captures],
    URL: ['url', () => urlValue(request)],
    Method: ['method', () => request.method],
    Header: ['header', () => headerValue(requestFields(request))],
  })
}

/** Every field line of the request, but those that only a trusted proxy may say. Like in Go, `Host` is not among them. */
function requestFields({ rawHeaders, peer }: AccessRequest): FieldLines {
  const fields: (readonly [string, string])[] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    const lower = name.toLowerCase()
    if (lower === 'host' || (!peer.trusted && isForwardingField(lower))) continue
    fields.push([name, rawHeaders[at + 1] as string])
  }
  return fields
}

type FieldLines = readonly (readonly [name: string, value: string])[]

/** Go's http.Header: canonical names, a list of values each; `Get` takes any spelling and gives the first value. */
function headerValue(fields: FieldLines): Typed {
  const entries = () => groupByName(fields.map(([name, value]) => [canonicalName(name), value]))
  return valuesMap('http.Header', entries, wanted => {
    const name = wanted.toLowerCase()
    return fields.find(field => field[0].toLowerCase() === name)?.[1]
  })
}

function queryValue(fields: FieldLines): Typed {
  return valuesMap('url.Values', () => groupByName(fields), wanted => fields.find(([name]) => name === wanted)?.[1])
}

function valuesMap(type: string, entries: () => ValueMap, first: (name: string) => string | undefined): Typed {
  const get: GoFunction = { parameters: ['string'], call: (name: string) => first(name) ?? '' }
  return { [goType]: type, entries, methods: new Map([['Get', get]]), document: entries }
}

function groupByName(fields: FieldLines): ValueMap {
  const groups = new Map<string, string[]>()
  for (const [name, value] of fields) {
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [value])
    else group.push(value)
  }
  return makeMap(groups)
}

/** Go's *url.URL, as far as a request target has it. */
function urlValue(request: AccessRequest): Typed {
  const { scheme, host, path, query } = request
  const rawQuery = query.slice(1)
  const empty = () => ''
  return struct('url.URL', {
    Scheme: ['Scheme', () => scheme],
    Opaque: ['Opaque', empty],
    User: ['User', () => null],
    Host: ['Host', () => host],
    Path: ['Path', () => decoded(path)],
    RawPath: ['RawPath', () => rawPath(path)],
    OmitHost: ['OmitHost', () => false],
    ForceQuery: ['ForceQuery', () => query === '?'],
    RawQuery: ['RawQuery', () => rawQuery],
    Fragment: ['Fragment', empty],
    RawFragment: ['RawFragment', empty],
  }, {
    text: () => `${scheme}://${host}${path}${query}`,
    methods: new Map(Object.entries({
      String: reader(() => `${scheme}://${host}${path}${query}`),
      EscapedPath: reader(() => path),
      RequestURI: reader(() => path + query),
      Hostname: reader(() => hostname(host)),
      Port: reader(() => /:([0-9]*)$/.exec(host)?.[1] ?? ''),
      Query: reader(() => queryValue(queryFields(rawQuery))),
    })),
  })
}

function reader(call: () => Value): GoFunction {
  return { parameters: [], call }
}

function hostname(host: string): string {
  return host.replace(/:[0-9]*$/, '').replace(/^\[(.*)\]$/, '$1')
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** Empty when Go would escape the decoded path the same way by itself. */
function rawPath(path: string): string {
  const usual = encodeURIComponent(wellFormed(decoded(path)))
    .replace(/%(?:2F|3A|40|26|3D|2B|24|2C|3B)/g, decodeURIComponent)
    .replace(/[!'()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
  return usual === path ? '' : path
}

/** The parameters that Go's url.ParseQuery takes: none with a `;` or a broken escape. */
function queryFields(query: string): (readonly [string, string])[] {
  const fields: (readonly [string, string])[] = []
  for (const pair of query.split('&')) {
    if (pair === '' || pair.includes(';')) continue
    const at = pair.indexOf('=')
    const name = formDecoded(at === -1 ? pair : pair.slice(0, at))
    const value = formDecoded(at === -1 ? '' : pair.slice(at + 1))
    if (name !== undefined && value !== undefined) fields.push([name, value])
  }
  return fields
}

function formDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
