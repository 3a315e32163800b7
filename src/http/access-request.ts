/** The request as rules see it: the target parsed by hand, once, into the one URL that is matched and forwarded. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

import { GatewayError } from '../errors.js'
import { clientAddress, createTrust, plainAddress } from './client-address.js'
import { checkFraming } from './framing.js'
import { readHost } from './host.js'
import type { RequestBody } from './request-body.js'
import { readTarget, type Target } from './target.js'

/** One request, read and normalised. What the rules match is, byte for byte, what the upstream gets. */
export interface AccessRequest {
  /** As sent; methods are case-sensitive. */
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** Lower-case, without default port and trailing dot: `example.org`, `example.org:8080`, `[::1]:4455`. */
  readonly host: string
  /** Canonical and percent-encoded; begins with `/`; no dot segments, no empty segments but a trailing one. */
  readonly path: string
  /** Whether the path holds `%2F` or `%5C`, which only a rule that says so accepts. */
  readonly encodedSlashes: boolean
  /** With its `?`, untouched; empty when there is none. */
  readonly query: string
  /** `scheme://host/path`, the text that rule patterns are compared with. */
  readonly url: string
  /** As Node gives them; names lower-case. */
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  /** The nearest address that is not a trusted proxy; IPv4 also when the socket says `::ffff:192.0.2.1`. */
  readonly clientAddress: string
  /** Who the connection comes from, and whether it is one of `serve.public.trusted_proxies`, whose forwarding fields are kept. */
  readonly peer: { readonly address: string, readonly trusted: boolean }
  /** See `createRequestIds`. */
  readonly requestId: string
  /** For authorizers that must see it; absent where there is none to see: a decision, an upgrade. */
  readonly body?: RequestBody
}

export interface AccessRequestReaderOptions {
  /** CIDRs whose `X-Forwarded-*` is believed. */
  readonly trustedProxies: readonly string[]
  readonly pathBytes: number
  readonly headerFields: number
}

/**
 * Makes the one function that reads a request. What it returns is all that anybody may know of the target; it throws
 * `GatewayError` for a target, host or framing that could mean two things (design section 3, security S, U).
 */
export function createAccessRequestReader(options: AccessRequestReaderOptions): (req: IncomingMessage, requestId: string) => AccessRequest {
  const isTrusted = createTrust(options.trustedProxies)

  return (req, requestId) => {
    checkFraming(req, options)
    const target = readTarget(req.url ?? '', options.pathBytes)
    const address = plainAddress(req.socket.remoteAddress ?? '')
    const peer = { address, trusted: isTrusted(address) }
    const scheme = schemeOf(req, peer.trusted)
    const host = hostOf(req, peer.trusted, scheme, target.absolute)

    return {
      method: req.method ?? '',
      scheme,
      host,
      path: target.path,
      encodedSlashes: target.encodedSlashes,
      query: target.query,
      url: `${scheme}://${host}${target.path}`,
      headers: req.headers,
      rawHeaders: req.rawHeaders,
      clientAddress: peer.trusted ? clientAddress(address, lastOf(req.headers['x-forwarded-for']), isTrusted) : address,
      peer,
      requestId,
    }
  }
}

/** `X-Forwarded-Proto` of a trusted proxy when it says exactly one of the two, else what the connection is (contract 4.2). */
function schemeOf(req: IncomingMessage, trusted: boolean): 'http' | 'https' {
  const forwarded = trusted ? lastOf(req.headers['x-forwarded-proto'])?.toLowerCase() : undefined
  if (forwarded === 'http' || forwarded === 'https') return forwarded
  return 'encrypted' in req.socket ? 'https' : 'http'
}

function hostOf(req: IncomingMessage, trusted: boolean, scheme: 'http' | 'https', absolute: Target['absolute']): string {
  const field = onlyHost(req.rawHeaders)
  const host = field === undefined ? undefined : readHost(field, scheme)
  if (host === undefined) throw new GatewayError('bad_request', { reason: 'the request must have one valid Host' })

  if (absolute !== undefined && (absolute.scheme !== scheme || readHost(absolute.authority, scheme) !== host)) {
    throw new GatewayError('bad_request', { reason: 'the request target disagrees with Host' })
  }

  const forwarded = trusted ? lastOf(req.headers['x-forwarded-host']) : undefined
  if (forwarded === undefined) return host
  // The nearest proxy appends; what stands left of it may be the client's.
  const said = readHost(forwarded.slice(forwarded.lastIndexOf(',') + 1).trim(), scheme)
  if (said === undefined) throw new GatewayError('bad_request', { reason: 'X-Forwarded-Host is not a host' })
  return said
}

/** Node keeps the first of several silently, so the raw fields are counted (security U14). */
function onlyHost(rawHeaders: readonly string[]): string | undefined {
  let host: string | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.length !== 4 || rawHeaders[at]?.toLowerCase() !== 'host') continue
    if (host !== undefined) return undefined
    host = rawHeaders[at + 1]
  }
  return host
}

/** Node joins repeated fields; the type allows an array. */
function lastOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'object' ? value.at(-1) : value
}
