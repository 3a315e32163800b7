/** What the gateway keeps: identities, flows, sessions and errors, as plain JSON. Instants are milliseconds since 1970. */

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue }
export type JsonObject = { [key: string]: JsonValue }

/** A way to prove who one is, as config, URLs and documents name it. */
export type Method = 'password' | 'oidc'

/** How an identity logs in with a password. */
export interface PasswordCredentials {
  /** Canonical (see `identity/identifiers.ts`); each is held by one identity at most. */
  readonly identifiers: readonly string[]
  /** A PHC string; absent when the identity has identifiers but has never set a password. */
  readonly hash?: string
}

/** How an identity signs in with OpenID providers. */
export interface OidcCredentials {
  /** `<provider id>:<subject>`, case-sensitive; each is held by one identity at most. */
  readonly identifiers: readonly string[]
}

/** A person: what the identity schema says about them and how they prove who they are. */
export interface Identity {
  /** UUIDv4. */
  readonly id: string
  /** Which of `identity.traits.schemas` describes the traits; `default` for the default schema. */
  readonly schemaId: string
  readonly traits: JsonObject
  readonly credentials: { readonly password?: PasswordCredentials, readonly oidc?: OidcCredentials }
  readonly createdAt: number
  readonly updatedAt: number
  /** Counts changes; an update names the version it saw. Starts at 1. */
  readonly version: number
}

/** An identity's claim on a login name: what no two identities may share. */
export interface IdentifierClaim {
  readonly method: Method
  readonly identifier: string
}

/** Something a person can mend (or is told) about a flow: a code and its parameters, never a finished sentence. */
export interface Problem {
  /** See `selfservice/messages.ts` for the sentences. */
  readonly code: string
  /** The form field it belongs to: `password`, `identifier`, `traits.name.first`. Absent: the whole form. */
  readonly field?: string
  readonly params?: { readonly [name: string]: JsonValue }
}

/** What one method's form of a flow holds after a submit. */
export interface FlowForm {
  /** What was submitted, by field name (`traits.email`, `identifier`); never a password. */
  readonly values: { readonly [field: string]: JsonValue }
  readonly problems: readonly Problem[]
}

/** Who a provider says somebody is: proof that need not be asked for again while its flow lives. */
export interface ProviderProof {
  /** Id of the provider. */
  readonly provider: string
  /** What the provider calls the person, for ever; case-sensitive. */
  readonly subject: string
  /** Traits that the provider vouches for: nothing that is typed replaces them. */
  readonly asserted: JsonObject
  /** Traits that it passed on without vouching for them, such as an address that it has not verified. */
  readonly suggested: JsonObject
}

/** A provider's proof that is added to an account once somebody has proved that the account is theirs. */
export interface PendingLink {
  readonly provider: string
  readonly subject: string
  /** The account; no other login takes the proof. */
  readonly identityId: string
}

/** One attempt of one browser to get in: a registration request or a login request. Says nothing about any wire format. */
export interface Flow {
  /** UUIDv4; not a secret, since reading and submitting need the browser's CSRF cookie too. */
  readonly id: string
  readonly kind: 'registration' | 'login'
  readonly type: 'browser'
  readonly issuedAt: number
  readonly expiresAt: number
  /** The external URL that began it, query included. */
  readonly requestUrl: string
  /** Where the person asked to end up, validated when the flow began; absent when they did not ask. */
  readonly returnTo?: string
  /** SHA-256 of the CSRF cookie of the browser that began it, base64url. */
  readonly csrfBinding: string
  /** The token that its forms carry (masked); useless without the cookie. */
  readonly csrfToken: string
  /** By method; a method without an entry has a fresh form. */
  readonly forms: { readonly [method in Method]?: FlowForm }
  /** In a registration whose traits are not complete yet: who it is for. Never part of a document. */
  readonly proof?: ProviderProof
  /** In a login that proves an account to add a provider to: what is added. Never part of a document. */
  readonly link?: PendingLink
}

/** A browser's journey to a provider and back. Kept here and not in the browser: what it holds is worth stealing. */
export interface SignInAttempt {
  /** Made from the journey's state and the browser's CSRF cookie, SHA-256, base64url: the callback of no other browser finds it. */
  readonly key: string
  /** Id of the provider; no other one's callback counts. */
  readonly provider: string
  readonly flowId: string
  readonly nonce: string
  readonly codeVerifier: string
  /** What was typed before leaving. */
  readonly traits: JsonObject
  readonly expiresAt: number
}

/** A logged-in browser. */
export interface Session {
  /** UUIDv4, the public name (`sid`); not the token. */
  readonly id: string
  /** SHA-256 of the token, base64url. The token itself is only in the browser's cookie. */
  readonly tokenHash: string
  readonly identityId: string
  readonly authenticatedAt: number
  readonly issuedAt: number
  /** The absolute end. */
  readonly expiresAt: number
  /** When it was last used, to within a minute; drives `session.idle_lifespan`. */
  readonly lastSeenAt: number
}

/** Errors of a browser flow, kept for the page at `urls.error_ui`. */
export interface StoredError {
  /** UUIDv4. */
  readonly id: string
  /** In the shape of the JSON error envelope (`code`, `status`, `reason`, `message`), without the envelope. */
  readonly errors: readonly JsonObject[]
  /** SHA-256 of the CSRF cookie of the browser it was created for, base64url; absent when it had none. */
  readonly csrfBinding?: string
  readonly createdAt: number
}
