/** Steps around a flow that the operator declares (`run:`): what a job is given and what it may answer (contract 6). */
import type { AccessRequest } from '../../http/access-request.js'
import type { Sessions } from '../../session/sessions.js'
import type { Flow, Identity, Method } from '../../store/records.js'
import type { BrowserCookies } from '../browser-cookies.js'

/** Where jobs may be listed. */
export type JobPlace = 'registration.before' | 'registration.after' | 'login.before' | 'login.after'

export interface JobContext {
  readonly flow: Flow
  readonly request: AccessRequest
  /** How the person got in; absent before a flow. */
  readonly method?: Method
  /** Who got in; absent before a flow. */
  readonly identity?: Identity
  /** The identity is not new: somebody tried to register with an identifier of it, and is not to know. */
  readonly taken?: true
}

/** What a job leaves behind. A job that fails throws `GatewayError`; nothing it or earlier jobs answered is then sent. */
export interface JobResult {
  readonly cookies?: readonly string[]
  /** Where the browser goes; before a flow this ends it. Of several the first counts. */
  readonly redirect?: string
  /** A session that began, so that it can be ended again when a later job fails. */
  readonly sessionToken?: string
}

export type RunJob = (context: JobContext) => Promise<JobResult> | JobResult

/** What jobs may use of the rest of the gateway. */
export interface JobServices {
  readonly sessions: Sessions
  readonly cookies: BrowserCookies
  /** `urls.self.public`. */
  readonly publicUrl: string
}

/** A job as its file declares it. */
export interface Job {
  readonly name: string
  readonly places: readonly JobPlace[]
  /** Whether what it does could tell a new account from one that was there: not allowed after registration where accounts are hidden. */
  readonly telling?: true
  /** JSON Schema of `config`: its validation, its defaults and its documentation. */
  readonly config: object
  /** Runs once, at start; `config` has passed the schema. */
  create(config: never, services: JobServices): RunJob
}
