/** The code behind a method: turns what was submitted into an identity, a redirect, or problems. It never answers. */
import type { Submission } from '../../http/submission.js'
import type { Identity, JsonValue, Problem } from '../../store/records.js'

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
  register(submission: Submission): Promise<Refused | Registrable>
  login(submission: Submission): Promise<Refused | Recognised>
}
