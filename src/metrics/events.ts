/** What happens rarely enough for prom-client's own counters: each part of the gateway tells of it through a function. */
import { Counter, type Registry } from 'prom-client'

import type { SelfServiceObserver } from '../selfservice/observer.js'
import type { SessionObserver } from '../session/sessions.js'

export interface EventMetrics {
  readonly selfService: SelfServiceObserver
  readonly sessions: SessionObserver
  /** A password was turned away because too many wait to be hashed. */
  hashRefused(): void
  /** The breach database could not be asked. */
  breachCheckFailed(): void
  rulesReloaded(result: 'loaded' | 'refused'): void
  /** A connection was closed because of a limit of `serve.public.limits`. */
  connectionDropped(limit: string): void
  /** The process stood still for longer than `log.stall_warning`. */
  stalled(ms: number): void
  /** Node's parser refused what came on a connection, or its request head did not come in time. */
  requestMalformed(status: number): void
}

export function createEventMetrics(registry: Registry): EventMetrics {
  const counter = counterIn(registry)
  const flowsStarted = counter('oathgate_flows_started_total', 'Flows that began, by kind.', ['kind'])
  const flowsCompleted = counter('oathgate_flows_completed_total', 'Flows that ended with a new account or a login, after-jobs included.', ['kind', 'method'])
  const flowsFailed = counter('oathgate_flows_failed_total',
    'Beginnings and submits of flows that failed, by the code of the first problem shown in the form, or of the error; kind and method are empty where they are not known yet.',
    ['kind', 'method', 'reason'])
  const jobFailures = counter('oathgate_job_failures_total', 'Jobs (web_hook and the like) that failed or objected, by what `run` calls them and the code of the error.', ['run', 'kind', 'code'])
  const providerFailures = counter('oathgate_oidc_provider_failures_total', 'Sign-ins that failed because of the provider.', ['provider'])
  const rateLimited = counter('oathgate_rate_limited_total', 'Attempts refused by security.rate_limits.', ['limit'])
  const sessionsCreated = counter('oathgate_sessions_created_total', 'Sessions issued by this process.', [])
  const sessionsEnded = counter('oathgate_sessions_ended_total',
    'Sessions ended by this process before their time: revoked (a logout), revoked_all, idle, or limit (session.max_per_identity). Those whose lifespan is over end unseen.', ['reason'])
  const hashesRefused = counter('oathgate_password_hashes_refused_total', 'Passwords turned away because hashers.argon2.queue of them waited already.', [])
  const breachChecksFailed = counter('oathgate_breach_check_failures_total', 'Passwords that could not be looked up in the breach database.', [])
  const reloads = counter('oathgate_access_rules_reloads_total', 'Changes of the access rules that were loaded, and attempts that were refused.', ['result'])
  const dropped = counter('oathgate_connections_dropped_total', 'Connections closed at once because of serve.public.limits: connections, or connections_per_address.', ['limit'])
  const stalled = counter('oathgate_stalled_seconds_total', 'How long the process stood still and served nobody, each time for longer than log.stall_warning.', [])
  const malformed = counter('oathgate_http_malformed_total', 'Requests refused by the HTTP parser, by status; they count as no request elsewhere.', ['status'])

  // What alerts ask about is there from the start: the first increase of a series that is not can't be seen.
  for (const result of ['loaded', 'refused']) reloads.inc({ result }, 0)

  return {
    selfService: {
      flowStarted: kind => { flowsStarted.inc({ kind }) },
      flowCompleted: (kind, method) => { flowsCompleted.inc({ kind, method }) },
      flowFailed: (kind, method, reason) => { flowsFailed.inc({ kind: kind ?? '', method: method ?? '', reason }) },
      jobFailed: (job, kind, code) => { jobFailures.inc({ run: job, kind, code }) },
      providerFailed: provider => { providerFailures.inc({ provider }) },
      rateLimited: limit => { rateLimited.inc({ limit }) },
    },
    sessions: {
      issued: () => { sessionsCreated.inc() },
      ended: (reason, count) => { sessionsEnded.inc({ reason }, count) },
    },
    hashRefused: () => { hashesRefused.inc() },
    breachCheckFailed: () => { breachChecksFailed.inc() },
    rulesReloaded: result => { reloads.inc({ result }) },
    connectionDropped: limit => { dropped.inc({ limit }) },
    stalled: ms => { stalled.inc(ms / 1000) },
    requestMalformed: status => { malformed.inc({ status: String(status) }) },
  }
}

function counterIn(registry: Registry) {
  return <Name extends string>(name: string, help: string, labelNames: readonly Name[]): Counter<Name> =>
    new Counter({ name, help, labelNames: [...labelNames], registers: [registry] })
}
