/** Where a rule's requests go: its `upstream`, read once. */
import { durationMs } from '../config/duration.js'
import type { Report } from './handler-config.js'
import { canonicalPathText } from './pattern/canonical-text.js'
import type { FindOwnListener } from './own-listeners.js'
import { PatternError } from './pattern/syntax-tree.js'
import type { Upstream, UpstreamTls } from './pipeline.js'
import type { RuleDocument } from './rule-schema.js'
import type { ReadTls, TlsSettings } from './upstream-tls.js'

/** What goes for https upstreams whose rule says nothing, or not everything. */
export interface TlsDefaults {
  readonly settings: TlsSettings
  /** What becomes of `settings` alone. */
  readonly made: UpstreamTls | undefined
  readonly read: ReadTls
}

/** `undefined` when the rule has none (it serves the decision API only), and when it was reported. */
export function readUpstream(
  { upstream = {} }: RuleDocument, { tls, findOwnListener }: { readonly tls: TlsDefaults, readonly findOwnListener: FindOwnListener }, report: Report,
): Upstream | undefined {
  const stripPath = readStripPath(upstream.strip_path ?? '', report)
  if (upstream.url === undefined || upstream.url === '') return undefined

  const url = readUrl(upstream.url)
  if (typeof url === 'string') {
    report(['upstream', 'url'], `Value "${withoutCredentials(upstream.url)}" of "upstream.url" is not a valid url: ${url}`)
    return undefined
  }
  const ownListener = findOwnListener(url)
  if (ownListener !== undefined) report(['upstream', 'url'], `Value "${upstream.url}" of "upstream.url" ${ownListener}`)

  const upstreamTls = url.protocol === 'https:' ? readTls(upstream, tls, report) : refuseTls(upstream, report)
  const { connect, response } = upstream.timeout ?? {}
  const timeout = {
    ...(connect === undefined ? {} : { connect: durationMs(connect) }),
    ...(response === undefined ? {} : { response: durationMs(response) }),
  }
  return {
    origin: url.origin,
    basePath: url.pathname.replace(/\/+$/, ''),
    ...(stripPath === '' ? {} : { stripPath }),
    preserveHost: upstream.preserve_host === true,
    ...(upstreamTls === undefined ? {} : { tls: upstreamTls }),
    ...(upstream.timeout === undefined ? {} : { timeout }),
    ...(upstream.max_body_bytes === undefined ? {} : { maxBodyBytes: upstream.max_body_bytes }),
    keepAlive: upstream.keep_alive !== false,
    bodyOnSafeMethods: upstream.body_on_safe_methods === true,
  }
}

function readTls({ tls }: NonNullable<RuleDocument['upstream']>, { settings, made, read }: TlsDefaults, report: Report): UpstreamTls | undefined {
  if (tls === undefined) return made
  return read({ ...settings, ...tls }, (key, message) => report(['upstream', 'tls', key], `Value of "upstream.tls.${key}" is not right: ${message}`))
}

function refuseTls({ tls }: NonNullable<RuleDocument['upstream']>, report: Report): undefined {
  if (tls !== undefined) report(['upstream', 'tls'], 'Value of "upstream.tls" is for an "upstream.url" that begins with https://')
}

/** The URL, or why it can't be used. */
function readUrl(text: string): URL | string {
  if (!/^https?:\/\/[^/?#]/i.test(text)) return 'it must begin with http:// or https:// and a host'
  if (!URL.canParse(text)) return 'it can not be parsed'

  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return 'a user name or password in it would not be sent'
  if (url.search !== '' || url.hash !== '') return 'a query or fragment in it would not be sent'
  return url
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/]*@/, '//...@')
}

/** Slashes around it make no difference (contract 1.7). */
function readStripPath(text: string, report: Report): string {
  const trimmed = text.replace(/^\/+|\/+$/g, '')
  try {
    return trimmed === '' ? '' : `/${canonicalPathText(trimmed, 0)}`
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    report(['upstream', 'strip_path'], `Value of "upstream.strip_path" is no path: ${error.message}`)
    return ''
  }
}
