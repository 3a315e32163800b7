/** Turns the `before` and `after` lists of the configuration into functions, once, at start. */
import { Ajv, type ErrorObject } from 'ajv'

import { toGatewayError } from '../../errors.js'
import { isCidr, isHttpUrl } from '../../config/formats.js'
import type { Config } from '../../config/schema.js'
import type { Flow, Method } from '../../store/records.js'
import type { Job, JobPlace, JobServices, RunJob } from './job.js'
import { redirectJob } from './redirect.js'
import { restrictIpJob } from './restrict-ip.js'
import { revokeActiveSessionsJob } from './revoke-active-sessions.js'
import { sessionJob } from './session.js'
import { webHookJob } from './web-hook.js'

/** Every job there is; a new one is a file and a line here. */
export const jobs: readonly Job[] = [sessionJob, redirectJob, revokeActiveSessionsJob, webHookJob, restrictIpJob]

/** The jobs of one kind of flow, in the order in which they run. */
export interface FlowJobs {
  readonly before: readonly RunJob[]
  readonly after: { readonly [method in Method]: readonly RunJob[] }
}

/** A list entry that makes no sense, and the keys that lead to it in the configuration. */
export interface JobProblem {
  readonly path: readonly string[]
  readonly message: string
}

/** What is wrong with the configured jobs, all of it; empty when they can be compiled. */
export function checkJobs(config: Config): JobProblem[] {
  const problems: JobProblem[] = []
  eachList(config, (place, path, entries) => {
    for (const [index, entry] of entries.entries()) {
      const problem = checkEntry(place, entry, config.security.account_enumeration.mitigate)
      if (problem !== undefined) problems.push({ path: [...path, String(index)], message: problem })
    }
  })
  return problems
}

/** Sentences about lists that are right, and hardly what anybody wants. */
export function jobWarnings({ selfservice: { login, strategies } }: Config): string[] {
  return (['password', 'oidc'] as const)
    .filter(method => strategies[method].enabled && !login.after[method].some(({ run }) => run === sessionJob.name))
    .map(method => `selfservice.login.after.${method} has no job \`session\`: who logs in that way is not logged in afterwards`)
}

/** Compiles lists that `checkJobs` found nothing wrong with. `onFailure` learns of each run that fails. */
export function compileJobs(config: Config, services: JobServices, onFailure: OnJobFailure): { registration: FlowJobs, login: FlowJobs } {
  const compile = (entries: readonly Entry[]): readonly RunJob[] => entries.map(entry => {
    const job = jobs.find(({ name }) => name === entry.run) as Job
    return tellingFailures(job.name, job.create(withDefaults(job, entry) as never, services), onFailure)
  })
  const flowJobs = ({ before, after }: FlowLists): FlowJobs => ({
    before: compile(before),
    after: { password: compile(after.password), oidc: compile(after.oidc) },
  })
  return { registration: flowJobs(config.selfservice.registration), login: flowJobs(config.selfservice.login) }
}

/** The job, the kind of flow, the code of the error. */
type OnJobFailure = (job: string, kind: Flow['kind'], code: string) => void

function tellingFailures(name: string, run: RunJob, onFailure: OnJobFailure): RunJob {
  return async context => {
    try {
      return await run(context)
    } catch (error) {
      onFailure(name, context.flow.kind, toGatewayError(error).code)
      throw error
    }
  }
}

interface Entry { readonly run?: string, readonly config?: unknown }
interface FlowLists { readonly before: readonly Entry[], readonly after: { readonly [method in Method]: readonly Entry[] } }

const ajv = new Ajv({
  useDefaults: true, allErrors: true, formats: { 'http-url': isHttpUrl, cidr: isCidr },
  validateSchema: false, code: { optimize: false }, // as in config/validate.ts
})

function eachList(config: Config, visit: (place: JobPlace, path: readonly string[], entries: readonly Entry[]) => void): void {
  for (const kind of ['registration', 'login'] as const) {
    const lists: FlowLists = config.selfservice[kind]
    visit(`${kind}.before`, ['selfservice', kind, 'before'], lists.before)
    for (const method of ['password', 'oidc'] as const) {
      visit(`${kind}.after`, ['selfservice', kind, 'after', method], lists.after[method])
    }
  }
}

function checkEntry(place: JobPlace, entry: Entry, hidesAccounts: boolean): string | undefined {
  const known = jobs.filter(({ places }) => places.includes(place)).map(({ name }) => name)
  const job = jobs.find(({ name }) => name === entry.run)
  if (job === undefined) return `"${entry.run ?? ''}" is not a job; here can stand: ${known.join(', ')}`
  if (!job.places.includes(place)) return `the job "${job.name}" can not run here; here can stand: ${known.join(', ')}`

  if (hidesAccounts && job.telling && place === 'registration.after') {
    return `the job "${job.name}" would tell new accounts from existing ones, which security.account_enumeration.mitigate is to hide`
  }
  if (ajv.validate(job.config, structuredClone(entry.config ?? {}))) return undefined
  return `the config of "${job.name}" is wrong: ${(ajv.errors ?? []).map(mistakeOf).join(', ')}`
}

function mistakeOf({ instancePath, message = '', params }: ErrorObject): string {
  const surplus = (params as { additionalProperty?: string }).additionalProperty
  return `config${instancePath} ${surplus === undefined ? message : `has no key ${surplus}`}`
}

function withDefaults(job: Job, entry: Entry): unknown {
  const config = structuredClone(entry.config ?? {})
  ajv.validate(job.config, config)
  return config
}
