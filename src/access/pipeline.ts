/** The shapes that everything in `access/` hangs on: who is asking, the four kinds of handler, a decision. */
import type { SecureContext } from 'node:tls'

import type { Answer, GatewayError } from '../errors.js'
import type { AccessRequest } from '../http/access-request.js'
import type { Sessions } from '../session/sessions.js'
import type { JsonObject } from '../store/records.js'
import type { FoundSession } from '../store/store.js'
import type { RemoteAccess } from './remote-access.js'

export type { Answer } from '../errors.js'

type Awaitable<T> = T | Promise<T>

/** What the matched rule and the request say, for templates and handlers (contracts: MatchContext). */
export interface MatchContext {
  readonly ruleId: string
  /** One text per capture group of the pattern, by opening parenthesis, named groups last; `''` for a group that took no part; empty for glob. As in the URL, percent-encoded. Worked out when asked for: few rules use them. */
  readonly captures: () => readonly string[]
  readonly request: AccessRequest
}

/** Who is asking, for the length of one request. Values, never mutated: a handler returns a new one. */
export interface AuthenticationSession {
  /** Empty when nobody is known. */
  readonly subject: string
  /** What the authenticator knows besides; absent when it knows nothing. */
  readonly extra: JsonObject | undefined
  /** Header fields to set on the request to the upstream, by lower-case name. */
  readonly header: Readonly<Record<string, string>>
  readonly match: MatchContext
  /**
   * Whether they are still who they were, for what outlives the request (security W9). Rejects when that can't be told. Absent
   * when there is nothing that could have ended.
   */
  readonly stillValid?: () => Promise<boolean>
}

/**
 * `undefined` means "not responsible, ask the next one"; a thrown `GatewayError` means "these credentials are not
 * accepted" and ends the request, unless the rule's entry says `optional: true`.
 */
export type Authenticate = (session: AuthenticationSession) => Awaitable<AuthenticationSession | undefined>

/** Returns the session, with header fields added where the handler says so, when access is granted; throws otherwise. */
export type Authorize = (session: AuthenticationSession) => Awaitable<AuthenticationSession>

export interface Authorizer {
  /** Header names, lower-case, that it may set. No rule lets a client's own value of these through. */
  readonly sets: readonly string[]
  readonly authorize: Authorize
}

export interface Mutator {
  /** Header names, lower-case, that it may set. No rule lets a client's own value of these through. */
  readonly sets: readonly string[]
  /** Cookies that it sets, likewise; absent: none. */
  readonly setsCookies?: readonly string[]
  /** What is unsafe about its configuration, told when rules are loaded; a sentence about the rule. */
  readonly warning?: string
  readonly mutate: (session: AuthenticationSession) => Awaitable<AuthenticationSession>
}

/** `undefined` means "not responsible" (its `when` does not fit). The request is absent when the URL was refused before matching. */
export type AnswerError = (error: GatewayError, request: AccessRequest | undefined) => Answer | undefined

/** What an https upstream is checked against, and shown. */
export interface UpstreamTls {
  /** Differs between settings that differ in anything: connections are pooled by it. */
  readonly id: string
  /** The authorities that are trusted, and the certificate that is shown. */
  readonly context: SecureContext
  /** The name that is asked for and that the certificate must be for; absent: the host of the upstream's URL. */
  readonly serverName?: string
  /** False: any certificate does, so anybody on the way can pose as the upstream. */
  readonly verify: boolean
}

/** Where an allowed request goes. Durations are milliseconds; absent ones come from `proxy.timeout`. */
export interface Upstream {
  /** `http(s)://host:port`, what connections are pooled by. */
  readonly origin: string
  /** Path of the upstream URL without a trailing slash; `''` for the root. */
  readonly basePath: string
  /** A path prefix that is cut off at a segment boundary, with its leading and without a trailing slash; absent: nothing is cut. */
  readonly stripPath?: string
  /** Whether the upstream gets the client's `Host` instead of its own. */
  readonly preserveHost: boolean
  /** Absent: a certificate that Node's own authorities vouch for, for the host of the URL. */
  readonly tls?: UpstreamTls
  readonly timeout?: { readonly connect?: number, readonly response?: number }
  /** 413 beyond it; absent: `serve.public.limits.body_bytes`. */
  readonly maxBodyBytes?: number
  /** False: one connection per request, for upstreams that can't be trusted with framing (security S25). */
  readonly keepAlive: boolean
  /** Whether a GET, HEAD or OPTIONS request may have a body (security S25). */
  readonly bodyOnSafeMethods: boolean
}

/** What a rule makes of the header of its upstream's answers. */
export interface ResponseChange {
  /** Names, lower-case, of the upstream's fields that the client does not get. */
  readonly removed: ReadonlySet<string>
  /** Flat name-value pairs that the client gets besides. Throws `GatewayError` `internal_error` when a template makes no sense for the session. */
  readonly fieldsFor: (session: AuthenticationSession) => readonly string[]
}

/** A rule as requests meet it: everything parsed, looked up and checked when it was loaded. */
export interface AccessRule {
  readonly id: string
  /** Absent for rules that only serve the decision API. */
  readonly upstream: Upstream | undefined
  /** Absent: the answer's header is the upstream's. */
  readonly response?: ResponseChange
  /** Cookies that its own mutators set; absent: none. */
  readonly setsCookies?: readonly string[]
  /** Whether `%2F` and `%5C` in a path are accepted (`match.encoded_slashes: allow`). */
  readonly encodedSlashes: boolean
  readonly authenticators: readonly { readonly name: string, readonly optional: boolean, readonly authenticate: Authenticate }[]
  readonly authorizers: readonly { readonly name: string, readonly authorize: Authorize }[]
  readonly mutators: readonly { readonly name: string, readonly mutate: Mutator['mutate'] }[]
  /** The rule's own `errors`, then the configured fallback; always answers. */
  readonly answerError: (error: GatewayError, request: AccessRequest | undefined) => Answer
}

/** What will be done with one request, and on whose behalf. */
export interface Decision {
  readonly rule: AccessRule
  readonly session: AuthenticationSession
  /** Folded names (lower-case letters and digits only) of header fields that no client may send, from every rule there is (security H2). */
  readonly stripped: ReadonlySet<string>
  /** Names of cookies that no client may send, from every rule there is; absent: none. */
  readonly strippedCookies?: readonly string[]
}

/** What handlers may use of the rest of the gateway. */
export interface Services extends RemoteAccess {
  readonly sessions: Sessions
  /** Name of the gateway's own session cookie (`session.cookie.name`). */
  readonly sessionCookie: string
  /** The whoami document of a session: what `cookie_session` hands to templates as `.Extra`. */
  readonly sessionDocument: (found: FoundSession) => JsonObject
}

/** A pipeline handler as its file declares it, named as configuration names it. */
export interface Handler<Made> {
  readonly name: string
  /** JSON Schema of `config`: its validation, its defaults and its documentation. */
  readonly config: object
  /** True: rules may use it only where configuration says `enabled: true`, because it asks other services. */
  readonly optIn?: boolean
  /** Runs when rules are loaded; `config` has passed the schema. Throws `ConfigMistake` (or `Error`) with a sentence when it still makes no sense. */
  create(config: never, services: Services): Made
}

