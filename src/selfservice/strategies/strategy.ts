/** The code behind a method: turns what was submitted into an identity, a redirect, or problems. It never answers. */
import type { Submission } from '../../http/submission.js'
import type { Identity, JsonObject, JsonValue, Problem, ProviderProof, SignInAttempt } from '../../store/records.js'

/** Something the person can mend: shown in the form, with what they typed. */
export interface Refused {
  readonly problems: readonly Problem[]
  /** By field name; never a password. */
  readonly values: { readonly [field: string]: JsonValue }
}

/** A registration that nothing stands against so far. */
export interface Registrable {
  readonly values: { readonly [field: string]: JsonValue }
  /** The dear part (hashing); asked for once, when the flow's submit has been spent. The identity is not stored yet. */
  readonly identity: () => Promise<Identity>
}

/** Who proved to be whom. */
export interface Recognised {
  readonly identity: Identity
}

export interface PasswordStrategy {
  /** `admit` is asked once there is nothing wrong that shows without asking others; what it rejects with, so does this. */
  register(submission: Submission, admit: () => Promise<void>): Promise<Refused | Registrable>
  login(submission: Submission): Promise<Refused | Recognised>
}

/** Somebody is to be sent to a provider; the attempt is to be kept until they are back. */
export interface Departed {
  readonly redirect: string
  readonly attempt: SignInAttempt
}

/** Somebody came back from a provider that knows them. */
export interface Arrived {
  /** Id of the provider. */
  readonly provider: string
  readonly subject: string
  /** What the provider says about them, as traits; for those who are new here. May ask the provider once more. */
  readonly proof: () => Promise<Refused | { readonly proof: ProviderProof }>
}

export interface OidcStrategy {
  /** Throws `unknown_resource` for a provider that is not configured. */
  requireProvider(id: string): void
  /** Rejects with `internal_error` when the operator has to mend something first. */
  depart(provider: string, flowId: string, csrfCookie: string, traits: JsonObject): Promise<Refused | Departed>
  /** Under which key the attempt of a browser that comes back is kept. */
  attemptKey(state: string, csrfCookie: string): string
  /** `answer` is what the provider added to the redirect URI. */
  arrive(attempt: SignInAttempt, answer: URLSearchParams): Promise<Refused | Arrived>
  /** What was typed counts where the provider vouches for nothing. */
  register(proof: ProviderProof, typed: JsonObject): Refused | Registrable
}
