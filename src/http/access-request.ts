/** The request as rules see it: the target parsed by hand, once, into the one URL that is matched and forwarded. */
import type { IncomingHttpHeaders } from 'node:http'

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
  /** From a trusted proxy's `X-Request-Id`, else made here. */
  readonly requestId: string
}
