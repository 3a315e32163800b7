/** Runs a list of jobs in order and gathers what they leave behind; the first that fails ends it (contract 6.3, 6.4). */
import type { Sessions } from '../../session/sessions.js'
import type { JobContext, RunJob } from './job.js'

export interface JobsOutcome {
  readonly cookies: readonly string[]
  /** Absent when no job sends the browser anywhere. */
  readonly redirect: string | undefined
}

/**
 * Rejects with the error of the job that failed. Sessions that earlier jobs began are ended then, so that a flow that
 * was broken off has logged nobody in.
 */
export async function runJobs(list: readonly RunJob[], context: JobContext, sessions: Sessions): Promise<JobsOutcome> {
  const cookies: string[] = []
  const begun: string[] = []
  let redirect: string | undefined
  try {
    for (const run of list) {
      const result = await run(context)
      if (result.cookies !== undefined) cookies.push(...result.cookies)
      if (result.sessionToken !== undefined) begun.push(result.sessionToken)
      redirect ??= result.redirect
    }
  } catch (error) {
    // The token was never sent to anybody; should ending it fail too, nobody can use it and it expires.
    await Promise.allSettled(begun.map(token => sessions.revoke(token)))
    throw error
  }
  return { cookies, redirect }
}
