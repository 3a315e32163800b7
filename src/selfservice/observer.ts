/** What self-service tells of what happens in it, for whoever counts. Never anything that a person typed. */
import type { Method } from '../store/records.js'
import type { FlowKind } from './service.js'

/** Plain functions that never throw. */
export interface SelfServiceObserver {
  flowStarted(kind: FlowKind): void
  /** Somebody has an account, or is let in; after-jobs included. */
  flowCompleted(kind: FlowKind, method: Method): void
  /**
   * A flow did not begin, or a submit did not end well: `reason` is the code of the first problem that the form shows, or of the
   * error. Kind and method are absent where they are not known yet.
   */
  flowFailed(kind: FlowKind | undefined, method: Method | undefined, reason: string): void
  /** A job failed or objected; `code` is the error's. */
  jobFailed(job: string, kind: FlowKind, code: string): void
  providerFailed(provider: string): void
  /** Somebody was refused by the limit of that name. */
  rateLimited(limit: string): void
}
